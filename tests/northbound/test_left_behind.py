"""Nothing wrong stays unseen: edits by hand in any order, while rows wait. The server is a model."""

import asyncio
from collections.abc import Iterable, Iterator
from typing import cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from nqosd.compiler.desired import Desired, PortGroup, QosRow, RowKey
from nqosd.northbound import idle_groups, round_planner, shares, timers
from nqosd.northbound.plan.operations import SetName, Subject, SwitchName
from tests.examples import examples
from tests.northbound.database import ModelDatabase
from tests.northbound.desires import ADDRESSES, GROUPS, PORTS, SETS, SWITCHES, address_set, desired, key, row
from tests.northbound.edits import Add
from tests.northbound.hand_edits import HandEdit, hand_edits
from tests.northbound.rounds import Rounds
from tests.northbound.worlds import contents_of, expected_contents


@pytest.fixture(autouse=True, scope="module")
def impatience() -> Iterator[None]:
    """Let another attempt follow a failed one at once, and every round give way to others between its steps."""
    before = timers.FIRST_RETRY, idle_groups.PAUSE, round_planner._LIGHT
    timers.FIRST_RETRY, idle_groups.PAUSE, round_planner._LIGHT = 0.0, 0.0, -1
    yield
    timers.FIRST_RETRY, idle_groups.PAUSE, round_planner._LIGHT = before


ROWS = (
    row(key("games/video")),
    row(key("games/video", 1), others=["set_c"]),
    row(key("games/voice", switch="node2"), source="set_b", others=["set_c"]),
    row(key("games/other", switch="node2"), source="set_a"),
    row(key("games/cameras"), source="group_a"),
    row(key("games/third", switch="node3"), source="set_d"),
)
"""Of these some are desired; a set is desired as long as a row uses it, as the compiler has it."""


def state_of(rows: Iterable[QosRow]) -> Desired:
    """Say what is desired where these rows are."""
    rows = list(rows)
    names = {name for each in rows for name in each.sets}
    sets = [address_set(name, address) for name, address in zip(SETS, ADDRESSES, strict=True) if name in names]
    groups = [PortGroup(name, "ports", set(PORTS[:2])) for name in GROUPS if name in names]
    return desired(rows, sets, groups)


@st.composite
def beginnings(draw: st.DrawFn) -> ModelDatabase:
    """Draw a database with two switches, and ports."""
    database = ModelDatabase()
    for name in SWITCHES[:2]:
        database.add("Logical_Switch", name=name)
    for name in PORTS[: draw(st.integers(0, 2))]:
        database.add("Logical_Switch_Port", name=name)
    return database


class World:
    """A daemon, which may be another one after each step, and its database."""

    def __init__(self, database: ModelDatabase) -> None:
        self.database = database
        self.rounds = Rounds(database)

    def restart(self) -> None:
        """Start another daemon that knows the same of Kubernetes."""
        before = self.rounds
        before.reconciler.close()
        self.database.replica.take_changes()
        self.rounds = Rounds(self.database)
        self.rounds.desired, self.rounds.may_wait = before.desired, before.may_wait

    async def take(self, step: object) -> None:
        """Take one step: a row comes or goes, edits, one in so many turns of the event loop, a refusal, or a word."""
        if isinstance(step, QosRow):
            had = self.rounds.desired.rows
            await self.rounds.round(state_of(each for each in ROWS if (each.key in had) != (each == step)))
        elif isinstance(step, list):
            for edit in step:
                edit.apply(self.database)
            self.rounds.tell()
        elif isinstance(step, tuple):
            self.later(*step)
        elif isinstance(step, str):
            await self.do(step)
        else:
            self.rounds.driver.refused.add(cast("Subject", step))

    async def do(self, what: str) -> None:
        """Do what a word says."""
        rounds = self.rounds
        match what:
            case "settle":
                await self.settle()
            case "wait" | "stop waiting":
                rounds.may_wait = lambda _key: what == "wait"
                await rounds.round(policies={key.policy for key in self.database.replica.rows.known_keys()})
            case "restart":
                self.restart()
            case "stand by":
                rounds.driver.idl.holds_lock = False
                await rounds.round()
                rounds.driver.idl.holds_lock = True
                rounds.woken.set()
            case "lose the connection":
                rounds.reconciler.doubt()
                self.database.refill()
                rounds.tell()
                rounds.woken.set()
            case "accept":
                await self.accept()

    def later(self, turns: int, edit: HandEdit | Add) -> None:
        """Let an edit come after so many turns of the event loop."""
        if turns:
            asyncio.get_running_loop().call_soon(self.later, turns - 1, edit)
        else:
            edit.apply(self.database)
            self.rounds.tell()

    async def settle(self) -> None:
        """Let what is to come come, run rounds until there is no need for one, and leave what is of others alone."""
        for _ in range(MOST_TURNS + 1):
            await asyncio.sleep(0)
        foreign = self.database.foreign()
        await self.rounds.settle()
        assert self.database.foreign() == foreign

    async def accept(self) -> None:
        """Let the server refuse nothing any more, and let all be tried again."""
        for _ in range(3):
            self.rounds.driver.refused.clear()
            self.rounds.expire()
            held = self.rounds.reconciler._contested._known
            for subject, contest in held.items():
                held[subject] = replace(contest, written=-1e6)
            self.rounds.woken.set()
            await self.settle()

    def check(self) -> None:
        """Assert that all is as desired, but for rows that do nothing and their sets."""
        found, expected = contents_of(self.database), expected_contents(self.database, self.rounds.desired)
        idle = found.rows.keys() - expected.rows.keys()
        kept = {name for key in idle for name in self._check_idle(key)}
        assert {key: found.rows[key] for key in found.rows.keys() - idle} == expected.rows
        sets = {name: each for name, each in found.address_sets.items() if name in expected.address_sets}
        assert sets == expected.address_sets
        assert found.address_sets.keys() - sets.keys() <= kept
        assert found.port_groups == expected.port_groups
        assert not self.database.replica.rows.unreadable()

    def _check_idle(self, key: RowKey) -> Iterable[str]:
        """Assert that a row that isn't desired may be there, and does nothing; return the sets that it names."""
        assert self.rounds.may_wait(key)
        view = self.database.replica
        (stored,) = view.rows.get(key)
        assert " || " not in stored.match, f"{key} does {stored.match}"
        for name in stored.references:
            address_set = view.address_sets.get(name)
            assert address_set is not None, f"{key}: {name} isn't there"
            assert name not in stored.sources or not address_set.members, f"{key} acts for {address_set.members}"
        return stored.references


MOST_TURNS = 12
SUBJECTS = st.one_of(
    st.sampled_from([each.key for each in ROWS]),
    st.sampled_from(SETS + GROUPS).map(SetName),
    st.sampled_from(SWITCHES).map(SwitchName),
)
STEPS = st.one_of(
    st.sampled_from(ROWS),
    st.sampled_from(ROWS),
    st.lists(hand_edits(), min_size=1, max_size=2),
    st.tuples(st.integers(0, MOST_TURNS), hand_edits()),
    SUBJECTS,
    st.sampled_from(
        ["settle", "settle", "wait", "stop waiting", "restart", "stand by", "lose the connection", "accept"]
    ),
)


@settings(max_examples=examples(300))
@given(
    beginnings(),
    st.sets(st.sampled_from(ROWS), min_size=1),
    st.lists(STEPS, max_size=10),
    st.booleans(),
    st.sampled_from([1, shares.MOST]),
)
def test_nothing_wrong_stays_unseen(
    database: ModelDatabase,
    first: set[QosRow],
    steps: list[object],
    settles: bool,  # noqa: FBT001
    most: int,
) -> None:
    """When rounds stop, each row is as desired or does nothing, whoever did what by hand, refused or waited before."""

    async def scenario() -> None:
        world = World(database)
        world.rounds.may_wait = lambda _key: True
        await world.rounds.round(state_of(first))
        for step in steps:
            await world.take(step)
            if settles:
                await world.settle()
        await world.settle()
        await world.accept()
        world.check()
        world.rounds.reconciler.close()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(shares, "MOST", most)
        patch.setattr(Rounds, "_check", lambda _rounds, _result: None)  # edits come between a plan and its result
        asyncio.run(scenario())
