"""Whose an address is, kept at the cost of what changed."""

from ipaddress import ip_network

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nqosd.api.objects import DEFAULT_NETWORK
from nqosd.compiler.address_owners import SHARERS, AddressClaims, Refused
from nqosd.compiler.address_ranges import NodeSubnets, Ranges, packed, ranges_of
from nqosd.compiler.desired import Family
from nqosd.compiler.pod_addresses import PodAddress
from tests.examples import examples

ADDRESS = "10.0.0.1"
PLACE = (PodAddress(DEFAULT_NETWORK, "n1", Family.IP4, ADDRESS),)


def crowd(size: int) -> AddressClaims:
    """A victim, and younger pods of an attacker with its address."""
    claims = AddressClaims()
    claims.take("victim/a", ("2026-01-01", "victim/a"), PLACE)
    for number in range(size):
        key = f"attacker/{number}"
        assert claims.take(key, ("2026-01-02", key), PLACE) == set()
    return claims


def test_a_younger_claimant_concerns_nobody_else() -> None:
    """However many there are, one more of them, or one less, leaves all others as they are."""
    claims = crowd(1000)
    assert claims.take("attacker/7", None, ()) == set()
    assert claims.count("victim/a", {}).refused == ()
    assert claims.count("attacker/8", {}).refused == (Refused(DEFAULT_NETWORK, ADDRESS, "victim/a"),)


def test_an_address_passes_to_the_next_oldest() -> None:
    """When the oldest goes, those of its namespace and of the next one are concerned, and no others."""
    claims = crowd(3)
    claims.take("victim/b", ("2026-01-09", "victim/b"), PLACE)
    claims.take("third/x", ("2026-01-09", "third/x"), PLACE)
    assert claims.take("victim/a", None, ()) == {"attacker/0", "attacker/1", "attacker/2", "victim/b"}
    assert claims.count("attacker/2", {}).refused == ()
    for other in ("victim/b", "third/x"):
        (refused,) = claims.count(other, {}).refused
        assert str(refused) == f"{ADDRESS} on network {DEFAULT_NETWORK} belongs to the older pod attacker/0"


def test_an_address_passes_within_a_namespace() -> None:
    """Pods of the namespace share it as before, and for those of others it is of somebody else as before."""
    claims = crowd(3)
    claims.take("victim/b", ("2026-01-01", "victim/b"), PLACE)
    before = claims.count("attacker/0", {}).refused
    assert claims.take("victim/a", None, ()) == set()
    (refused,) = claims.count("attacker/0", {}).refused
    assert (refused,) == before
    assert refused.owner == "victim/b"


def test_an_address_passes_to_few_of_a_crowd() -> None:
    """However many pods of a namespace claim it, the oldest few have it, and the next one when one of these goes."""
    claims = crowd(1000)
    oldest = sorted(f"attacker/{number}" for number in range(1000))
    assert claims.take("victim/a", None, ()) == set(oldest[:SHARERS])
    assert not any(claims.count(key, {}).refused for key in oldest[:SHARERS])
    (refused,) = claims.count(oldest[SHARERS], {}).refused
    assert f"belongs to {SHARERS} older pods of the namespace already, such as {oldest[0]}" in str(refused)
    assert claims.take(oldest[3], None, ()) == {oldest[SHARERS]}
    assert claims.count(oldest[SHARERS], {}).refused == ()
    claims.take("victim/a", ("2026-01-01", "victim/a"), PLACE)
    assert claims.count("victim/a", {}).refused == ()
    assert all(claims.count(key, {}).refused for key in oldest[4:])


def test_it_is_known_before_how_many_pods_are_concerned() -> None:
    """By what a pod has and would have: as many as may get or lose an address, whichever namespace is the older one."""
    claims = crowd(3)
    assert claims.concerned("victim/a", PLACE) == 0
    assert claims.concerned("victim/a", ()) == 4
    assert claims.concerned("third/x", PLACE) == 4
    assert claims.concerned("third/x", ()) == 0
    assert crowd(1000).concerned("victim/a", ()) == 2 * SHARERS


def test_other_ranges_concern_the_pods_in_the_part_that_changed() -> None:
    """A node that comes or goes with its ranges concerns the pods with addresses there, wherever they are."""
    claims = AddressClaims()
    for number in range(100):
        place = PodAddress(DEFAULT_NETWORK, "n1", Family.IP4, f"10.0.{number}.1")
        claims.take(f"ns/{number}", ("", f"ns/{number}"), (place,))
    before, after = Ranges.of(["10.0.0.0/18", "10.0.64.0/24"]), Ranges.of(["10.0.0.0/18", "10.0.65.0/24"])
    assert list(claims.moved(DEFAULT_NETWORK, before, after)) == ["ns/64", "ns/65"]


@pytest.mark.parametrize(
    ("subnets", "kept", "of_pods"),
    [
        (NodeSubnets(("10.244.1.0/24",)), "10.244.1.0 10.244.1.1 10.244.1.2", "10.244.1.3 10.244.1.255"),
        (NodeSubnets(("fd00:1::/64",)), "fd00:1:: fd00:1::2", "fd00:1::3"),
        (NodeSubnets(("10.244.1.4/30",)), "", "10.244.1.4 10.244.1.7"),
        (NodeSubnets(("fd00:1::/64",), ("10.132.1.0/24",)), "10.132.1.0 10.132.1.1", "10.132.1.2 10.132.1.255"),
        (("10.244.1.0/24",), "", "10.244.1.0 10.244.1.2"),
    ],
)
def test_the_first_addresses_of_a_nodes_range_are_no_pods(
    subnets: tuple[str, ...] | NodeSubnets, kept: str, of_pods: str
) -> None:
    """From a node's own port the kubelet probes its pods; a pod that claims it would have them limited."""
    ranges = ranges_of({"network": subnets}, {}, {})["network"]
    assert [ranges.keeps(packed(each)) for each in kept.split()] == [True] * len(kept.split())
    assert [each for each in (*kept.split(), *of_pods.split()) if packed(each) in ranges] == of_pods.split()


def _cidrs(length: int) -> list[str]:
    return [f"10.0.0.{first}/{length}" for first in range(0, 256, 1 << 32 - length)]


cidrs = st.lists(st.integers(25, 32).flatmap(lambda length: st.sampled_from(_cidrs(length))), max_size=4).map(tuple)


@given(cidrs, cidrs)
@settings(max_examples=examples(200), deadline=None)
def test_whatever_subnets_nodes_have_each_address_is_in_them_kept_or_outside(
    own: tuple[str, ...], hybrid: tuple[str, ...]
) -> None:
    """Of subnets that hold each other, too: what one keeps another may give."""
    ranges = Ranges.of(NodeSubnets(own, hybrid))
    told = [(ip_network(each), first) for some, first in ((own, 3), (hybrid, 2)) for each in some]
    every = {address for subnet, _ in told for address in subnet}
    given_out = {each for subnet, first in told for each in list(subnet)[first if subnet.num_addresses > 4 else 0 :]}
    for address in ip_network("10.0.0.0/24"):
        found = (address.packed in ranges, address.packed not in ranges and ranges.keeps(address.packed))
        assert found == (address in given_out, address in every - given_out)


def test_nothing_is_remembered_of_pods_that_are_gone() -> None:
    """Claims that end leave nothing behind."""
    claims = crowd(5)
    for key in ("victim/a", *(f"attacker/{number}" for number in range(5))):
        claims.take(key, None, ())
    assert len(claims) == 0
