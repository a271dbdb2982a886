"""How often a status is written again that somebody else changes."""

import itertools

import pytest

from nqosd.status.entry import PolicyStatus
from nqosd.status.job import AT_ONCE, LAST_PAUSE, LAST_TURN, PACE, SOON, Job
from tests.status.policies import WAITING, policy, verdict

NOW = "2026-11-24T12:00:00Z"
HOUR = 3600.0


def written(job: Job, moment: float) -> tuple[float, bool]:
    """Write what the object doesn't say, as soon as it may be; give when that was, and whether it had been undone."""
    write = job.entry.write(NOW, moment)
    assert write is not None
    moment = max(moment, job.may_write(write))
    return moment, job.accepted(write, moment)


@pytest.mark.parametrize("delay", [0.0, 1.0, 9.0])
def test_who_undoes_each_write_gets_few(delay: float) -> None:
    """Somebody who empties a status after each write costs a few writes at once, and then one a minute."""
    job = Job(PolicyStatus(policy(), verdict()))
    moments: list[float] = []
    moment = 0.0
    while moment < HOUR and len(moments) < HOUR:
        moment, undone = written(job, moment + delay)
        assert undone == bool(moments)
        moments.append(moment)
    assert job.is_contested(moment)
    pauses = [later - before for before, later in itertools.pairwise(moments)]
    assert pauses[: AT_ONCE - 1] == [delay] * (AT_ONCE - 1)
    assert pauses[-1] == LAST_PAUSE
    assert len(moments) < AT_ONCE + 10 + HOUR / LAST_PAUSE


def test_what_turns_is_written_at_once_all_the_same() -> None:
    """Another verdict waits for nothing that was undone, and is then nobody's to undo yet."""
    job = Job(PolicyStatus(policy(), verdict()))
    for _ in range(AT_ONCE + 5):
        moment, _undone = written(job, job.written + 1.0 if job.said else 0.0)
    job.entry.verdict = WAITING
    assert written(job, moment + 1.0) == (moment + 1.0, False)
    assert not job.is_contested(moment + 1.0)


def test_what_comes_late_has_undone_nothing() -> None:
    """A change long after a write is put right at once, and nobody is said to contest it, however often it comes."""
    job = Job(PolicyStatus(policy(), verdict()))
    moment = 0.0
    for _ in range(AT_ONCE * 3):
        assert written(job, moment) == (moment, False)
        assert not job.is_contested(moment)
        moment += PACE + SOON


def test_a_contest_ends() -> None:
    """Nobody is said to contest a status that has stood for longer than the last pause."""
    job = Job(PolicyStatus(policy(), verdict()))
    moment = 0.0
    for _ in range(30):
        moment, _undone = written(job, moment)
    assert job.is_contested(moment + LAST_PAUSE)
    assert not job.is_contested(moment + LAST_PAUSE + SOON)


def turned(job: Job, moment: float) -> float:
    """Let the policy stand otherwise than was said last, and write that as soon as it may be; give when that was."""
    job.entry.verdict = verdict() if job.said == WAITING else WAITING
    write = job.entry.write(NOW, moment)
    assert write is not None
    moment = max(moment, job.may_write(write))
    job.accepted(write, moment)
    return moment


def test_what_turns_again_and_again_is_written_ever_more_slowly() -> None:
    """A pod that comes and goes turns a thousand policies each time: of each few writes at once, and then two a minute.

    What is quiet for a while is written at once again.
    """
    job = Job(PolicyStatus(policy(), verdict()))
    moments = [0.0]
    while moments[-1] < HOUR and len(moments) < HOUR:
        moments.append(turned(job, moments[-1] + 0.1))
    assert not job.is_contested(moments[-1])
    pauses = [later - before for before, later in itertools.pairwise(moments)]
    assert pauses[1:AT_ONCE] == pytest.approx([0.1] * (AT_ONCE - 1))
    assert pauses[-1] == LAST_TURN
    assert len(moments) < AT_ONCE + 10 + HOUR / LAST_TURN
    moment = moments[-1] + LAST_PAUSE + SOON
    assert turned(job, moment) == moment
    assert turned(job, moment + 0.1) == moment + 0.1


def test_who_changes_a_policy_reads_at_once_what_comes_of_it() -> None:
    """However often it turned before, another generation waits for nothing."""
    job = Job(PolicyStatus(policy(), verdict()))
    for _ in range(20):
        moment = turned(job, job.written + 0.1 if job.said else 0.0)
    job.entry.policy = policy(generation=2)
    job.entry.verdict = verdict(generation=2)
    write = job.entry.write(NOW, moment)
    assert write is not None
    assert job.may_write(write) <= moment
