"""A defect of ours in a round, made by patching the compiler: no object is known that causes one."""

import asyncio
import contextlib

import pytest

from nqosd.api.changes import Change, ResourceKind
from nqosd.api.networkqos import EgressRule, NetworkQoS, NetworkQoSSpec
from nqosd.compiler.incremental import IncrementalCompiler
from nqosd.daemon.publisher import KubernetesWriters
from nqosd.daemon.rounds import RoundOptions, Rounds
from nqosd.northbound.northbound import Northbound
from nqosd.ovsdb.connection_options import Options
from nqosd.telemetry.health import Health
from nqosd.telemetry.metrics import Metrics

POLICY = NetworkQoS("shop", "limit", spec=NetworkQoSSpec(5, (EgressRule(1),)))


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
    health, northbound = Health(), Northbound(Options())
    rounds = Rounds(RoundOptions(zone="global"), northbound, Metrics().rounds, health, KubernetesWriters())
    rounds.inbox.unsynced.clear()

    def fail(*_arguments: object) -> None:
        raise ValueError("a defect")

    monkeypatch.setattr(IncrementalCompiler, "_recontext", fail)
    task = asyncio.create_task(rounds.run())
    health.supervise("rounds", task)
    rounds.inbox.changed([Change(ResourceKind.NETWORK_QOS, "shop/limit", None, POLICY)])
    await until("failed", rounds, health)
    assert "a defect" in rounds.convergence.why
    monkeypatch.undo()
    await until("compiled", rounds, health)
    assert rounds.compiler is not None
    assert rounds.compiler.report("shop/limit") is not None
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
