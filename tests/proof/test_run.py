"""The long run finds differences, makes them small, writes them down and counts what it compares."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.oracle.decoded import sequence
from tests.proof import run
from tests.proof.agreement import Outcome
from tests.proof.breaking import break_by
from tests.proof.mutations import MUTATIONS
from tests.proof.rarities import rarities
from tests.proof.run import Batch, first_difference, run_batch, run_scenario
from tests.proof.scenarios import from_text, scenarios
from tools.prove.__main__ import main

pytestmark = pytest.mark.long

CLUSTERS = 60
SEED = "run"


@pytest.fixture(autouse=True, scope="module")
def _small_batches() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(run, "CLUSTERS_A_BATCH", CLUSTERS)
        yield


@pytest.fixture(scope="module")
def found() -> Batch:
    """What a batch finds while the compiler drops exceptions; it is mended afterwards."""
    with pytest.MonkeyPatch.context() as patch:
        break_by(MUTATIONS["except dropped"], patch)
        return run_batch(SEED)


def test_one_seed_gives_one_batch() -> None:
    """The same seed gives the same clusters, and another one gives others."""
    one, same, other = (scenarios(20, seed) for seed in ("a", "a", "b"))
    assert one == same
    assert one != other


def test_what_is_compared_is_counted() -> None:
    """Without a difference every packet has an outcome, and counts for each policy of its cluster."""
    batch = run_batch(SEED)
    assert batch.findings == ()
    tally = batch.tally
    assert 0 < tally.clusters <= CLUSTERS
    for series in ("23.03", "25.03"):
        outcomes = {outcome: tally.outcomes[series, outcome] for outcome in Outcome}
        assert outcomes[Outcome.DIFFERENT] == 0
        assert min(outcomes[Outcome.RULE], outcomes[Outcome.NO_RULE]) > 100
        assert tally.cases[series] >= outcomes[Outcome.RULE] + outcomes[Outcome.NO_RULE]


def test_a_difference_is_made_small(found: Batch) -> None:
    """A scenario that shows a difference is left with the one rule that it is about."""
    assert found.findings
    for finding in found.findings:
        scenario, packet, _seed = from_text(finding.text)
        (policy,) = scenario.objects["NetworkQoS"]
        (rule,) = sequence(policy, "spec", "egress")
        assert "except" in str(rule)
        assert packet
        assert "deserves" in finding.message


def test_a_difference_can_be_seen_again(found: Batch, monkeypatch: pytest.MonkeyPatch) -> None:
    """A scenario that was written down differs again as long as the compiler is broken, and no longer then."""
    scenario, packet, seed = from_text(found.findings[0].text)
    assert first_difference(scenario, seed, packet) is None
    break_by(MUTATIONS["except dropped"], monkeypatch)
    assert first_difference(scenario, seed, packet) is not None


def test_replay(found: Batch, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The command exits with 1 as long as a scenario that it is given differs, and with 0 then."""
    file = tmp_path / "difference.json"
    file.write_text(found.findings[0].text)
    monkeypatch.setattr("sys.argv", ["proof", "--replay", str(file)])
    assert main() == 0
    break_by(MUTATIONS["except dropped"], monkeypatch)
    assert main() == 1


def test_an_error_of_the_compiler_is_a_difference(monkeypatch: pytest.MonkeyPatch) -> None:
    """A compiler that raises is found too, with the scenario."""

    def fail(*_arguments: object) -> object:
        raise ZeroDivisionError

    monkeypatch.setattr("nqosd.compiler.definition.build_unit", fail)
    _tally, findings = run_scenario(rarities()[0], SEED)
    assert [finding.message for finding in findings] == ["ZeroDivisionError()"]
