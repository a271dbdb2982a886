"""A large change of one namespace on a real database: what waits for it, and what doesn't."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable

import attrs
import pytest
from msgspec.structs import replace

from nqosd.api.changes import Change, ResourceKind
from nqosd.api.networkqos import BandwidthScope, EgressRule, Limit, NetworkQoS, NetworkQoSSpec
from nqosd.api.objects import Attachment, NetworkAttachment, Node, Pod, Topology
from nqosd.compiler.incremental import IncrementalCompiler
from nqosd.daemon import rounds as daemon_rounds
from nqosd.daemon.publisher import KubernetesWriters, Publisher
from nqosd.daemon.rounds import RoundOptions, Rounds
from nqosd.northbound import shares
from nqosd.northbound.northbound import Northbound
from nqosd.northbound.plan.operations import SetName
from nqosd.northbound.results import RoundResult
from nqosd.ovsdb.connection_options import Options
from nqosd.ovsdb.remotes import Remote
from nqosd.status.zone_state import PolicyStanding
from nqosd.telemetry.health import Health
from nqosd.telemetry.metrics import Metrics
from tests.northbound.real import add_switches
from tests.services.ovsdb import OvsdbServer

RULES = tuple(EgressRule(each, Limit(1000)) for each in range(20))
PODS = 3 * shares.MOST // len(RULES)


def pod(namespace: str, number: int) -> Change:
    """Give a pod that comes."""
    address = f"10.0.{namespace == 'victim':d}.{number + 1}"
    found = Pod(namespace, f"pod{number}", node="node1", attachments=(Attachment("default", (address,)),))
    return Change(ResourceKind.POD, found.key, None, found)


def policy(namespace: str, priority: int, scope: BandwidthScope) -> Change:
    """Give a policy that comes or changes."""
    found = NetworkQoS(namespace, "own", spec=NetworkQoSSpec(priority, RULES, bandwidth_scope=scope))
    return Change(ResourceKind.NETWORK_QOS, found.key, None, found)


@attrs.define
class Seen:
    """What rounds did: how each ended, with the attacker's priority that it compiled, and what was published too early.

    `after` is called after each round.
    """

    rounds: Rounds
    ended: list[tuple[RoundResult, int]] = attrs.field(factory=list)
    published_early: list[str] = attrs.field(factory=list)
    after: Callable[[RoundResult], None] = lambda _result: None

    @property
    def left(self) -> int:
        """How many pods haven't moved yet."""
        return 0 if self.rounds.compiler is None else len(self.rounds.compiler.left)

    @property
    def is_done(self) -> bool:
        """Whether nothing is left to do."""
        waits = self.rounds.inbox.oldest is not None or self.rounds.convergence.seconds
        return bool(self.ended) and not waits


@pytest.fixture
async def seen(ovsdb_nb: OvsdbServer, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Seen]:
    """Give rounds that write what an attacker and a victim have at first."""
    add_switches(ovsdb_nb, "node1")
    northbound, metrics = Northbound(Options([Remote(ovsdb_nb.unix)])), Metrics()
    rounds = Rounds(RoundOptions(zone="*"), northbound, metrics.rounds, Health(), KubernetesWriters())
    found = Seen(rounds)
    reconcile, stands = northbound.reconcile, Publisher._standing

    async def watched(*args: object, **options: object) -> RoundResult:
        result = await reconcile(*args, **options)  # type: ignore[arg-type] # passed on as they came
        assert rounds.compiler is not None
        compiled = rounds.compiler.tables.policies["attacker/own"].spec
        found.ended.append((result, -1 if compiled is None else compiled.priority))
        found.after(result)
        return result

    def noted(publisher: Publisher, key: str, compiler: IncrementalCompiler) -> PolicyStanding | None:
        of_namespace = key.partition("/")[0]
        waits = {each.partition("/")[0] for each in compiler.left}
        if found.ended and of_namespace in found.ended[-1][0].left | waits:
            found.published_early.append(key)
        return stands(publisher, key, compiler)

    monkeypatch.setattr(northbound, "reconcile", watched)
    monkeypatch.setattr(Publisher, "_standing", noted)
    rounds.inbox.unsynced.clear()
    rounds.inbox.changed([Change(ResourceKind.NODE, "node1", None, Node("node1")), pod("victim", 0)])
    rounds.inbox.changed([pod("attacker", each) for each in range(PODS)])
    rounds.inbox.changed([policy("victim", 1, BandwidthScope.RULE), policy("attacker", 1, BandwidthScope.POD)])
    await northbound.start()
    task = asyncio.create_task(rounds.run())
    try:
        await until(lambda: found.is_done and bool(northbound.row_keys()))
        found.ended.clear()
        yield found
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        await northbound.close()


async def until(condition: Callable[[], bool]) -> None:
    """Wait for something, at most a minute."""
    async with asyncio.timeout(60):
        while not condition():  # noqa: ASYNC110 - rounds tell nobody that they have ended
            await asyncio.sleep(0.01)


async def test_others_go_on_and_the_same_namespace_waits(seen: Seen) -> None:
    """A victim's pod is written before the rest; the attacker's next change, and what is published, come after it."""

    def after(result: RoundResult) -> None:
        if result.left:
            seen.after = lambda _result: None
            seen.rounds.inbox.changed([policy("attacker", 3, BandwidthScope.POD), pod("victim", 1)])

    seen.after = after
    seen.rounds.inbox.changed([policy("attacker", 2, BandwidthScope.POD)])
    await until(lambda: seen.is_done and seen.ended[-1][1] == 3)
    rows = [sum(not isinstance(each, SetName) for each in result.written) for result, _priority in seen.ended]
    (victims,) = (number for number, (result, _) in enumerate(seen.ended) if any(map(_is_set, result.written)))
    assert rows[victims] < len(RULES) * PODS
    assert sum(rows[victims + 1 :]) > len(RULES) * PODS, "a part of the first change, and all of the second, come later"
    priorities = [priority for _result, priority in seen.ended]
    assert priorities == sorted(priorities)
    settled = [priority for result, priority in seen.ended if result.settled and result.written]
    assert settled == [2, 3]
    assert seen.published_early == []


async def test_shares_follow_each_other_at_once(seen: Seen, monkeypatch: pytest.MonkeyPatch) -> None:
    """However long the rounds wait for more changes, what is left of a large one doesn't wait."""
    window, sleep, waited = 0.123, asyncio.sleep, []

    async def noted(seconds: float) -> None:
        if seconds == window:
            waited.append(bool(seen.ended) and bool(seen.ended[-1][0].left))
        await sleep(seconds)

    seen.rounds.options = replace(seen.rounds.options, batch_window=window)
    monkeypatch.setattr(asyncio, "sleep", noted)
    seen.rounds.inbox.changed([policy("attacker", 2, BandwidthScope.POD)])
    await until(lambda: seen.is_done and seen.ended[-1][1] == 2)
    assert any(result.left for result, _priority in seen.ended)
    assert waited
    assert not any(waited)


async def test_what_may_take_long_lets_others_pass(seen: Seen) -> None:
    """Of changes that come together those of a namespace with little to compile have a round of their own, first."""
    compiled: list[tuple[bool, bool]] = []

    def after(_result: RoundResult) -> None:
        assert seen.rounds.compiler is not None
        pods = seen.rounds.compiler.tables.pods
        compiled.append((f"attacker/pod{PODS}" in pods, "victim/pod1" in pods))

    seen.after = after
    seen.rounds.inbox.changed([pod("attacker", PODS), pod("victim", 1)])
    await until(lambda: seen.is_done and len(compiled) > 1)
    assert compiled[:2] == [(False, True), (True, True)]


async def test_pods_of_a_network_that_changes_keep_nobody_waiting(seen: Seen, monkeypatch: pytest.MonkeyPatch) -> None:
    """They move by and by; a pod of others is written meanwhile, and the statuses of their namespace come at last."""
    monkeypatch.setattr(daemon_rounds, "SHARE", 1)
    ports = (Attachment("attacker/flat"),)
    wide = [Pod("attacker", f"wide{number}", {}, "node1", attachments=ports) for number in range(5)]
    flat = NetworkAttachment("attacker", "flat", network="flat", topology=Topology.LAYER2)
    seen.rounds.inbox.changed([Change(ResourceKind.POD, each.key, None, each) for each in wide])
    seen.rounds.inbox.changed([Change(ResourceKind.NETWORK_ATTACHMENT_DEFINITION, flat.key, None, flat)])
    await until(lambda: seen.is_done and not seen.left)
    seen.ended.clear()
    lefts: list[int] = []

    def after(_result: RoundResult) -> None:
        lefts.append(seen.left)
        if len(lefts) == 1:
            seen.rounds.inbox.changed([pod("victim", 1)])

    seen.after = after
    other = replace(flat, topology=Topology.LOCALNET)
    seen.rounds.inbox.changed([Change(ResourceKind.NETWORK_ATTACHMENT_DEFINITION, flat.key, flat, other)])
    await until(lambda: seen.is_done and not seen.left and bool(lefts))
    assert lefts[:5] == [4, 3, 2, 1, 0]
    (victims,) = (number for number, (result, _) in enumerate(seen.ended) if any(map(_is_set, result.written)))
    assert victims < len(wide) - 1
    assert seen.published_early == []
    assert "attacker/own" in seen.rounds.publisher.states


def _is_set(subject: object) -> bool:
    return isinstance(subject, SetName)
