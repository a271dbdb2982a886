"""The compiler and the oracle agree about every packet."""

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.oracle.strategies import boundaries, clusters, sends
from tests.oracle.strategies import settings as options
from tests.proof.agreement import Case

PACKETS = 30
VERSIONS = ("23.03.1-20.27.4-69.4", "25.03.0-20.41.0-77.6")


@given(st.data())
@settings(max_examples=300, deadline=None)
def test_every_packet_takes_its_rule(data: st.DataObject) -> None:
    """For any cluster and any packet the rows do what the policies mean, on both generations of OVN."""
    objects = data.draw(clusters())
    option = data.draw(options())
    for version in VERSIONS:
        case = Case.of(objects, option, version)
        assert case.readiness_differs() is None
        if not case.oracle.senders:
            continue
        around = boundaries(objects, case.oracle)
        for _ in range(PACKETS):
            assert case.differs(data.draw(sends(case.oracle, around))) is None
