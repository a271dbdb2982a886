"""Matches are shown so that a person can read them, and mean the same."""

import argparse
from ipaddress import IPv4Network, IPv6Network, collapse_addresses, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nqosd.commands import matches
from nqosd.commands.matches import shown
from nqosd.explain.prefix_lists import folded

NETWORKS = st.builds(
    lambda address, length: IPv4Network((address, length), strict=False), st.integers(0, 2**32 - 1), st.integers(0, 32)
)


@given(st.sets(NETWORKS, min_size=1, max_size=8))
def test_a_list_means_the_same(networks: set[IPv4Network]) -> None:
    """The block without its exceptions is what the prefixes cover, and it is never the longer one."""
    given = list(collapse_addresses(networks))
    text = ", ".join(map(str, given))
    found = folded(f"ip4.dst == {{{text}}}").removeprefix("ip4.dst == {").removesuffix("}")
    block, _, exceptions = found.partition(" except ")
    left: list[IPv4Network] = [IPv4Network(each) for each in block.split(", ")]
    for exception in filter(None, exceptions.split(", ")):
        hole = IPv4Network(exception)
        left = [part for each in left for part in (each.address_exclude(hole) if hole.subnet_of(each) else [each])]
    assert list(collapse_addresses(left)) == given
    assert len(found) <= len(text) or len(found.split(", ")) < len(given)


@pytest.mark.parametrize("match", ["tcp.dst == {80, 443}", "ip4.src == $a", "ip4.src == {1.2.3.4, 1.2.3.6}"])
def test_other_lists_stay(match: str) -> None:
    """Ports, names and addresses that no block comprises are shown as they are."""
    assert folded(match) == match


def test_the_other_family() -> None:
    """IPv6 is read as well."""
    assert isinstance(ip_network("fd00::/8"), IPv6Network)
    assert folded("ip6.dst == {fd00::/9, fd80::/10, fdc0::/11}") == "ip6.dst == {fd00::/8 except fde0::/11}"


def test_no_line_is_longer_than_the_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a terminal a long match is cut, unless it is asked for as it is."""
    monkeypatch.setattr(matches, "width", lambda options: None if options.wide else 30)
    match = "ip4.src == $nqosd_bbe83b51e32205ca84f3"
    assert shown(argparse.Namespace(wide=False), 2)(match) == "ip4.src == $nqosd_bbe83b51e…"
    assert shown(argparse.Namespace(wide=True), 2)(match) == match
