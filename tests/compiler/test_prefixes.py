"""cidr minus except becomes the fewest positive prefixes."""

from ipaddress import collapse_addresses, ip_address, ip_network

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nqosd.api.ipnetworks import IPNetwork
from nqosd.api.networkqos import IPBlock
from nqosd.compiler.desired import Family
from nqosd.compiler.prefixes import Prefixes, covered, is_everything, prefixes
from tests.examples import examples


def blocks(family: Family) -> st.SearchStrategy[list[IPBlock]]:
    """Draw blocks in a space of 64 addresses, with exceptions inside."""
    version, base, bits = (4, 0x0A000000, 32) if family is Family.IP4 else (6, 0xFD00 << 112, 128)

    def network(first: int, length: int) -> IPNetwork:
        return IPNetwork(version, base + (first >> (6 - length) << (6 - length)), bits - 6 + length)

    networks = st.builds(network, st.integers(0, 63), st.integers(0, 6))

    @st.composite
    def block(draw: st.DrawFn) -> IPBlock:
        cidr = draw(networks)
        holes = [each for each in draw(st.lists(networks, max_size=4)) if cidr.holds(each)]
        return IPBlock(cidr, tuple(holes))

    return st.lists(block(), max_size=3)


@pytest.mark.parametrize("family", Family)
@given(st.data())
@settings(max_examples=examples(300), deadline=None)
def test_same_addresses_in_the_fewest_prefixes(family: Family, data: st.DataObject) -> None:
    """The prefixes hold exactly the addresses in a cidr and in none of its exceptions, and no shorter list does."""
    drawn = data.draw(blocks(family))
    texts = prefixes(covered(drawn, family), family)
    expected = {
        address
        for block in drawn
        for address in ip_network(str(block.cidr))
        if not any(address in hole for hole in block.excepts)
    }
    networks = [ip_network(text) for text in texts]
    assert {address for network in networks for address in network} == expected
    assert networks == list(collapse_addresses(sorted(ip_network(each) for each in expected)))  # type: ignore[type-var]


@pytest.mark.parametrize(("cidr", "family"), [("0.0.0.0/0", Family.IP4), ("::/0", Family.IP6)])
def test_everything_is_recognised(cidr: str, family: Family) -> None:
    """A whole family, also in halves, is everything; without one address it is not."""
    whole = IPNetwork.of(cidr)
    halves = [IPBlock(IPNetwork.of(str(each))) for each in ip_network(cidr).subnets()]
    assert is_everything(covered([IPBlock(whole)], family), family)
    assert is_everything(covered(halves, family), family)
    hole = IPNetwork.of(str(ip_network(ip_network(cidr).network_address)))
    assert not is_everything(covered([IPBlock(whole, (hole,))], family), family)


@pytest.mark.parametrize("family", Family)
@given(st.data())
@settings(max_examples=examples(100), deadline=None)
def test_a_set_of_prefixes_is_what_a_list_of_them_is(family: Family, data: st.DataObject) -> None:
    """It has the same members in the same order, as many of them, and equals whatever set has the same members."""
    ranges = covered(data.draw(blocks(family)), family)
    found, texts = Prefixes.of(family, ranges), prefixes(ranges, family)
    assert (tuple(found), len(found)) == (texts, len(texts))
    assert found == set(texts)
    assert set(texts) == found
    assert found == Prefixes.of(family, ranges)
    assert found | {"x"} == {*texts, "x"}
    assert all(each in found for each in texts)
    assert "x" not in found
    assert found != {*texts, "x"}


def test_families_are_apart() -> None:
    """A block of one family covers nothing of the other."""
    assert covered([IPBlock(IPNetwork.of("10.0.0.0/8"))], Family.IP6) == []


def test_exceptions_of_one_block_do_not_touch_another() -> None:
    """What one entry excepts, another entry can still give."""
    except_one = IPBlock(IPNetwork.of("10.0.0.0/24"), (IPNetwork.of("10.0.0.7/32"),))
    both = [except_one, IPBlock(IPNetwork.of("10.0.0.7/32"))]
    assert prefixes(covered(both, Family.IP4), Family.IP4) == ("10.0.0.0/24",)


def test_guide_takes_55_prefixes() -> None:
    """The guide's 0.0.0.0/0 without three exceptions is 55 prefixes, none of which holds an excepted address."""
    excepts = tuple(map(IPNetwork.of, ("10.11.12.13/32", "172.16.0.0/12", "192.168.0.0/16")))
    texts = prefixes(covered([IPBlock(IPNetwork.of("0.0.0.0/0"), excepts)], Family.IP4), Family.IP4)
    assert len(texts) == 55
    for address in ("10.11.12.13", "172.16.0.0", "172.31.255.255", "192.168.1.1"):
        assert not any(ip_address(address) in ip_network(text) for text in texts)
