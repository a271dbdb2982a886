"""A fake of the NetworkQoS controller in ovn-kubernetes, one of those that run on each node.

In: policies, pods and definitions of networks. Out: the transactions that it would send to the database of its node, in
its order, and its condition in each policy. Rule: what others see of it is as the real one leaves it: owner, ids,
priorities, direction, a set of all sources of a policy, a transaction for each address, a server-side apply in the name
of its node. It knows label selectors by `matchLabels` only, blocks, ports, and two ways to select networks: none, and
all NetworkAttachmentDefinitions of the policy's own namespace.
"""

import datetime as dt
import json
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeAlias

import attrs

from tests.faults.cluster import Cluster
from tests.faults.contents import Database

APPLY = "application/apply-patch+yaml"
FAMILIES = {"v4": "ip4", "v6": "ip6"}
OF_DEFAULT = "default"

Object: TypeAlias = Mapping[str, Any]
Operation: TypeAlias = Mapping[str, Any]


@attrs.frozen
class Network:
    """A network as its controller knows it: its name, and the keys of pods' attachments to it."""

    name: str
    attachments: frozenset[str]
    topology: str = "layer3"

    @property
    def controller(self) -> str:
        """The name of its controller."""
        return f"{self.name}-network-controller"

    def switch(self, node: str) -> str:
        """The switch of its pods on a node."""
        prefix = "" if self.name == OF_DEFAULT else self.name.replace("-", ".").replace("/", ".") + "_"
        return prefix + (node if self.topology == "layer3" else f"ovn_{self.topology}_switch")


def networks_of(policy: Object, definitions: Iterable[Object]) -> list[Network]:
    """Give the networks that a policy selects."""
    if not policy["spec"].get("networkSelectors"):
        return [Network(OF_DEFAULT, frozenset([OF_DEFAULT]))]
    found: dict[str, Network] = {}
    for each in definitions:
        metadata, config = each["metadata"], json.loads(each["spec"].get("config") or "{}")
        if metadata["namespace"] == policy["metadata"]["namespace"] and "topology" in config:
            known = found.get(config["name"], Network(config["name"], frozenset(), config["topology"]))
            key = f"{metadata['namespace']}/{metadata['name']}"
            found[known.name] = attrs.evolve(known, attachments=known.attachments | {key})
    return list(found.values())


def addresses_of(pod: Object, network: Network) -> list[str]:
    """Give a pod's addresses on a network, without their lengths."""
    annotations = pod["metadata"].get("annotations", {})
    attachments = json.loads(annotations.get("k8s.ovn.org/pod-networks", "{}"))
    keys = [key for key in attachments if network.attachments & {key, key.rpartition("/")[0]}]  # one may come twice
    found = [each for key in keys for each in _addresses(attachments[key])]
    return [each.partition("/")[0] for each in found]


def _addresses(attachment: Object) -> Iterable[str]:
    found: list[str] = attachment["ip_addresses"] or []
    return found


@attrs.frozen
class Reconciliation:
    """What the controller of one network on one node does for one policy; `present`: names of sets, ids of rows."""

    node: str
    network: Network
    policy: Object
    present: frozenset[str]

    def transactions(self, pods: Iterable[Object]) -> Iterator[Sequence[Operation]]:
        """Give its transactions: sets, then each address, and the rows with the first source on the switch."""
        if sets := [each for each in self._sets() if each["row"]["name"] not in self.present]:
            yield sets
        is_bound = self._id("0") in self.present
        for pod in pods:
            addresses = addresses_of(pod, self.network)
            is_source = self._is_source(pod) and bool(addresses)
            for name in [*(["src"] if is_source else []), *self._peers(pod)]:
                for address in addresses:
                    yield [_add(self._set(name, "v6" if ":" in address else "v4"), address)]
            if is_source and not is_bound:
                is_bound = True
                yield [*self._rows(), self._bind()]

    def _is_source(self, pod: Object) -> bool:
        selector = self.policy["spec"].get("podSelector", {})
        return (
            pod["spec"]["nodeName"] == self.node
            and pod["metadata"]["namespace"] == self.policy["metadata"]["namespace"]
            and _matches(selector, pod)
        )

    def _peers(self, pod: Object) -> Iterator[str]:
        """Name the sets of destinations that a pod is in."""
        for index, rule in enumerate(self.policy["spec"]["egress"]):
            for position, peer in enumerate(rule.get("classifier", {}).get("to", [])):
                if peer.get("podSelector") and _matches(peer["podSelector"], pod):
                    yield f"{index}.{position}"

    def _sets(self) -> Iterator[dict[str, Any]]:
        names = {"src": ("src", "0")} | {
            f"{index}.{position}": (f"{index}", f"{position}")
            for index, rule in enumerate(self.policy["spec"]["egress"])
            for position, peer in enumerate(rule.get("classifier", {}).get("to", []))
            if peer.get("podSelector")
        }
        for name, (index, block) in names.items():
            for family in FAMILIES:
                ids = {"rule-index": index, "ip-block-index": block, "ip-family": family}
                row = {"name": self._set(name, family), "external_ids": _map(self._ids(*ids.values()) | ids)}
                yield {"op": "insert", "table": "Address_Set", "row": row}

    def _rows(self) -> Iterator[Operation]:
        spec = self.policy["spec"]
        for index, rule in enumerate(spec["egress"]):
            row = {
                "priority": 10000 + 10 * spec["priority"] + index,
                "direction": "to-lport",
                "match": self._match(index, rule),
                "action": _map({"dscp": rule["dscp"]}),
                "bandwidth": _map(rule.get("bandwidth", {})),
                "external_ids": _map(self._ids(str(index)) | {"rule-index": str(index)}),
            }
            yield {"op": "insert", "table": "QoS", "uuid-name": f"row{index}", "row": row}

    def _bind(self) -> Operation:
        uuids = [["named-uuid", f"row{index}"] for index in range(len(self.policy["spec"]["egress"]))]
        where = [["name", "==", self.network.switch(self.node)]]
        mutations = [["qos_rules", "insert", ["set", uuids]]]
        return {"op": "mutate", "table": "Logical_Switch", "where": where, "mutations": mutations}

    def _match(self, index: int, rule: Object) -> str:
        classifier = rule.get("classifier", {})
        parts = [self._any_of("src", "src")]
        peers = [self._peer(f"{index}.{position}", peer) for position, peer in enumerate(classifier.get("to", []))]
        parts += peers if len(peers) == 1 else [" || ".join(f"({each})" for each in peers)] if peers else []
        for each in classifier.get("ports", []):
            name = each["protocol"].lower()
            parts += [name, *([f"{name}.dst == {each['port']}"] if "port" in each else [])]
        return " && ".join(parts)

    def _peer(self, name: str, peer: Object) -> str:
        if "ipBlock" not in peer:
            return self._any_of(name, "dst")
        cidr, excepts = peer["ipBlock"]["cidr"], peer["ipBlock"].get("except", [])
        field = f"{'ip6' if ':' in cidr else 'ip4'}.dst"
        return f"{field} == {cidr}" + (f" && {field} != {{{','.join(excepts)}}}" if excepts else "")

    def _any_of(self, name: str, end: str) -> str:
        sets = [f"{ip}.{end} == {{${self._set(name, family)}}}" for family, ip in FAMILIES.items()]
        return f"({' || '.join(sets)})"

    def _set(self, name: str, family: str) -> str:
        return f"a{zlib.crc32(f'{self._id(name)}:{family}'.encode())}"

    def _id(self, *parts: str) -> str:
        metadata = self.policy["metadata"]
        name = f"{metadata['namespace']}:{metadata['name']}"
        return ":".join((self.network.controller, "NetworkQoS", name, *parts))

    def _ids(self, *parts: str) -> dict[str, str]:
        metadata = self.policy["metadata"]
        return {
            "k8s.ovn.org/owner-type": "NetworkQoS",
            "k8s.ovn.org/owner-controller": self.network.controller,
            "k8s.ovn.org/name": f"{metadata['namespace']}:{metadata['name']}",
            "k8s.ovn.org/id": self._id(*parts),
        }


@attrs.define
class FakeOldController:
    """The controllers of all networks on one node; between two calls they are idle, or off: nothing shows which."""

    cluster: Cluster
    database: Database
    node: str
    namespace: str

    def reconcile(self) -> None:
        """Do what they do at a start, or at an event: write what is missing, and say so in every policy."""
        objects: Mapping[str, list[Any]] = self.cluster.objects()
        pods = [each for each in objects["Pod"] if each["metadata"]["namespace"] == self.namespace]
        for policy in objects["NetworkQoS"]:
            for network in networks_of(policy, objects["NetworkAttachmentDefinition"]):
                work = Reconciliation(self.node, network, policy, self._present())
                for transaction in work.transactions(pods):
                    self.database.transact(*transaction)
            self.say(policy)

    def say(self, policy: Object) -> None:
        """Write the condition of this node into a policy, as the node's field manager, by force."""
        metadata, type_ = policy["metadata"], f"Ready-In-Zone-{self.node}"
        known = {each["type"]: each for each in policy.get("status", {}).get("conditions", [])}
        condition = {
            "type": type_,
            "status": "True",
            "observedGeneration": 0,
            "reason": "Success",
            "message": "NetworkQoS was applied successfully",
            "lastTransitionTime": known.get(type_, {}).get(
                "lastTransitionTime", dt.datetime.now(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
            ),
        }
        body = {
            "apiVersion": "k8s.ovn.org/v1alpha1",
            "kind": "NetworkQoS",
            "metadata": {"namespace": metadata["namespace"], "name": metadata["name"]},
            "status": {"conditions": [condition]},
        }
        path = f"/apis/k8s.ovn.org/v1alpha1/namespaces/{metadata['namespace']}/networkqoses/{metadata['name']}/status"
        query = f"?fieldManager={self.node}&force=true"
        self.cluster.server.request("PATCH", path + query, body, content_type=APPLY)

    def _present(self) -> frozenset[str]:
        """Give the names of the sets and the ids of the rows that are there."""
        selects: list[Operation] = [{"op": "select", "table": name, "where": []} for name in ("Address_Set", "QoS")]
        found: Any = self.database.transact(*selects)
        ids = [dict(each["external_ids"][1]).get("k8s.ovn.org/id", "") for each in found[1]["rows"]]
        return frozenset([*(each["name"] for each in found[0]["rows"]), *ids])


def _matches(selector: Object, pod: Object) -> bool:
    labels = pod["metadata"].get("labels", {})
    return bool(selector.get("matchLabels", {}).items() <= labels.items())


def _add(name: str, address: str) -> Operation:
    mutations = [["addresses", "insert", ["set", [address]]]]
    return {"op": "mutate", "table": "Address_Set", "where": [["name", "==", name]], "mutations": mutations}


def _map(values: Mapping[str, object]) -> list[object]:
    return ["map", [list(each) for each in values.items()]]
