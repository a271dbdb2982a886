"""Where rounds compile: in a thread what may take long, and nobody looks at the compiler meanwhile."""

import asyncio
import contextlib
import threading
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from typing import Any

import attrs
import pytest
from msgspec.structs import replace

from nqosd.api.changes import Change, ResourceKind
from nqosd.api.networkqos import EgressRule, NetworkQoS, NetworkQoSSpec
from nqosd.api.objects import Attachment, Pod
from nqosd.compiler.incremental import IncrementalCompiler
from nqosd.config.options import Limits
from nqosd.daemon import inspection
from nqosd.daemon.inspection import DaemonState
from nqosd.daemon.publisher import KubernetesWriters
from nqosd.daemon.rounds import RoundOptions, Rounds
from nqosd.northbound.northbound import Northbound
from nqosd.ovsdb.connection_options import Options
from nqosd.telemetry.health import Health
from nqosd.telemetry.metrics import Metrics
from nqosd.web.views import RowState

POLICY = NetworkQoS("shop", "limit", spec=NetworkQoSSpec(5, (EgressRule(1),)))
POD = Pod("shop", "web", {}, "n1", attachments=(Attachment("default", ("10.0.0.1",)),))
TURNS = 20


class Compiling:
    """Rounds without a database, in which `changed` lets one run, and what tells of them."""

    def __init__(self) -> None:
        health, metrics, northbound = Health(), Metrics(), Northbound(Options())
        self.rounds = Rounds(RoundOptions(zone="global"), northbound, metrics.rounds, health, KubernetesWriters())
        self.rounds.inbox.unsynced.clear()
        self.state = DaemonState(self.rounds, northbound, health, metrics.registry, "nqosd")

    async def changed(self, *changes: Change) -> None:
        """Take changes, and wait until a round has ended that took them."""
        before = self.rounds.last
        self.rounds.inbox.changed(list(changes))
        async with asyncio.timeout(30):
            while self.rounds.last is before:  # noqa: ASYNC110 - rounds tell nobody that they have ended
                await asyncio.sleep(0.01)


@pytest.fixture
async def compiling() -> AsyncIterator[Compiling]:
    """Give rounds that run."""
    found = Compiling()
    task = asyncio.create_task(found.rounds.run())
    yield found
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


async def test_what_may_take_long_is_compiled_in_a_thread(
    compiling: Compiling, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A policy is compiled in a thread, and a pod in the event loop; both are known then.

    Of a pod that takes a policy beyond a limit, what follows from that is.
    """
    threads: list[threading.Thread] = []
    real = IncrementalCompiler._rebuild

    def rebuild(compiler: IncrementalCompiler, *arguments: Any) -> Iterator[bool]:  # noqa: ANN401 - as they came
        threads.append(threading.current_thread())
        return real(compiler, *arguments)

    monkeypatch.setattr(IncrementalCompiler, "_rebuild", rebuild)
    compiling.rounds.options = replace(compiling.rounds.options, limits=Limits(members=1))
    others = [
        replace(POD, name="web2", attachments=(Attachment("default", ("10.0.0.2",)),)),
        replace(POD, namespace="x"),
    ]
    await compiling.changed(Change(ResourceKind.NETWORK_QOS, POLICY.key, None, POLICY))
    for pod in (POD, *others):
        await compiling.changed(Change(ResourceKind.POD, pod.key, None, pod))
    assert [each is threading.main_thread() for each in threads] == [False, True, False, True]
    await compiling.changed(*(Change(ResourceKind.POD, pod.key, pod, None) for pod in others))
    assert [each.name for each in await compiling.state.policies()] == ["limit"]
    assert len(await compiling.state.rows()) == 1


async def test_nobody_looks_at_the_compiler_while_a_thread_compiles(compiling: Compiling) -> None:
    """Every list of the state is given only when nothing is being compiled."""
    await compiling.changed(
        Change(ResourceKind.NETWORK_QOS, POLICY.key, None, POLICY), Change(ResourceKind.POD, POD.key, None, POD)
    )
    state = compiling.state
    async with compiling.rounds.compiling:
        lists = [
            asyncio.ensure_future(each)
            for each in (state.policies(), state.selections(), state.rows(), state.networks())
        ]
        for _ in range(TURNS):
            await asyncio.sleep(0)
        assert not any(each.done() for each in lists)
    policies, selections, rows, networks = await asyncio.gather(*lists)
    assert all((policies, selections, rows))
    assert networks == []


async def test_rows_are_put_in_order_piece_by_piece(compiling: Compiling, monkeypatch: pytest.MonkeyPatch) -> None:
    """To sort the rows of very many policies holds up nobody: others have their turn in between."""
    turns, sorted_at = 0, list[int]()
    real_sleep, real_order = asyncio.sleep, inspection._order

    async def sleep(seconds: float) -> None:
        nonlocal turns
        turns += 1
        await real_sleep(seconds)

    def order(row: RowState) -> tuple[str, int, str, str, str]:
        sorted_at.append(turns)
        return real_order(row)

    pods = [replace(POD, name=f"web{each}", node=f"n{each}") for each in (1, 2)]
    specs = [NetworkQoSSpec(each, (EgressRule(1),)) for each in range(20)]
    policies = [attrs.evolve(POLICY, name=f"p{each.priority:02}", spec=each) for each in specs]
    await compiling.changed(
        *(Change(ResourceKind.POD, each.key, None, each) for each in pods),
        *(Change(ResourceKind.NETWORK_QOS, each.key, None, each) for each in policies),
    )
    monkeypatch.setattr(inspection, "PIECE", 5)
    monkeypatch.setattr(inspection, "_order", order)
    monkeypatch.setattr(asyncio, "sleep", sleep)
    found = await compiling.state.rows()
    monkeypatch.undo()
    assert len(found) == len(sorted_at) == 40
    assert found == sorted(found, key=real_order)
    assert max(Counter(sorted_at).values()) <= 10


@pytest.mark.parametrize(("most", "more"), [(1, True), (2, False)])
async def test_rivals_that_are_left_out_are_said(
    compiling: Compiling, monkeypatch: pytest.MonkeyPatch, *, most: int, more: bool
) -> None:
    """All about a policy names the first of the policies that it loses to, and says whether there are more."""
    monkeypatch.setattr("nqosd.daemon.inspection.MOST_RIVALS", most)
    ranked = [attrs.evolve(POLICY, name=f"p{each}", spec=NetworkQoSSpec(each, (EgressRule(1),))) for each in (1, 2, 3)]
    await compiling.changed(
        Change(ResourceKind.POD, POD.key, None, POD),
        *(Change(ResourceKind.NETWORK_QOS, each.key, None, each) for each in ranked),
    )
    found = await compiling.state.policy(ranked[0].key)
    assert found is not None
    assert (len(found.rivals), found.more_rivals) == (most, more)


async def test_who_writes_nothing_holds_nothing_back(compiling: Compiling, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the writer compiles policies of a large namespace one by one: who takes over knows all it has heard of."""
    monkeypatch.setattr("nqosd.northbound.shares.MOST", 0)
    policies = [attrs.evolve(POLICY, name=f"limit-{number}") for number in range(5)]
    for priority in (1, 2):
        now = [attrs.evolve(each, spec=NetworkQoSSpec(priority, (EgressRule(1),))) for each in policies]
        await compiling.changed(
            Change(ResourceKind.POD, POD.key, None, POD),
            *(Change(ResourceKind.NETWORK_QOS, each.key, None, each) for each in now),
        )
        assert compiling.rounds.compiler is not None
        assert compiling.rounds.compiler.weight("shop") > 0
        assert list(compiling.rounds.compiler.tables.policies.values()) == now


async def test_what_waits_for_the_database_is_bounded(compiling: Compiling, monkeypatch: pytest.MonkeyPatch) -> None:
    """While there is none, changes come for days: what is kept to tell how late they were written doesn't grow."""
    monkeypatch.setattr("nqosd.daemon.rounds.MOST_AWAITING", 5)
    await compiling.changed(Change(ResourceKind.NETWORK_QOS, POLICY.key, None, POLICY))
    for number in range(10):
        pod = replace(POD, name=f"web-{number}", attachments=(Attachment("default", (f"10.0.0.{number + 1}",)),))
        await compiling.changed(Change(ResourceKind.POD, pod.key, None, pod, float(number)))
    assert [seen for _namespace, seen in compiling.rounds._awaiting] == [0, 0, 1, 2, 3]
