"""What the stand-in for ovn-kubernetes writes is what a real one writes: object by object, field by field.

`fixtures/` has what was found on a real cluster (ovn-kubernetes 8871cd9c with interconnect, OVN 26.03.1, dual stack,
two nodes): the logical switches and ports of the zone of node n1, without the columns that are empty in all and those
that say what is running, with the number of a switch's ACLs and groups of load balancers instead of references to them;
the annotations of pods, attachment by attachment, without the routes; and the definitions that were rendered from
user-defined networks.
"""

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TypeAlias

import pytest

from tests.dataplane.definitions import definition
from tests.dataplane.networks import DEFAULT, NODES, Network
from tests.dataplane.ovn_kubernetes import Attachment, OvnKubernetes
from tests.dataplane.pods import annotation
from tests.services.generation import GENERATIONS
from tests.services.ovsdb import OvsdbServer

Form: TypeAlias = object
FIXTURES = Path(__file__).parent / "fixtures"
IPV4 = (4,)
NETWORKS = {
    "default": Network(DEFAULT, "layer3", 244),
    "blue": Network("udn3_blue", "layer3", 100, "udn3/blue"),
    "green": Network("udn2_green", "layer2", 110, "udn2/green"),
    "shared-prim": Network("cluster_udn_shared-prim", "layer3", 130, "cud-a/shared-prim", families=IPV4),
    "l3": Network("tenant-l3", "layer3", 20, "def/l3", "secondary"),
    "l2": Network("tenant-l2", "layer2", 30, "def/l2", "secondary"),
    "l2noip": Network("tenant-l2noip", "layer2", 31, "def/l2noip", "secondary", families=()),
    "loc": Network("tenant-loc", "localnet", 40, "def/loc", "secondary", families=IPV4, vlan=33),
    "locnoip": Network("tenant-locnoip", "localnet", 41, "def/locnoip", "secondary", families=()),
    "sec-udn": Network("def_sec-udn", "layer3", 120, "def/sec-udn", "secondary", families=IPV4),
    "sec-l2": Network("def_sec-l2", "layer2", 125, "def/sec-l2", "secondary", families=IPV4),
    "shared-sec": Network("cluster_udn_shared-sec", "layer2", 140, "def/shared-sec", "secondary", families=IPV4),
    "shared-loc": Network(
        "cluster_udn_shared-loc", "localnet", 150, "def/shared-loc", "secondary", families=IPV4, vlan=44
    ),
    "loc-noipam": Network("cluster_udn_loc-noipam", "localnet", 151, "def/loc-noipam", "secondary", families=()),
}
SECONDARY = tuple(name for name, network in NETWORKS.items() if network.role == "secondary")
PODS = (
    ("def", "d1", 1, ("default", *SECONDARY)),
    ("def", "d3", 2, ("default", *SECONDARY)),
    ("udn2", "u1", 1, ("default", "green")),
    ("udn2", "u3", 2, ("default", "green")),
    ("udn3", "u1", 1, ("default", "blue")),
    ("cud-a", "c1", 1, ("default", "shared-prim")),
)
"""Namespace, name, node and networks; the fixtures have more of the same, and some that are attached twice to one
network or have asked for addresses of their own."""

_FORMS = (
    (r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", "UUID"),
    (r"\b(?:[0-9a-f]{2}:){5}[0-9a-f]{2}\b", "MAC"),
    (r"(?<![\w:])(?:[0-9a-f]{0,4}:){2,7}[0-9a-f]{0,4}(?![\w:])", "IPv6"),
    (r"\b\d{1,3}(?:\.\d{1,3}){3}\b", "IPv4"),
    (rf"(?:chassis-n2|{NODES[1]}|(?<![a-z0-9])n2)(?![a-z0-9])", "NODE2"),
    (rf"(?:chassis-n1|{NODES[0]}|(?<![a-z0-9])n1)(?![a-z0-9])", "NODE1"),
)
"""What differs from cluster to cluster, and what stands for it."""
_NUMBERS = ("requested-tnl-key", "tunnel_id", "k8s.ovn.org/network-id", "k8s.ovn.org/tunnel-keys")
_PHYSICAL = ("network_name", "physicalNetworkName")


def form(value: object, name: str = "") -> Form:
    """Replace what differs from cluster to cluster; `name` is the field that has the value."""
    match value:
        case dict():
            return {form(key): form(each, key) for key, each in value.items()}
        case list():
            return [form(each, name) for each in value]
        case int() | str() if name in _NUMBERS:
            return re.sub(r"\d+", "NUMBER", str(value))
        case str() if name in _PHYSICAL:
            return "PHYSICAL NETWORK"
        case str():
            for pattern, kind in _FORMS:
                value = re.sub(pattern, kind, value)
    return value


def expected() -> dict[str, Form]:
    """Read the fixtures, without the ports of pods that aren't among `PODS`."""
    switches = json.loads((FIXTURES / "switches.json").read_text())
    mine = {
        NETWORKS[network].logical_port(namespace, pod) for namespace, pod, _, networks in PODS for network in networks
    }
    for switch in switches.values():
        ports = switch["ports"].items()
        switch["ports"] = {
            name: port for name, port in ports if name in mine or "pod" not in port.get("external_ids", {})
        }
    return _flat(switches)


def _flat(switches: Mapping[str, Mapping[str, object]]) -> dict[str, Form]:
    """Give each switch, and each port by its switch and its name."""
    found: dict[str, Form] = {}
    for name, switch in switches.items():
        found[f"switch {form(name)}"] = form({key: each for key, each in switch.items() if key != "ports"})
        ports = switch["ports"]
        assert isinstance(ports, Mapping)
        found |= {f"port {form(port)} of {form(name)}": form(each) for port, each in ports.items()}
    return found


@pytest.fixture(scope="module")
def written() -> Iterator[dict[str, Form]]:
    """Let the stand-in write the same networks and pods into a database, and read them from there."""
    with OvsdbServer(GENERATIONS[-1], "nb") as nb:
        stand_in = OvnKubernetes(nb, zone=(1,))
        for network in NETWORKS.values():
            stand_in.add_network(network)
        stand_in.add_ports(each for pod in attachments().values() for each in pod)
        yield _flat(_read(nb))


def attachments() -> dict[str, list[Attachment]]:
    """Give the attachments of each pod."""
    return {
        f"{namespace}/{name}": [Attachment(NETWORKS[each], node, 10 + host, namespace, name) for each in networks]
        for host, (namespace, name, node, networks) in enumerate(PODS)
    }


def _read(nb: OvsdbServer) -> dict[str, dict[str, object]]:
    ports = {row["_uuid"]: row for row in _rows(nb, "Logical_Switch_Port")}
    found = {}
    for switch in _rows(nb, "Logical_Switch"):
        mine = [ports[each] for each in _list(switch["ports"])]
        found[str(switch["name"])] = {
            "external_ids": switch["external_ids"],
            "other_config": switch["other_config"],
            "acls": len(_list(switch["acls"])),
            "load_balancer_group": len(_list(switch["load_balancer_group"])),
            "ports": {str(port["name"]): _port(port) for port in mine},
        }
    return found


def _port(row: Mapping[str, object]) -> dict[str, object]:
    lists = {name: _list(row[name]) for name in ("addresses", "port_security")}
    port = {name: row[name] for name in ("type", "external_ids", "options")} | lists
    tags = {name: str(row[name]) for name in ("tag", "tag_request") if row[name] != []}
    return {name: value for name, value in port.items() if value} | tags


def _list(value: object) -> list[object]:
    return value if isinstance(value, list) else [value]


def _rows(nb: OvsdbServer, table: str) -> list[dict[str, object]]:
    answer = json.loads(nb.nbctl("--format=json", "list", table))
    return [dict(zip(answer["headings"], map(_plain, row), strict=True)) for row in answer["data"]]


def _plain(value: object) -> object:
    match value:
        case ["map", list(pairs)]:
            return dict(pairs)
        case ["set", list(values)]:
            return [_plain(each) for each in values]
        case ["uuid", str(text)]:
            return text
    return value


def test_the_same_switches_and_ports(written: Mapping[str, Form]) -> None:
    """The stand-in has a switch and a port wherever the real one has, under the same name, and no other."""
    assert sorted(written) == sorted(expected())


def test_each_field_is_the_same(written: Mapping[str, Form]) -> None:
    """Type, addresses, port security, external ids, options, tags and settings are of one form."""
    assert_same(written, expected())


def test_each_attachment_is_annotated_alike() -> None:
    """What the stand-in writes into pods is of the form that the real one writes."""
    real = json.loads((FIXTURES / "attachments.json").read_text())
    mine = {
        f"{pod} on {each.network.nad or DEFAULT}": annotation(each, of_pod)
        for pod, of_pod in attachments().items()
        for each in of_pod
    }
    assert_same({name: form(each) for name, each in mine.items()}, {name: form(real[name]) for name in mine})


def test_definitions_are_rendered_alike() -> None:
    """Configuration, labels and annotations of definitions are of one form; labels that users chose are left out."""
    real = json.loads((FIXTURES / "definitions.json").read_text())
    mine = {}
    for network in NETWORKS.values():
        if network.nad in real:
            metadata, spec = (definition(network)[part] for part in ("metadata", "spec"))
            assert isinstance(metadata, Mapping)
            assert isinstance(spec, Mapping)
            found = {"annotations": metadata["annotations"], "labels": metadata["labels"]}
            mine[network.nad] = form(found | {"config": json.loads(spec["config"])})
            real[network.nad]["labels"] = {"k8s.ovn.org/user-defined-network": ""}
    assert_same(mine, {name: form(real[name]) for name in mine})


def assert_same(mine: Mapping[str, Form], real: Mapping[str, Form]) -> None:
    """Compare forms by name; shows those that differ only."""
    differ = [name for name in mine if mine[name] != real.get(name)]
    assert {name: mine[name] for name in differ} == {name: real.get(name) for name in differ}
    assert mine
