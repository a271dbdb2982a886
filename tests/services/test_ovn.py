"""What the tests can rely on from northd, from a chassis and from ovn-trace."""

from collections.abc import Iterator

import pytest

from tests.services.chassis import Chassis
from tests.services.generation import OvnGeneration, every_generation
from tests.services.ovn import OvnCentral
from tests.services.process import ServiceError

GOOD = "ip4.src == 10.0.0.1 && ip4.dst == 10.0.0.2"
BAD = "ip4.src == 10.0.0.1 && || ip4.dst == {}"
PACKET = (
    'inport == "a" && eth.src == 00:00:00:00:00:01 && eth.dst == 00:00:00:00:00:02 && '
    "ip4.src == 10.0.0.1 && ip4.dst == 10.0.0.2 && ip.ttl == 64"
)


@pytest.fixture
def central(ovn_central: OvnCentral) -> OvnCentral:
    """Give an OVN with a switch `blue` that has the ports `a` and `b`."""
    nbctl = ovn_central.nb.nbctl
    nbctl("ls-add", "blue")
    for i, port in enumerate(("a", "b"), start=1):
        nbctl("lsp-add", "blue", port, "--", "lsp-set-addresses", port, f"00:00:00:00:00:0{i} 10.0.0.{i}")
    return ovn_central


@pytest.fixture
def chassis(central: OvnCentral) -> Iterator[Chassis]:
    """Give a chassis that hosts both ports of the switch."""
    with Chassis(central) as one:
        one.bind("a", "b")
        yield one


@every_generation
def test_northd_says_which_version_it_is(ovn_central: OvnCentral, ovn_generation: OvnGeneration) -> None:
    """NB_Global names the version of the northd that runs."""
    version = ovn_central.nb.nbctl("get", "NB_Global", ".", "options:northd_internal_version").strip().strip('"')
    assert version.startswith(f"{ovn_generation.series}.")


@every_generation
def test_a_good_row_yields_flows(central: OvnCentral, chassis: Chassis) -> None:
    """A QoS row with a correct match becomes flows that mark and limit, and nobody complains."""
    row = _add_row(central, 100, GOOD)
    flows = chassis.qos_flows(row)
    assert len(flows) == (1 if central.generation.merges_qos_tables else 2)
    assert all("nw_src=10.0.0.1,nw_dst=10.0.0.2" in flow for flow in flows)
    assert any("meter:" in flow for flow in flows)
    assert any("set_field:10/0x3f->ip_dscp" in flow for flow in flows)
    assert set(flows) < set(chassis.flows())
    assert chassis.parse_errors() == []


@every_generation
def test_every_bad_row_is_reported(central: OvnCentral, chassis: Chassis) -> None:
    """Each QoS row with a wrong match gives an error line of its own and no flow."""
    bad = [BAD.format(f"10.0.0.{i}") for i in range(8)]
    rows = [_add_row(central, 200 + i, match) for i, match in enumerate(bad)]
    assert [chassis.qos_flows(row) for row in rows] == [[]] * len(bad)
    errors = chassis.parse_errors()
    assert [match for match in bad if not any(match in error for error in errors)] == []


@every_generation
def test_a_trace_names_the_row_that_a_packet_hits(central: OvnCentral) -> None:
    """ovn-trace shows the match and the action of the row, and a wrong match beside it."""
    _add_row(central, 100, GOOD)
    clean = central.trace("blue", PACKET)
    assert GOOD in clean
    assert "ip.dscp = 10" in clean
    assert "parsing expression failed" not in clean
    _add_row(central, 200, BAD.format("10.0.0.2"))
    assert "parsing expression failed" in central.trace("blue", PACKET)


def test_a_trace_of_a_wrong_packet_is_an_error(central: OvnCentral) -> None:
    """ovn-trace refuses a microflow that isn't an expression."""
    with pytest.raises(ServiceError, match="ovn-trace on 'blue'"):
        central.trace("blue", "ip4.src === 1")


def _add_row(central: OvnCentral, priority: int, match: str) -> str:
    """Add a QoS row that marks and limits to the switch `blue`, and return its id."""
    central.nb.nbctl("qos-add", "blue", "to-lport", str(priority), match, "dscp=10", "rate=1000")
    return central.nb.nbctl("--bare", "--columns=_uuid", "find", "QoS", f"priority={priority}").strip()
