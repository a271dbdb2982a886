"""Attacks of a tenant on another, on a real API server and a real database: the victim's rows and sets stay."""

import json
from collections.abc import Callable

import pytest

from tests.faults.manifests import NETWORK
from tests.faults.site import Site
from tests.tenants.attacker import FLAT, OUTSIDE, Attacker, attacker_of

QUOTE = '/1" || ip4 || inport == "'


def victims_pod(site: Site) -> dict[str, list[str]]:
    """Give the addresses of the victim's first pod, by network."""
    path = f"/api/v1/namespaces/{site.namespace}/pods/a"
    annotations = json.loads(site.cluster.server.request("GET", path))["metadata"]["annotations"]
    networks = json.loads(annotations["k8s.ovn.org/pod-networks"])
    return {key.rpartition("/")[2]: entry["ip_addresses"] for key, entry in networks.items()}


def quoted_key(attacker: Attacker) -> None:
    """A key of an annotation that would close the string and go on as a match."""
    attacker.definition("flat", name="flat", topology="layer2")
    attacker.port("evil")
    attacker.pod("evil", {f"{attacker.namespace}/flat{QUOTE}": {}, f"{attacker.namespace}/flat": {}})


def zoned_range(attacker: Attacker) -> None:
    """A range with an IPv6 zone that would do the same."""
    zone = 'fe80::%} || ip4 || inport == "/64'
    attacker.definition("flat", name="flat", topology="layer2", role="primary", subnets=zone)
    attacker.pod("evil", {f"{attacker.namespace}/flat": {"ip_addresses": ["10.9.9.9/24"]}})


def foreign_network_name(attacker: Attacker) -> None:
    """A name of a network that would do the same."""
    attacker.definition("flat", name=f"flat{QUOTE}", topology="localnet", subnets="10.9.0.0/16")
    attacker.pod("evil", {f"{attacker.namespace}/flat": {"ip_addresses": ["10.9.9.9/24"]}})


def report(attacker: Attacker) -> None:
    """Multus' report, in which a user can write any address."""
    addresses = [each.partition("/")[0] for each in victims_pod(attacker.site)["default"]]
    attacker.pod("evil", {f"{attacker.namespace}/x": {}}, report=[{"name": "x", "default": True, "ips": addresses}])


def claim(attacker: Attacker) -> None:
    """The victim's address in the annotation of ovn-kubernetes, on the victim's node."""
    attacker.pod("evil", {"default": {"ip_addresses": victims_pod(attacker.site)["default"]}})


def claim_by_a_definition(attacker: Attacker) -> None:
    """The victim's address on the victim's network, by a definition that agrees with the victim's."""
    attacker.definition("b", name=NETWORK, topology="layer3", subnets="10.200.0.0/16/24")
    attacker.pod("evil", {f"{attacker.namespace}/b": {"ip_addresses": victims_pod(attacker.site)[NETWORK]}})


def everything_else(attacker: Attacker) -> None:
    """Addresses outside of the cluster's ranges: a node's, the world's, and more than an attachment has."""
    many = [f"10.244.9.{host}/24" for host in range(1, 200)]
    attacker.pod("node", {"default": {"ip_addresses": ["172.18.0.11/16", "0.0.0.0/0", "::/0", "8.8.8.8/32"]}})
    attacker.pod("many", {"default": {"ip_addresses": many}})


def redefinition(attacker: Attacker) -> None:
    """A definition of the victim's network with another topology, which sorts first."""
    attacker.definition(NETWORK, name=NETWORK, topology="layer2")
    attacker.pod("evil", {f"{attacker.namespace}/{NETWORK}": {"ip_addresses": victims_pod(attacker.site)[NETWORK]}})


def same_switches(attacker: Attacker) -> None:
    """A network of another name whose switches would be those by which the default network's nodes go out."""
    attacker.definition("ext", name="ext", topology="layer3")
    attacker.pod("evil", {f"{attacker.namespace}/ext": {"ip_addresses": ["172.18.0.11/16"]}})


def reserved_name(attacker: Attacker) -> None:
    """A definition that calls itself the default network, in another case."""
    attacker.definition("d", Name="default", TOPOLOGY="layer2")
    attacker.pod("evil", {f"{attacker.namespace}/d": {"ip_addresses": victims_pod(attacker.site)["default"]}})


def anothers_key(attacker: Attacker) -> None:
    """A definition that says it is the victim's."""
    key = f"{attacker.site.namespace}/{NETWORK}"
    attacker.definition("k", name=NETWORK, topology="localnet", NetAttachDefName=key)
    attacker.pod("evil", {f"{attacker.namespace}/k": {"ip_addresses": victims_pod(attacker.site)[NETWORK]}})


@pytest.mark.parametrize(
    ("attack", "rows"),
    [
        (quoted_key, {FLAT}),
        (zoned_range, set()),
        (foreign_network_name, set()),
        (report, set()),
        (claim, set()),
        (claim_by_a_definition, set()),
        (everything_else, set()),
        (redefinition, set()),
        (same_switches, set()),
        (reserved_name, set()),
        (anothers_key, set()),
    ],
    ids=lambda value: value.__name__ if callable(value) else "",
)
def test_the_victims_rows_stay(victim: Site, attack: Callable[[Attacker], None], rows: set[str]) -> None:
    """Whatever the attacker writes, the victim's rows and sets stay byte for byte, and the attacker limits itself."""
    before = victim.read().own
    with attacker_of(victim) as attacker:
        attacker.limit()
        attack(attacker)
        after = victim.settle(60).own
        mine = [row for row in after.rows if f"{attacker.namespace}/" in row]
        assert [row for row in after.rows if row not in mine] == list(before.rows)
        assert set(before.sets) <= set(after.sets)
        assert len(mine) == sum(f"'{switch}'" in row or f'"{switch}"' in row for row in mine for switch in rows)
        assert bool(mine) == bool(rows)
        assert not any(OUTSIDE in row or "|| ip4 ||" in row for row in after.rows)
        path = f"/apis/k8s.ovn.org/v1alpha1/namespaces/{victim.namespace}/networkqoses"
        assert attacker.namespace.encode() not in victim.cluster.server.request("GET", path)
    assert victim.read().own == before


def test_the_pod_that_loses_an_address_is_told(victim: Site) -> None:
    """The younger pod gets an Event that names the address and the older pod; the older one gets none."""
    with attacker_of(victim) as attacker:
        attacker.limit()
        claim(attacker)
        victim.settle(60)
        path = "/apis/events.k8s.io/v1/namespaces/{}/events"
        server = victim.cluster.server

        def events(namespace: str) -> list[dict[str, str]]:
            found: list[dict[str, str]] = json.loads(server.request("GET", path.format(namespace)))["items"]
            return [each for each in found if each["reason"] == "AddressClaimed"]

        victim.daemon.wait_until(lambda: bool(events(attacker.namespace)), what="an Event for the pod")
        (event,) = events(attacker.namespace)
        assert f"belongs to the older pod {victim.namespace}/a" in event["note"]
        assert events(victim.namespace) == []
