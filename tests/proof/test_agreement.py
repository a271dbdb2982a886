"""The compiler and the oracle agree about every packet."""

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.examples import examples
from tests.oracle.cluster_strategies import Manifest
from tests.oracle.strategies import Settings as Options
from tests.oracle.strategies import clusters
from tests.oracle.strategies import settings as options
from tests.proof.agreement import Case
from tests.proof.rarities import rarities
from tests.proof.scenarios import VERSIONS, Scenario, packets

PACKETS = 100


@given(clusters(), options(), st.integers(0, 999))
@settings(max_examples=examples(300), deadline=None, derandomize=True, database=None)
def test_every_packet_takes_its_rule(objects: dict[str, list[Manifest]], option: Options, seed: int) -> None:
    """For any cluster and any packet the rows do what the policies mean, on both generations of OVN."""
    for version in VERSIONS:
        scenario = Scenario(objects, option, version)
        case = Case.of(scenario)
        assert case.compare(packets(scenario, case.oracle, PACKETS, str(seed))).different == ()


def test_what_is_rare_takes_its_rule() -> None:
    """So it is where something matters that generated clusters hold seldom, such as who owns a definition."""
    for scenario in rarities():
        case = Case.of(scenario)
        assert case.compare(packets(scenario, case.oracle, PACKETS, "rarities")).different == ()
