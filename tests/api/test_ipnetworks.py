"""Networks are read and written as the standard library's `ipaddress` does."""

from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network

from hypothesis import example, given
from hypothesis import strategies as st

from nqosd.api.ipnetworks import IPNetwork, packed
from tests.api.strategies import IPV4, IPV6

TEXTS = st.one_of(
    IPV4.map(str),
    IPV6.map(str),
    st.builds("{}/{}".format, st.ip_addresses(), st.integers(-1, 129)),
    st.builds("{}/{}".format, st.ip_addresses(v=4), st.ip_addresses(v=4)),
    st.ip_addresses(v=6).map(lambda address: f"{address.exploded.upper()}/64"),
    st.text("0123456789abcdefx.:/% ", max_size=12),
    st.text(),
)


def read(text: str) -> IPNetwork | None:
    """Read a network; None if it is refused."""
    try:
        return IPNetwork.of(text)
    except ValueError:
        return None


def known(text: str) -> IPv4Network | IPv6Network | None:
    """Ask the standard library."""
    try:
        return None if "%" in text else ip_network(text, strict=False)
    except ValueError:
        return None


@given(TEXTS)
@example("::ffff:1.2.3.4/128")
@example("::1.2.3.4/128")
@example("10.0.0.1/8")
@example("010.0.0.0/8")
@example("10.0.0.0/08")
@example("10.0.0.0/\u0668")
@example("00001::/16")
@example("fe80::%eth0/64")
@example("\0/0")
@example("\ud800/0")
def test_a_text_is_read_as_the_standard_library_reads_it(text: str) -> None:
    """What it refuses is refused; of what it accepts the addresses, the prefix and the written form are the same."""
    expected, found = known(text), read(text)
    if expected is None or found is None:
        assert (expected, found) == (None, None)
        return
    bounds = int(expected.network_address), int(expected.broadcast_address)
    assert (found.version, found.first, found.last) == (expected.version, *bounds)
    assert (found.length, ip_network(str(found))) == (expected.prefixlen, expected)
    if expected.version == 4 or expected.network_address.ipv4_mapped is None:  # Python 3.13 writes those in dots
        assert str(found) == str(expected)


@given(st.one_of(st.tuples(IPV4, IPV4), st.tuples(IPV6, IPV6), st.tuples(IPV4, IPV6)))
def test_a_network_holds_another_one_if_it_has_all_its_addresses(both: tuple[IPNetwork, IPNetwork]) -> None:
    """A network holds itself and what is inside, never one of the other family, and has the addresses in it."""
    one, other = both
    standard, inner = ip_network(str(one)), ip_network(str(other))
    is_inside = one.version == other.version and inner.subnet_of(standard)  # type: ignore[arg-type] # one family
    assert one.holds(other) == is_inside
    assert one.holds(one)
    for number in (other.first, other.last):
        address = ip_address(number.to_bytes(4 if other.version == 4 else 16))
        assert (address in one) == (address in standard)


@given(st.one_of(st.lists(IPV4), st.lists(IPV6)))
def test_networks_that_are_packed_are_the_same_networks(networks: list[IPNetwork]) -> None:
    """They come out in the order in which they went in, and equal lists are equal values."""
    found = packed(networks)
    assert list(found) == networks
    assert len(found) == len(networks)
    assert found == packed(iter(networks))
    assert packed(found) is found
