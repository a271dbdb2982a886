"""What counts as somebody else's change to our rows, and what doesn't. The server is a model."""

import asyncio
from collections.abc import Sequence
from functools import partial

import attrs
from hypothesis import example, given, settings
from hypothesis import strategies as st

from nqosd.compiler.desired import Desired, PortGroup
from nqosd.northbound.commit import Commit
from nqosd.northbound.plan.operations import Operation
from tests.examples import examples
from tests.northbound.database import ModelDatabase
from tests.northbound.desires import PORTS, SWITCHES, address_set, desired, desired_states, key, row
from tests.northbound.edits import Add, Change, Edit, Remove
from tests.northbound.rounds import Rounds

PICKS = st.integers(0, 5)
CHURN: st.SearchStrategy[Edit] = st.one_of(
    st.builds(Add, st.just("Logical_Switch_Port"), st.sampled_from(PORTS)),
    st.builds(Remove, st.just("Logical_Switch_Port"), PICKS),
    st.builds(Add, st.just("Logical_Switch"), st.sampled_from(SWITCHES)),
    st.builds(Remove, st.just("Logical_Switch"), PICKS),
    st.builds(Change, st.just(0), PICKS, st.sampled_from(SWITCHES)),
)
"""What ovn-kubernetes does all the time: ports and switches come, go, and switches are renamed."""


@attrs.frozen
class Meanwhile:
    """Changes right before the next transaction is executed, and right after it."""

    before: list[Edit]
    after: list[Edit]


EDITS = st.lists(CHURN, min_size=1, max_size=3)
STEPS = st.one_of(
    desired_states(),
    EDITS,
    st.builds(Meanwhile, EDITS, EDITS),
    st.sampled_from(["audit", "takeover", "linger", "leave"]),
)


PORT = "Logical_Switch_Port"
GROUP = PortGroup("group_b", "ports", {"ns_pod1"})
LOSES_ITS_PORT: list[object] = [
    desired(groups=[GROUP]),
    [Add(PORT, "ns_pod1")],
    Meanwhile([Remove(PORT, 0)], [Add(PORT, "ns_pod2")]),
    desired([row(key(switch="node1"), source="group_b")], groups=[GROUP]),
    "audit",
]
"""A row is inserted while the only port of its group goes."""

LOSES_AN_IDLE_ROW: list[object] = [
    "linger",
    desired([row(key(), source="set_b", rate=None)], [address_set("set_b", "10.0.0.1"), address_set("set_a")]),
    Meanwhile([Add(PORT, "ns_pod1")], [Add("Logical_Switch", "node3")]),
    desired([row(key(switch="node3"), rate=None)], [address_set("set_a")]),
    [Add(PORT, "ns_pod2")],
]
"""A row stays idle, and goes with the switch that comes right after that."""

LOSES_ITS_SWITCH: list[object] = [
    desired([row(key(switch=name), rate=None) for name in ("node1", "node2")], [address_set("set_a")]),
    Meanwhile([Add(PORT, "ns_pod1")], [Add("Logical_Switch", "node1")]),
    [Change(0, 0, "node2")],
]
"""A switch is renamed, and one of its old name comes right after its rows have gone."""


@settings(max_examples=examples(300))
@given(st.lists(STEPS, max_size=10))
@example(LOSES_ITS_PORT)
@example(LOSES_AN_IDLE_ROW)
@example(LOSES_ITS_SWITCH)
def test_what_ovn_kubernetes_does_is_no_edit(steps: list[object]) -> None:
    """Ports and switches come and go before, during and after transactions, audits, takeovers: nothing is repaired."""
    asyncio.run(_run(steps))


async def _run(steps: list[object]) -> None:
    database = ModelDatabase()
    for name in SWITCHES[:2]:
        database.add("Logical_Switch", name=name)
    rounds = Rounds(database)
    await rounds.round()
    for step in steps:
        match step:
            case Desired():
                await rounds.round(step)
            case list():
                _apply(rounds, step)
            case Meanwhile():
                rounds.driver.faults.append(partial(_commit, rounds, step))
            case "audit":
                rounds.reconciler._compared = -1e9
                await rounds.round()
            case "takeover":
                rounds.reconciler.doubt()
            case _:
                rounds.may_wait = (lambda _key: True) if step == "linger" else (lambda _key: False)
        await rounds.settle()
    assert [result.repaired for result in rounds.results if result.repaired] == []
    rounds.reconciler.close()


def _commit(rounds: Rounds, meanwhile: Meanwhile, operations: Sequence[Operation]) -> Commit:
    """Commit while others change something, each change seen by itself."""
    _apply(rounds, meanwhile.before)
    answer = rounds.driver.commit(operations)
    rounds.tell()
    _apply(rounds, meanwhile.after)
    return answer


def _apply(rounds: Rounds, edits: list[Edit]) -> None:
    for edit in edits:
        edit.apply(rounds.database)
        rounds.tell()
