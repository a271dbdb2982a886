"""Unhealthy is what a restart would mend; not ready is what is awaited."""

import asyncio

from nqosd.telemetry.health import Health, LockRole, Readiness


class FakeClock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        """Read it."""
        return self.now


def test_a_new_daemon_is_healthy_and_ready_for_nothing_less() -> None:
    """Without anything to wait for there is nothing wrong."""
    assert Health().problems() == ()
    assert Health().readiness() == Readiness(LockRole.UNKNOWN, {})


def test_what_is_awaited_makes_it_not_ready() -> None:
    """A part that is missing is named with its reason until it is there; the daemon is healthy all the while."""
    health = Health()
    health.wait_for("northbound", "not connected to unix:/x")
    health.wait_for("Pod", "not listed yet")
    health.has("Pod")
    assert health.readiness() == Readiness(LockRole.UNKNOWN, {"northbound": "not connected to unix:/x"})
    assert not health.readiness().ready
    assert health.problems() == ()
    health.has("northbound")
    health.has("northbound")
    assert health.readiness().ready


def test_a_standby_is_ready() -> None:
    """A daemon that doesn't hold the lock is ready, and says what it is."""
    health = Health()
    health.role = LockRole.STANDBY
    assert health.readiness() == Readiness(LockRole.STANDBY, {})
    assert health.readiness().ready


def test_a_round_that_never_ends_is_a_problem() -> None:
    """A round is given its time; beyond it the daemon is stuck, until the round ends after all."""
    clock = FakeClock()
    health = Health(stuck_after=60, clock=clock)
    health.round_began()
    clock.now = 60.0
    assert health.problems() == ()
    clock.now = 61.0
    assert health.problems() == ("a round has been running for 61 seconds",)
    assert health.readiness().waiting_for == {"health": "a round has been running for 61 seconds"}
    health.round_ended()
    assert health.problems() == ()


def test_a_round_may_wait_for_its_transaction() -> None:
    """However long a transaction may take by the configuration, waiting for it isn't being stuck."""
    clock = FakeClock()
    health = Health(stuck_after=60, clock=clock)
    health.transaction_timeout = 3600.0
    health.round_began()
    clock.now = 3660.0
    assert health.problems() == ()
    clock.now = 3661.0
    assert health.problems() == ("a round has been running for 3661 seconds",)


def test_who_is_asked_may_say_that_it_is_stuck() -> None:
    """A part that is asked is fine as long as it answers nothing."""
    health, answers = Health(), [None, "the connection is stuck"]
    health.ask(lambda: answers.pop(0))
    assert health.problems() == ()
    assert health.problems() == ("the connection is stuck",)


async def test_a_task_that_has_ended_is_a_problem() -> None:
    """A supervised task may not end: not with an error, not by cancelling, not by returning."""

    async def fails() -> None:
        raise ValueError("no such row")

    async def waits() -> None:
        await asyncio.Event().wait()

    async def returns() -> None:
        return

    health = Health()
    tasks = {"rounds": asyncio.create_task(fails()), "watch": asyncio.create_task(waits())}
    tasks |= {"status": asyncio.create_task(returns()), "lag": asyncio.create_task(waits())}
    for name, task in tasks.items():
        health.supervise(name, task)
    assert health.problems() == ()
    tasks["watch"].cancel()
    await asyncio.wait([tasks["rounds"], tasks["watch"], tasks["status"]])
    assert health.problems() == (
        "the task rounds has ended: ValueError: no such row",
        "the task watch has ended: cancelled",
        "the task status has ended",
    )
    assert not health.readiness().ready
    tasks["lag"].cancel()
    await asyncio.wait([tasks["lag"]])
