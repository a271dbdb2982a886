"""cidr minus except becomes the fewest positive prefixes."""

from ipaddress import IPv4Network, IPv6Network, collapse_addresses, ip_address, ip_network

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nqosd.api.networkqos import IPBlock
from nqosd.compiler.desired import Family
from nqosd.compiler.prefixes import covered, is_everything, prefixes


def blocks(family: Family) -> st.SearchStrategy[list[IPBlock]]:
    """Draw blocks in a space of 64 addresses, with exceptions inside."""
    base, bits = (0x0A000000, 32) if family is Family.IP4 else (0xFD00 << 112, 128)
    kind = IPv4Network if family is Family.IP4 else IPv6Network

    def network(first: int, length: int) -> IPv4Network | IPv6Network:
        return kind((base + (first >> (6 - length) << (6 - length)), bits - 6 + length))

    networks = st.builds(network, st.integers(0, 63), st.integers(0, 6))

    @st.composite
    def block(draw: st.DrawFn) -> IPBlock:
        cidr = draw(networks)
        holes = [each for each in draw(st.lists(networks, max_size=4)) if each.subnet_of(cidr)]  # type: ignore[arg-type]
        return IPBlock(cidr, tuple(holes))

    return st.lists(block(), max_size=3)


@pytest.mark.parametrize("family", Family)
@given(st.data())
@settings(max_examples=300, deadline=None)
def test_same_addresses_in_the_fewest_prefixes(family: Family, data: st.DataObject) -> None:
    """The prefixes hold exactly the addresses in a cidr and in none of its exceptions, and no shorter list does."""
    drawn = data.draw(blocks(family))
    texts = prefixes(covered(drawn, family), family)
    expected = {
        address for block in drawn for address in block.cidr if not any(address in hole for hole in block.excepts)
    }
    networks = [ip_network(text) for text in texts]
    assert {address for network in networks for address in network} == expected
    assert networks == list(collapse_addresses(sorted(ip_network(each) for each in expected)))  # type: ignore[type-var]


@pytest.mark.parametrize(("cidr", "family"), [("0.0.0.0/0", Family.IP4), ("::/0", Family.IP6)])
def test_everything_is_recognised(cidr: str, family: Family) -> None:
    """A whole family, also in halves, is everything; without one address it is not."""
    whole = ip_network(cidr)
    halves = [IPBlock(each) for each in whole.subnets()]
    assert is_everything(covered([IPBlock(whole)], family), family)
    assert is_everything(covered(halves, family), family)
    hole = ip_network(whole.network_address)
    assert not is_everything(covered([IPBlock(whole, (hole,))], family), family)


def test_families_are_apart() -> None:
    """A block of one family covers nothing of the other."""
    assert covered([IPBlock(ip_network("10.0.0.0/8"))], Family.IP6) == []


def test_exceptions_of_one_block_do_not_touch_another() -> None:
    """What one entry excepts, another entry can still give."""
    except_one = IPBlock(ip_network("10.0.0.0/24"), (ip_network("10.0.0.7/32"),))
    both = [except_one, IPBlock(ip_network("10.0.0.7/32"))]
    assert prefixes(covered(both, Family.IP4), Family.IP4) == ("10.0.0.0/24",)


def test_guide_takes_55_prefixes() -> None:
    """The guide's 0.0.0.0/0 without three exceptions is 55 prefixes, none of which holds an excepted address."""
    excepts = tuple(map(ip_network, ("10.11.12.13/32", "172.16.0.0/12", "192.168.0.0/16")))
    texts = prefixes(covered([IPBlock(ip_network("0.0.0.0/0"), excepts)], Family.IP4), Family.IP4)
    assert len(texts) == 55
    for address in ("10.11.12.13", "172.16.0.0", "172.31.255.255", "192.168.1.1"):
        assert not any(ip_address(address) in ip_network(text) for text in texts)
