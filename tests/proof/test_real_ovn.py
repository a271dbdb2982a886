"""Real OVN agrees with the oracle about compiled rows, and would say so if it didn't."""

from collections.abc import Callable, Mapping

import attrs
import pytest

from nqosd.commands.compiled_document import CompiledDocument, QosEntry
from tests.proof.ovn_sample import batches, judge
from tests.proof.ovn_trial import Trial
from tests.services.generation import OvnGeneration, every_generation
from tools.bench.flows import dual_stack, flows

ROWS = 200
FLOWS = 1500
SEED = "ovn"


@every_generation
def test_real_ovn_agrees(ovn_generation: OvnGeneration) -> None:
    """Every row of a sample parses and becomes flows, and traced packets take the rules that the oracle names."""
    trial = judge(ovn_generation, ROWS, SEED)
    seen = trial.seen
    assert trial.findings == []
    assert seen.rows >= ROWS
    assert seen.rows_with_flows + seen.rows_without_packets == seen.rows
    assert 0 < seen.rows_without_packets < seen.rows / 5
    assert seen.rows_with_flows < seen.packets
    assert seen.packets_with_a_rule > seen.packets / 2
    assert seen.returned_packets > 0


@every_generation
def test_exceptions_of_two_families_stay_cheap(ovn_generation: OvnGeneration) -> None:
    """A limit with exceptions for 200 senders of both families takes some hundred flows on a chassis, not thousands."""
    assert 400 < flows(ovn_generation, dual_stack(200)) <= FLOWS


def _reversed(row: QosEntry) -> QosEntry:
    return {**row, "priority": 30000 - row["priority"]}


def _unmarked(row: QosEntry) -> QosEntry:
    return {**row, "action": {"dscp": row["action"]["dscp"] ^ 1}}


def _refused(row: QosEntry) -> QosEntry:
    return {**row, "match": f"{row['match']} && "}


def _rows(change: Callable[[QosEntry], QosEntry]) -> Callable[[CompiledDocument], CompiledDocument]:
    return lambda compiled: {**compiled, "qos": [change(row) if row["action"] else row for row in compiled["qos"]]}


def _without_members(compiled: CompiledDocument) -> CompiledDocument:
    return {**compiled, "address_sets": [{**each, "addresses": []} for each in compiled["address_sets"]]}


BROKEN: Mapping[str, tuple[Callable[[CompiledDocument], CompiledDocument], str]] = {
    "priorities reversed": (_rows(_reversed), "takes the row of"),
    "another mark": (_rows(_unmarked), "gets marks"),
    "matches that OVN refuses": (_rows(_refused), "error parsing match"),
    "sets without members": (_without_members, "no flow for"),
}
"""What is changed between compiling and loading, and how the finding reads."""


@pytest.mark.parametrize("name", BROKEN)
@every_generation
def test_real_ovn_finds_wrong_rows(ovn_generation: OvnGeneration, name: str) -> None:
    """What was changed after it was compiled is found, by an error, by missing flows, or by what packets meet."""
    change, finding = BROKEN[name]
    cases = next(batches(ovn_generation, SEED))
    trial = Trial(ovn_generation)
    trial.run([attrs.evolve(case, compiled=change(case.compiled)) for case in cases], SEED)
    assert any(finding in found for found in trial.findings)
