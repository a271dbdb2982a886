"""The fake of the old controller writes what a real one would, for a cluster as a real one was found to be.

Its pods and definitions are those of `tests/compiler/ovn_kubernetes`, its switches and their ports those of
`tests/dataplane/fixtures`. No rows, sets and conditions of a real one were kept: what those have to be, field by field,
was read in ovn-kubernetes (8871cd9c), `go-controller/pkg/ovn/controller/network_qos` and `pkg/libovsdb/ops`.
"""

import datetime as dt
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import attrs
import pytest

from tests.faults import manifests
from tests.faults.fake_old_controller import (
    OF_DEFAULT,
    Network,
    Object,
    Operation,
    Reconciliation,
    condition_of,
    hashed,
    networks_of,
)
from tests.faults.test_moving_over import of_network

TESTS = Path(__file__).parents[1]
NODE = "n1"
DEFAULT = Network(OF_DEFAULT, frozenset([OF_DEFAULT]))
WITHOUT_RANGES = {"tenant.l2noip_ovn_layer2_switch", "tenant.locnoip_ovn_localnet_switch"}


def pods() -> list[Object]:
    """Give the pods."""
    found: dict[str, Any] = json.loads((TESTS / "compiler/ovn_kubernetes/pods.json").read_text())
    return [
        {
            "metadata": {
                "namespace": key.partition("/")[0],
                "name": key.partition("/")[2],
                "annotations": {"k8s.ovn.org/pod-networks": pod["pod-networks"]},
            },
            "spec": {"nodeName": pod["node"]},
        }
        for key, pod in found.items()
    ]


def senders_of_ports() -> set[tuple[str, str]]:
    """Give each switch with each address of a pod of this node, by the switch's ports."""
    found: dict[str, Any] = json.loads((TESTS / "dataplane/fixtures/switches.json").read_text())
    return {
        (switch, address)
        for switch, each in found.items()
        for port in each["ports"].values()
        if port.get("external_ids", {}).get("pod") == "true" and port.get("type", "") != "remote"
        for text in port["addresses"]
        for address in text.split()[1:]
    }


def transactions() -> Iterator[tuple[str, list[Operation]]]:
    """Give all operations for policies that choose everything, with the switch of each."""
    every = pods()
    definitions = json.loads((TESTS / "compiler/ovn_kubernetes/nads.json").read_text())["items"]
    for namespace in sorted({each["metadata"]["namespace"] for each in every}):
        policy: Any = manifests.policy(
            namespace, "all", priority=7, rules=[manifests.rule(1), manifests.rule(2, rate=50)]
        )
        policy["spec"]["podSelector"] = {}
        for each in (policy, of_network(policy)):
            for network in networks_of(each, definitions):
                work = Reconciliation(NODE, network, each, frozenset())
                yield network.switch(NODE), [it for sent in work.transactions(every) for it in sent]


def test_its_sources_are_the_ports_of_a_real_cluster() -> None:
    """For each network the rows are on the switch that has the pods' ports, and its set has the addresses of these.

    A network without ranges has rows, but no sets.
    """
    found = set()
    for switch, operations in transactions():
        bound = [each["where"] for each in operations if each["table"] == "Logical_Switch"]
        sources = [each for each in operations if each["table"] == "Address_Set" and each["op"] == "mutate"]
        assert bound == ([[["name", "==", switch]]] if sources or switch in WITHOUT_RANGES else [])
        found |= {(switch, address) for each in sources for address in each["mutations"][0][2][1]}
    assert found == {each for each in senders_of_ports() if each[0] not in WITHOUT_RANGES}


def peers(*to: Object, ports: Sequence[Object] = ()) -> Object:
    """Give a rule for destinations, on ports."""
    return {"dscp": 8, "classifier": {"to": list(to), **({"ports": list(ports)} if ports else {})}}


def block(cidr: str, *excepts: str) -> Object:
    """Give a destination that is a block of addresses."""
    return {"ipBlock": {"cidr": cidr, "except": list(excepts)} if excepts else {"cidr": cidr}}


def port(protocol: str, number: int | None = None) -> Object:
    """Give a port."""
    return {"protocol": protocol} | ({} if number is None else {"port": number})


SELECTED: Object = {"podSelector": {"matchLabels": {"app": "db"}}}
ID = "default-network-controller:NetworkQoS:games:all"
S4, S6 = hashed(f"{ID}:src:0:v4"), hashed(f"{ID}:src:0:v6")
D4, D6 = hashed(f"{ID}:0:1:v4"), hashed(f"{ID}:0:1:v6")
DESTINATIONS: Mapping[str, tuple[Object, str]] = {
    "anything": ({"dscp": 8}, ""),
    "a block": (peers(block("10.0.0.0/8")), " && ip4.dst == 10.0.0.0/8"),
    "a block without parts of it": (
        peers(block("fd00::/8", "fd00:1::/32", "fd00:2::/32")),
        " && ip6.dst == fd00::/8 && ip6.dst != {fd00:1::/32,fd00:2::/32}",
    ),
    "a block and pods": (
        peers(block("10.0.0.0/8"), SELECTED),
        f" && (ip4.dst == 10.0.0.0/8 || ((ip4.dst == {{${D4}}} || ip6.dst == {{${D6}}})))",
    ),
    "blocks, one without parts": (
        peers(block("10.0.0.0/8", "10.1.0.0/16"), block("fd00::/8")),
        " && ((ip4.dst == 10.0.0.0/8 && ip4.dst != {10.1.0.0/16}) || ip6.dst == fd00::/8)",
    ),
    "an empty selector": (peers({"podSelector": {}}), " && (ip4.dst == 0.0.0.0/0 || ip6.dst == ::/0)"),
    "a port of a block": (
        peers(block("10.0.0.0/8"), ports=[port("TCP", 80)]),
        " && ip4.dst == 10.0.0.0/8 && tcp && tcp.dst == 80",
    ),
    "ports of protocols": (
        peers(block("10.0.0.0/8"), ports=[port("UDP", 53), port("TCP", 80), port("TCP", 443), port("SCTP")]),
        " && ip4.dst == 10.0.0.0/8 && ((sctp) || (tcp && tcp.dst == {80,443}) || (udp && udp.dst == 53))",
    ),
    "ports alone": (
        {"dscp": 8, "classifier": {"ports": [port("TCP", 80)]}},
        " &&  && tcp && tcp.dst == 80",
    ),
}
"""Rules with what their matches are after the sources, as `Classifier.ToQosMatchString` in ovn-kubernetes gives it."""


@pytest.mark.parametrize("named", DESTINATIONS)
def test_its_matches_are_the_real_one_s(named: str) -> None:
    """Which parts stand in brackets, what an empty selector means, how ports are joined, is as its source says."""
    rule, expected = DESTINATIONS[named]
    assert rows_of(rule)[0]["match"] == f"(ip4.src == {{${S4}}} || ip6.src == {{${S6}}})" + expected


def rows_of(*rules: Object, network: Network = DEFAULT) -> list[Any]:
    """Give its rows for a policy with rules on a network, with maps as such."""
    return [each["row"] for each in operations_of(*rules, network=network)[-1] if each["table"] == "QoS"]


def operations_of(*rules: Object, network: Network = DEFAULT) -> list[list[Any]]:
    """Give its transactions for a policy with rules on a network that has one pod, on this node."""
    policy = {"metadata": {"namespace": "games", "name": "all"}, "spec": {"priority": 7, "egress": rules}}
    annotation = {network.name: {"ip_addresses": ["10.0.0.5/24", "fd00::5/64"]}}
    annotations = {"k8s.ovn.org/pod-networks": json.dumps(annotation)}
    pod = {"metadata": {"namespace": "games", "name": "web", "annotations": annotations}, "spec": {"nodeName": NODE}}
    sent = Reconciliation(NODE, network, policy, frozenset()).transactions([pod])
    return [[_plain(each) for each in transaction] for transaction in sent]


def _plain(value: Any) -> Any:  # noqa: ANN401
    """Give a value of the OVSDB protocol with its maps and sets as such."""
    match value:
        case ["map", pairs]:
            return dict(pairs)
        case dict():
            return {key: _plain(each) for key, each in value.items()}
        case _:
            return value


def test_its_transactions_are_the_real_one_s_field_by_field() -> None:
    """Each set with both families, a pod's addresses in one, and the rows with the switch, have every column of it."""
    rules = {"dscp": 46, "bandwidth": {"rate": 500, "burst": 50}}, {"dscp": 0}
    match = f"(ip4.src == {{${S4}}} || ip6.src == {{${S6}}})"
    owner = {
        "k8s.ovn.org/owner-type": "NetworkQoS",
        "k8s.ovn.org/owner-controller": "default-network-controller",
        "k8s.ovn.org/name": "games:all",
    }
    sets = [
        {
            "name": name,
            "external_ids": owner
            | {
                "k8s.ovn.org/id": f"{ID}:src:0:{family}",
                "rule-index": "src",
                "ip-block-index": "0",
                "ip-family": family,
            },
        }
        for name, family in ((S4, "v4"), (S6, "v6"))
    ]
    rows = [
        {
            "priority": 10070 + index,
            "direction": "to-lport",
            "match": match,
            "action": {"dscp": dscp},
            "bandwidth": bandwidth,
            "external_ids": owner | {"k8s.ovn.org/id": f"{ID}:{index}", "rule-index": f"{index}"},
        }
        for index, (dscp, bandwidth) in enumerate([(46, {"rate": 500, "burst": 50}), (0, {})])
    ]
    created, added, bound = operations_of(*rules)
    assert created == [{"op": "insert", "table": "Address_Set", "row": each} for each in sets]
    assert [(each["where"], each["mutations"]) for each in added] == [
        ([["name", "==", S6]], [["addresses", "insert", ["set", ["fd00::5"]]]]),
        ([["name", "==", S4]], [["addresses", "insert", ["set", ["10.0.0.5"]]]]),
    ]
    assert [each["row"] for each in bound[:-1]] == rows
    uuids = ["set", [["named-uuid", "row0"], ["named-uuid", "row1"]]]
    assert bound[-1]["where"] == [["name", "==", NODE]]
    assert bound[-1]["mutations"] == [["qos_rules", "insert", uuids]]


def test_its_rows_of_a_network_name_that_and_its_families_only() -> None:
    """The rows of another network carry its name; a family without a range has no set, and no range has no source."""
    one = Network("blue", frozenset(["blue"]), "layer2", ("v4",))
    source = hashed("blue-network-controller:NetworkQoS:games:all:src:0:v4")
    (row,) = rows_of({"dscp": 8}, network=one)
    assert row["match"] == f"ip4.src == {{${source}}}"
    assert row["external_ids"]["k8s.ovn.org/network"] == "blue"
    none = attrs.evolve(one, families=())
    assert [each["match"] for each in rows_of(peers(block("10.0.0.0/8")), network=none)] == [
        " && ip4.dst == 10.0.0.0/8"
    ]


def test_its_names_of_sets_are_the_real_one_s() -> None:
    """They are an FNV-1a hash of 64 bits, in decimal, by the vectors that its authors published."""
    vectors = {"": 0xCBF29CE484222325, "a": 0xAF63DC4C8601EC8C, "foobar": 0x85944171F73967E8}
    assert {text: hashed(text) for text in vectors} == {text: f"a{value}" for text, value in vectors.items()}


def test_its_condition_is_the_real_one_s() -> None:
    """It is applied as the node, by force, to the subresource, without a generation; its time of transition stays."""
    policy = {"metadata": {"namespace": "games", "name": "all", "resourceVersion": "7"}}
    condition = {
        "type": "Ready-In-Zone-n1",
        "status": "True",
        "observedGeneration": 0,
        "reason": "Success",
        "message": "NetworkQoS was applied successfully",
        "lastTransitionTime": "2026-08-21T10:00:00Z",
    }
    expected = {
        "apiVersion": "k8s.ovn.org/v1alpha1",
        "kind": "NetworkQoS",
        "metadata": {"namespace": "games", "name": "all"},
        "status": {"conditions": [condition]},
    }
    base = "/apis/k8s.ovn.org/v1alpha1/namespaces/games/networkqoses/all/status"
    path = f"{base}?fieldManager=n1&force=true"
    first, later = (dt.datetime(2026, 8, 21, hour, tzinfo=dt.UTC) for hour in (10, 11))
    assert condition_of("n1", policy, first) == (path, expected)
    assert condition_of("n1", {**policy, "status": expected["status"]}, later) == (path, expected)
