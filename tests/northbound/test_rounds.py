"""Rounds end where a plan of everything ends, whatever happens meanwhile. The server is a model; faults are exact."""

import asyncio
from collections.abc import Callable, Iterator, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nqosd.compiler.desired import Desired
from nqosd.northbound import idle_groups, shares, timers
from nqosd.northbound.commit import Commit
from nqosd.northbound.plan.operations import Operation
from nqosd.northbound.results import RoundOutcome
from tests.examples import examples
from tests.northbound.database import ModelDatabase
from tests.northbound.desires import desired_states
from tests.northbound.edits import Edit, edits
from tests.northbound.rounds import Rounds
from tests.northbound.worlds import contents_of, databases, expected_contents


@pytest.fixture(autouse=True, scope="module")
def impatience() -> Iterator[None]:
    """Let another attempt follow a failed one at once."""
    before = timers.FIRST_RETRY, idle_groups.PAUSE
    timers.FIRST_RETRY = idle_groups.PAUSE = 0.0
    yield
    timers.FIRST_RETRY, idle_groups.PAUSE = before


FAULTS = ("refused", "lost before", "lost after", "edited before", "edited after", "lock lost")


def fault(rounds: Rounds, what: str, edit: Edit) -> Callable[[Sequence[Operation]], Commit]:
    """Return a commit that goes wrong in some way."""

    def commit(operations: Sequence[Operation]) -> Commit:
        if what == "refused":
            return Commit(RoundOutcome.REFUSED, "no luck")
        if what == "edited before":
            edit.apply(rounds.database)
            rounds.tell()
        answer = Commit(RoundOutcome.REFUSED) if what == "lost before" else rounds.driver.commit(operations)
        rounds.tell()
        if what == "edited after":
            edit.apply(rounds.database)
            rounds.tell()
        if what in {"lost before", "lost after"}:
            rounds.reconciler.doubt()
            rounds.database.refill()
            rounds.tell()
            return Commit(RoundOutcome.DISCONNECTED)
        if what == "lock lost":
            rounds.reconciler.doubt()
            return Commit(RoundOutcome.LOST_LOCK)
        return answer

    return commit


STEPS = st.one_of(
    desired_states(),
    st.lists(edits(), min_size=1, max_size=2),
    st.tuples(st.sampled_from(FAULTS), edits()),
    st.sampled_from(["wait", "hurry"]),
)


@settings(max_examples=examples(200))
@given(databases(), st.lists(STEPS, max_size=8), st.booleans(), st.sampled_from([1, 3, shares.MOST]))
def test_rounds_end_where_they_should(
    database: ModelDatabase,
    steps: list[object],
    detach: bool,  # noqa: FBT001
    most: int,
) -> None:
    """After any sequence of deltas, edits by others and faults the database holds what is desired, and rounds stop.

    That is so in one transaction and in many shares.
    """

    async def scenario() -> None:
        rounds = Rounds(database, detach_after=0.0 if detach else 3600.0)
        foreign = None
        for step in steps:
            if isinstance(step, Desired):
                await rounds.round(step)
            elif isinstance(step, tuple):
                rounds.driver.faults.append(fault(rounds, *step))
            elif isinstance(step, list):
                for edit in step:
                    edit.apply(database)
                rounds.tell()
            else:
                rounds.may_wait = (lambda _key: True) if step == "wait" else (lambda _key: False)
        await rounds.settle()
        rounds.driver.faults.clear()
        rounds.may_wait = lambda _key: False
        foreign = database.foreign()
        idle_rows = {key.policy for key in contents_of(database).rows if key not in rounds.desired.rows}
        for key in idle_rows:
            check_harmless(rounds, key)
        rounds.expire()
        await rounds.round(policies=idle_rows)
        await rounds.settle()
        assert contents_of(database) == expected_contents(database, rounds.desired)
        assert database.foreign() == foreign
        assert (await rounds.round()).outcome is RoundOutcome.UNCHANGED
        rounds.reconciler.doubt()
        assert (await rounds.round()).outcome is RoundOutcome.UNCHANGED
        rounds.reconciler.close()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(shares, "MOST", most)
        asyncio.run(scenario())


def check_harmless(rounds: Rounds, policy: str) -> None:
    """Assert that the rows of a policy that linger have nobody who sends."""
    replica = rounds.database.replica
    for key in replica.rows.known_keys():
        for row in replica.rows.get(key) if key.policy == policy and key not in rounds.desired.rows else ():
            assert row.sources
            for name in row.sources:
                stored = replica.address_sets.get(name) or replica.port_groups.get(name)
                assert stored is None or not stored.members
