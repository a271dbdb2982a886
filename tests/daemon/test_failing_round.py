"""A defect of ours in a round, made by patching the compiler: no object is known that causes one."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Iterable, Mapping
from typing import Any

import attrs
import pytest
from msgspec.structs import replace

from nqosd.api.changes import Change, Object, ResourceKind
from nqosd.api.networkqos import EgressRule, NetworkQoS, NetworkQoSSpec
from nqosd.api.objects import Attachment, Node, Pod, UserDefinedNetwork
from nqosd.cache.tables import Tables
from nqosd.compiler import pod_placement
from nqosd.compiler.address_ranges import Ranges
from nqosd.compiler.definition import compile_everything
from nqosd.compiler.effective_policies import PolicyReading
from nqosd.compiler.effective_policy_index import EffectivePolicies
from nqosd.compiler.incremental import IncrementalCompiler
from nqosd.compiler.network_switches import Networks
from nqosd.compiler.pod_addresses import PodAddress, Zone, places
from nqosd.compiler.pod_placement import PodPlacement
from nqosd.compiler.settings import Settings
from nqosd.compiler.stale_units import StaleUnits
from nqosd.compiler.switches import Switch
from nqosd.config.options import Limits
from nqosd.daemon.isolation import Isolation, first_culprit
from nqosd.daemon.publisher import KubernetesWriters
from nqosd.daemon.rounds import RoundOptions, Rounds
from nqosd.northbound.northbound import Northbound
from nqosd.ovsdb.connection_options import Options
from nqosd.telemetry.health import Health
from nqosd.telemetry.metrics import Metrics

POLICY = NetworkQoS("shop", "limit", spec=NetworkQoSSpec(5, (EgressRule(1),)))
OTHERS = [NetworkQoS("shop", f"other-{number}", spec=POLICY.spec) for number in range(5)]
PODS = [Pod("shop", f"pod-{number}", node="node1") for number in range(5)]


@contextlib.asynccontextmanager
async def running(objects: Iterable[Object]) -> AsyncIterator[tuple[Rounds, Health, Metrics]]:
    """Run rounds on some objects."""
    health, northbound, metrics = Health(), Northbound(Options()), Metrics()
    rounds = Rounds(RoundOptions(zone="global"), northbound, metrics.rounds, health, KubernetesWriters())
    rounds.inbox.unsynced.clear()
    task = asyncio.create_task(rounds.run())
    health.supervise("rounds", task)
    rounds.inbox.changed([came(each) for each in objects])
    yield rounds, health, metrics
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


def came(value: Object) -> Change:
    """Say that a policy or pod came, or is another now."""
    kind = ResourceKind.NETWORK_QOS if isinstance(value, NetworkQoS) else ResourceKind.POD
    return Change(kind, value.key, None, value, time.monotonic())


async def until(condition: str, rounds: Rounds, health: Health) -> None:
    """Wait for a condition, at most half a minute."""
    found = {"failed": lambda: "a round failed" in rounds.convergence.why, "compiled": lambda: rounds.last is not None}
    async with asyncio.timeout(30):
        while not found[condition]():
            assert health.problems() == ()
            await asyncio.sleep(0.01)


async def test_a_round_that_fails_ends_neither_the_daemon_nor_what_comes_after(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It is said why, the changes that it took aren't lost, and once the cause has gone everything is compiled."""

    def fail(*_arguments: object) -> None:
        raise ValueError("a defect")

    monkeypatch.setattr(EffectivePolicies, "_derive", fail)
    async with running([POLICY]) as (rounds, health, _metrics):
        await until("failed", rounds, health)
        assert "a defect" in rounds.convergence.why
        monkeypatch.undo()
        await until("compiled", rounds, health)
        assert rounds.compiler is not None
        assert rounds.compiler.report("shop/limit") is not None


async def test_a_policy_on_which_the_compiler_fails_is_left_out_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """All others are applied, it says why it isn't, and it is tried again when it changes and not before."""
    tried = []
    read = PolicyReading.of

    def fail(key: str, spec: NetworkQoSSpec, limits: Limits) -> PolicyReading:
        if key == POLICY.key and spec == POLICY.spec:
            tried.append(key)
            raise ValueError("a defect")
        return read(key, spec, limits)

    monkeypatch.setattr(PolicyReading, "of", fail)
    async with running([OTHERS[0], POLICY, *OTHERS[1:]]) as (rounds, health, metrics):
        await until("compiled", rounds, health)
        compiler = rounds.compiler
        assert compiler is not None
        assert all(found is not None and found.ready for found in map(compiler.report, (each.key for each in OTHERS)))
        left_out = compiler.report(POLICY.key)
        assert left_out is not None
        assert "a defect" in str(left_out.problems[0])
        assert metrics.registry.get_sample_value("nqosd_left_out_objects", {"kind": "NetworkQoS"}) == 1

        tried.clear()
        rounds.last = None
        rounds.inbox.changed([came(attrs.evolve(POLICY, generation=2))])
        await until("compiled", rounds, health)
        assert not tried
        rounds.last = None
        rounds.inbox.changed([came(attrs.evolve(POLICY, spec=NetworkQoSSpec(6, (EgressRule(1),))))])
        await until("compiled", rounds, health)
        mended = compiler.report(POLICY.key)
        assert mended is not None
        assert mended.ready
        assert metrics.registry.get_sample_value("nqosd_left_out_objects", {"kind": "NetworkQoS"}) == 0


async def test_pods_on_which_the_compiler_fails_are_left_out_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Several at once are found one after the other, and what is compiled is as if they weren't there."""

    def fail(pod: Pod, networks: Networks, zone: Zone, ranges: Mapping[str, Ranges]) -> tuple[PodAddress, ...]:
        if pod.name in ("pod-1", "pod-3"):
            raise ValueError("a defect")
        return places(pod, networks, zone, ranges)

    monkeypatch.setattr(pod_placement, "places", fail)
    async with running([*PODS, *OTHERS]) as (rounds, health, _metrics):
        await until("compiled", rounds, health)
        assert rounds.compiler is not None
        assert rounds.compiler.tables.pods.keys() == {each.key for each in PODS} - {"shop/pod-1", "shop/pod-3"}
        assert rounds.compiler.tables.policies.keys() == {each.key for each in OTHERS}


@pytest.mark.parametrize(
    ("part", "step"),
    [
        (PodPlacement, "move"),
        (IncrementalCompiler, "_settle_members"),
        (IncrementalCompiler, "_settle_rows"),
        (StaleUnits, "build"),
    ],
)
async def test_a_pod_on_which_a_step_fails_is_lost_for_nobody(
    monkeypatch: pytest.MonkeyPatch, part: type, step: str
) -> None:
    """Whichever step of its compilation fails, in the event loop or in a thread, all is compiled in the end.

    The pod takes a policy beyond a limit.
    """
    failed = list[str]()

    def fail(*_arguments: object, **_options: object) -> None:
        failed.append(step)
        raise ValueError("a defect")

    pods = [
        replace(PODS[0], name=f"pod-{number}", attachments=(Attachment("default", (f"10.0.0.{number + 1}",)),))
        for number in range(3)
    ]
    async with running([POLICY, *pods[:2]]) as (rounds, health, _metrics):
        rounds.options = replace(rounds.options, limits=Limits(members=2))
        await until("compiled", rounds, health)
        monkeypatch.setattr(part, step, fail)
        monkeypatch.setattr("nqosd.daemon.rounds.first_culprit", lambda *_arguments: None)
        rounds.inbox.changed([came(pods[2])])
        await until("failed", rounds, health)
        monkeypatch.undo()
        rounds.last = None
        await until("compiled", rounds, health)
        compiler = rounds.compiler
        assert compiler is not None
        assert failed
        assert compiler.desired == compile_everything(compiler.tables, compiler.settings).desired
        report = compiler.report(POLICY.key)
        assert report is not None
        assert "3 members" in str(report.problems)


async def test_a_node_counts_whose_round_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its zone is one of those that report, though another object of the same batch is left out."""

    def fail(pod: Pod, networks: Networks, zone: Zone, ranges: Mapping[str, Ranges]) -> tuple[PodAddress, ...]:
        if pod.name == "pod-1":
            raise ValueError("a defect")
        return places(pod, networks, zone, ranges)

    def node(name: str) -> Change:
        return Change(ResourceKind.NODE, name, None, Node(name, name), time.monotonic())

    monkeypatch.setattr(pod_placement, "places", fail)
    async with running([POLICY]) as (rounds, health, _metrics):
        rounds.options = replace(rounds.options, zone="n1")
        rounds.inbox.changed([node("n1")])
        await until("compiled", rounds, health)
        assert rounds.compiler is not None
        assert "n2" not in rounds.publisher._all_zones(rounds.compiler)
        rounds.last = None
        rounds.inbox.changed([node("n2"), came(PODS[1])])
        await until("compiled", rounds, health)
        assert PODS[1].key not in rounds.compiler.tables.pods
        assert "n2" in rounds.publisher._all_zones(rounds.compiler)


async def test_what_changes_while_the_object_is_looked_for_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    """The object as it was then is never put over what came of it meanwhile: another text, or its end."""
    mended = attrs.evolve(POLICY, spec=NetworkQoSSpec(6, (EgressRule(1),)))
    read, loop = PolicyReading.of, asyncio.get_running_loop()

    def fail(key: str, spec: NetworkQoSSpec, limits: Limits) -> PolicyReading:
        if spec == POLICY.spec:
            raise ValueError("a defect")
        return read(key, spec, limits)

    def search(*arguments: object) -> object:
        gone = Change(ResourceKind.NETWORK_QOS, "shop/gone", None, None, time.monotonic())
        loop.call_soon_threadsafe(rounds.inbox.changed, [came(mended), gone])
        return first_culprit(*arguments)  # type: ignore[arg-type] # passed on as they came

    monkeypatch.setattr(PolicyReading, "of", fail)
    monkeypatch.setattr("nqosd.daemon.rounds.first_culprit", search)
    async with running([POLICY, attrs.evolve(POLICY, name="gone")]) as (rounds, health, metrics):
        await until("compiled", rounds, health)
        assert rounds.compiler is not None
        assert rounds.compiler.tables.policies == {mended.key: mended}
        assert not metrics.registry.get_sample_value("nqosd_left_out_objects", {"kind": "NetworkQoS"})


def test_any_kind_is_left_out_until_it_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is left out is found under the kind under which its changes come."""
    kinds = {
        ResourceKind.USER_DEFINED_NETWORK: UserDefinedNetwork("shop", "red"),
        ResourceKind.CLUSTER_USER_DEFINED_NETWORK: UserDefinedNetwork("", "blue"),
    }
    propagate = IncrementalCompiler._propagate

    def fail(compiler: IncrementalCompiler, *arguments: Any) -> object:  # noqa: ANN401 - passed on as they came
        if any(
            not each.labels
            for each in (*compiler.tables.user_networks.values(), *compiler.tables.cluster_networks.values())
        ):
            raise ValueError("a defect")
        return propagate(compiler, *arguments)

    monkeypatch.setattr(IncrementalCompiler, "_propagate", fail)
    for kind, network in kinds.items():
        tables, isolation = Tables(), Isolation()
        tables.apply(Change(kind, network.key, None, network))
        culprit = first_culprit(tables, Settings("nqosd"), {})
        assert culprit is not None
        assert isolation.leave_out(culprit)
        assert [each.new for each in isolation.admit([Change(kind, network.key, None, network)])] == [None]
        assert isolation.numbers == {kind.value: 1}
        mended = Change(kind, network.key, network, replace(network, labels={"is": "mended"}))
        assert isolation.admit([mended]) == [mended]
        assert isolation.numbers == {}


def test_an_object_that_fails_with_what_the_database_has_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is looked for with the switches with which the compiler failed."""

    def fail(compiler: IncrementalCompiler, *_arguments: object) -> None:
        if compiler.switches and compiler.tables.policies:
            raise ValueError("a defect")

    monkeypatch.setattr(IncrementalCompiler, "_look", fail)
    tables, objects = Tables(), list[Object]([POLICY, *PODS])
    for each in objects:
        tables.apply(came(each))
    culprit = first_culprit(tables, Settings("nqosd"), {"node1": Switch()})
    assert culprit is not None
    assert culprit.change.new == POLICY
