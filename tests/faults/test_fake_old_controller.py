"""The fake of the old controller writes what a real one would, for a cluster as a real one was found to be.

Its pods and definitions are those of `tests/compiler/ovn_kubernetes`, its switches and their ports those of
`tests/dataplane/fixtures`.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.faults import manifests
from tests.faults.fake_old_controller import Object, Operation, Reconciliation, networks_of
from tests.faults.test_moving_over import of_network

TESTS = Path(__file__).parents[1]
NODE = "n1"


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
    """For each network the rows are on the switch that has the pods' ports, and its set has the addresses of these."""
    found = set()
    for switch, operations in transactions():
        bound = [each["where"] for each in operations if each["table"] == "Logical_Switch"]
        sources = [each for each in operations if each["table"] == "Address_Set" and each["op"] == "mutate"]
        assert bound == ([[["name", "==", switch]]] if sources else [])
        found |= {(switch, address) for each in sources for address in each["mutations"][0][2][1]}
    assert found == senders_of_ports()


def test_its_rows_have_the_form_of_the_real_one_s() -> None:
    """Direction, priority, owner and ids of rows and sets are as its own source gives them."""
    for _switch, operations in transactions():
        rows = [each["row"] for each in operations if each["table"] == "QoS"]
        sets = [each["row"] for each in operations if each["op"] == "insert" and each["table"] == "Address_Set"]
        for index, row in enumerate(rows):
            ids = dict(row["external_ids"][1])
            assert (row["direction"], row["priority"], ids["rule-index"]) == ("to-lport", 10070 + index, str(index))
            assert ids["k8s.ovn.org/id"].endswith(f"-network-controller:NetworkQoS:{ids['k8s.ovn.org/name']}:{index}")
        for each in [*rows, *sets]:
            assert dict(each["external_ids"][1])["k8s.ovn.org/owner-type"] == "NetworkQoS"
        assert {dict(each["external_ids"][1])["ip-family"] for each in sets} == {"v4", "v6"}
