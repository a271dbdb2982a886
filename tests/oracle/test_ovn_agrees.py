"""The match evaluator against OVN itself."""

from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.oracle.judge import MATCHES_AT_ONCE, Judge
from tests.oracle.match_strategies import ADDRESS_SETS, PORT_GROUPS, PORTS, matches, packets
from tests.oracle.match_symbols import Test
from tests.oracle.match_tokens import MatchSyntaxError, StricterError
from tests.oracle.ovn_match import define, parse
from tests.oracle.packet import Packet
from tests.services.generation import GENERATIONS

DEFINITIONS = define(ADDRESS_SETS, PORT_GROUPS)


@pytest.fixture(scope="module", params=GENERATIONS, ids=lambda generation: generation.series)
def judge(request: pytest.FixtureRequest) -> Iterator[Judge]:
    """A judge of each generation of OVN."""
    with Judge(request.param) as started:
        yield started


def bound(match: str) -> Test | MatchSyntaxError:
    """The evaluator's test of packets, or why it refuses a match."""
    try:
        return parse(match).bind(DEFINITIONS)
    except MatchSyntaxError as error:
        return error


@given(
    texts=st.lists(matches(), min_size=1, max_size=MATCHES_AT_ONCE, unique=True),
    sent=st.lists(packets(), min_size=1, max_size=6),
)
@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
def test_evaluator_and_ovn_read_matches_alike(judge: Judge, texts: list[str], sent: list[Packet]) -> None:
    """The evaluator refuses what OVN refuses, and finds that the same packets match."""
    judge.load(texts, ADDRESS_SETS, PORT_GROUPS, PORTS)
    tests = [bound(text) for text in texts]
    for packet in sent:
        met, refused = judge.ask(packet)
        for index, (text, test) in enumerate(zip(texts, tests, strict=True)):
            if isinstance(test, MatchSyntaxError):
                assert text in refused or isinstance(test, StricterError), test
            else:
                assert text not in refused
                assert test(packet) == (index in met), (text, packet)
