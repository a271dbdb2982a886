"""A compiler that is wrong in any one way is caught."""

import attrs
import pytest

from nqosd.compiler import matching
from tests.oracle.ovn_match import MatchSyntaxError
from tests.oracle.probes import Send
from tests.proof.agreement import Case
from tests.proof.breaking import break_by
from tests.proof.mutations import MUTATIONS
from tests.proof.rarities import rarities
from tests.proof.scenarios import packets, scenarios

pytestmark = pytest.mark.long

CLUSTERS = 200
PACKETS = 100
SEED = "mutations"


@attrs.frozen
class Sample:
    """A case of the unbroken compiler, with packets."""

    case: Case
    sends: tuple[Send, ...]

    def gives_away(self) -> bool:
        """Compile again, by whatever the compiler is now, and say whether anything differs."""
        try:
            return bool(self.case.recompiled().compare(self.sends).different)
        except MatchSyntaxError:
            return True


@pytest.fixture(scope="module")
def corpus() -> list[Sample]:
    """The same scenarios and packets each time."""
    generated = [scenario for versions in scenarios(CLUSTERS, SEED) for scenario in versions]
    cases = [Case.of(scenario) for scenario in (*rarities(), *generated)]
    return [Sample(case, tuple(packets(case.scenario, case.oracle, PACKETS, SEED))) for case in cases]


def test_the_unbroken_compiler_is_right(corpus: list[Sample]) -> None:
    """Without a mutation nothing differs in the whole corpus."""
    assert not any(sample.gives_away() for sample in corpus)


@pytest.mark.parametrize("longest", [0, 1 << 20])
def test_prefixes_mean_the_same_in_a_set(corpus: list[Sample], monkeypatch: pytest.MonkeyPatch, longest: int) -> None:
    """Whether every list of prefixes stands in a set, or none, nothing differs."""
    monkeypatch.setattr(matching, "LONGEST_LIST", longest)
    assert not any(sample.gives_away() for sample in corpus)


@pytest.mark.parametrize("name", MUTATIONS)
def test_a_broken_compiler_is_caught(corpus: list[Sample], monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Each mutation of the compiler shows in some scenario of the corpus."""
    break_by(MUTATIONS[name], monkeypatch)
    assert any(sample.gives_away() for sample in corpus)
