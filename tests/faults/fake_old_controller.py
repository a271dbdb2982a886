"""A fake of the NetworkQoS controller in ovn-kubernetes, one of those that run on each node.

In: policies, pods and definitions of networks. Out: the transactions that it would send to the database of its node, in
its order, and its condition in each policy. Rule: what others see of it is as the real one leaves it, to the letter:
names, owner, ids, priorities, direction, match, a transaction for each pod and set, a server-side apply in the name of
its node. `test_fake_old_controller` holds it against what the source of ovn-kubernetes (8871cd9c) says. It knows pods
and peers by the `matchLabels` of their own namespace only, and two ways to select networks: none, and all
NetworkAttachmentDefinitions of the policy's own namespace.
"""

import datetime as dt
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeAlias

import attrs

from tests.faults.cluster import Cluster
from tests.faults.contents import Database

APPLY = "application/apply-patch+yaml"
FAMILIES = {"v4": "ip4", "v6": "ip6"}
OF_DEFAULT = "default"
SOURCES = ("src", "0")
"""What the set of a policy's sources has in place of a rule's number and a peer's."""

Object: TypeAlias = Mapping[str, Any]
Operation: TypeAlias = Mapping[str, Any]


@attrs.frozen
class Network:
    """A network as its controller knows it: its name, the keys of pods' attachments to it, its ranges' families."""

    name: str
    attachments: frozenset[str]
    topology: str = "layer3"
    families: tuple[str, ...] = tuple(FAMILIES)

    @property
    def controller(self) -> str:
        """The name of its controller."""
        return f"{self.name}-network-controller"

    @property
    def ids(self) -> dict[str, str]:
        """What its rows' external_ids say of it."""
        return {} if self.name == OF_DEFAULT else {"k8s.ovn.org/network": self.name}

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
            ranges = [each for each in config.get("subnets", "").split(",") if each]
            families = sorted({"v6" if ":" in each else "v4" for each in ranges})
            new = Network(config["name"], frozenset(), config["topology"], tuple(families))
            known = found.get(config["name"], new)
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
        """Give its transactions: each set, each pod in each set, and the rows with the first source on the switch."""
        for parts in (SOURCES, *self._peers()):
            if sets := [each for each in self._sets(parts) if each["row"]["name"] not in self.present]:
                yield sets
        is_bound = self._id("0") in self.present
        for pod in pods:
            addresses = addresses_of(pod, self.network)
            if addresses and self._is_source(pod):
                yield from self._additions(SOURCES, addresses)
                if not is_bound:
                    is_bound = True
                    yield [*self._rows(), self._bind()]
            for parts, selector in self._peers().items():
                if self._is_in_namespace(pod) and _matches(selector, pod):
                    yield from self._additions(parts, addresses)

    def _is_source(self, pod: Object) -> bool:
        is_here = pod["spec"]["nodeName"] == self.node and self._is_in_namespace(pod)
        return is_here and _matches(self.policy["spec"].get("podSelector", {}), pod)

    def _is_in_namespace(self, pod: Object) -> bool:
        return bool(pod["metadata"]["namespace"] == self.policy["metadata"]["namespace"])

    def _peers(self) -> dict[tuple[str, str], Object]:
        """Give the selector of each peer that has one, by its rule's number and its own: an empty one is none."""
        return {
            (str(index), str(position)): peer["podSelector"]
            for index, rule in enumerate(self.policy["spec"]["egress"])
            for position, peer in enumerate(rule.get("classifier", {}).get("to", []))
            if peer.get("podSelector")
        }

    def _sets(self, parts: tuple[str, str]) -> Iterator[dict[str, Any]]:
        for family in self.network.families:
            ids = {"rule-index": parts[0], "ip-block-index": parts[1], "ip-family": family}
            row = {"name": self._set(parts, family), "external_ids": _map(self._ids(*parts, family) | ids)}
            yield {"op": "insert", "table": "Address_Set", "row": row}

    def _additions(self, parts: tuple[str, str], addresses: Sequence[str]) -> Iterator[Sequence[Operation]]:
        """Give the transaction that adds a pod's addresses to a set, if it has any there."""
        found = [
            _add(self._set(parts, family), those)
            for family in reversed(self.network.families)
            if (those := [each for each in addresses if (":" in each) == (family == "v6")])
        ]
        if found:
            yield found

    def _rows(self) -> Iterator[Operation]:
        spec = self.policy["spec"]
        for index, rule in enumerate(spec["egress"]):
            row = {
                "priority": 10000 + 10 * spec["priority"] + index,
                "direction": "to-lport",
                "match": self._match(index, rule),
                "action": _map({"dscp": rule["dscp"]}),
                "bandwidth": _map(rule.get("bandwidth", {})),
                "external_ids": _map(self._ids(str(index)) | {"rule-index": str(index)} | self.network.ids),
            }
            yield {"op": "insert", "table": "QoS", "uuid-name": f"row{index}", "row": row}

    def _bind(self) -> Operation:
        uuids = [["named-uuid", f"row{index}"] for index in range(len(self.policy["spec"]["egress"]))]
        where = [["name", "==", self.network.switch(self.node)]]
        mutations = [["qos_rules", "insert", ["set", uuids]]]
        return {"op": "mutate", "table": "Logical_Switch", "where": where, "mutations": mutations}

    def _match(self, index: int, rule: Object) -> str:
        classifier = rule.get("classifier", {})
        parts = [self._any_of(SOURCES, "src")]
        peers = [self._peer((str(index), f"{at}"), each) for at, each in enumerate(classifier.get("to", []))]
        if text := _destinations(peers) + _ports(classifier.get("ports", [])):
            parts.append(text)
        return " && ".join(parts)

    def _peer(self, parts: tuple[str, str], peer: Object) -> str:
        if parts in self._peers():
            return self._any_of(parts, "dst")
        if "ipBlock" not in peer:
            return "ip4.dst == 0.0.0.0/0 || ip6.dst == ::/0"
        cidr, excepts = peer["ipBlock"]["cidr"], peer["ipBlock"].get("except", [])
        field = f"{'ip6' if ':' in cidr else 'ip4'}.dst"
        return f"{field} == {cidr}" + (f" && {field} != {{{','.join(excepts)}}}" if excepts else "")

    def _any_of(self, parts: tuple[str, str], end: str) -> str:
        sets = [f"{FAMILIES[each]}.{end} == {{${self._set(parts, each)}}}" for each in self.network.families]
        return f"({' || '.join(sets)})" if len(sets) > 1 else "".join(sets)

    def _set(self, parts: tuple[str, str], family: str) -> str:
        return hashed(self._id(*parts, family))

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


def condition_of(node: str, policy: Object, now: dt.datetime) -> tuple[str, Object]:
    """Give the path and the body of the server-side apply of a node's condition."""
    metadata, type_ = policy["metadata"], f"Ready-In-Zone-{node}"
    known = {each["type"]: each for each in policy.get("status", {}).get("conditions", [])}
    since = known.get(type_, {}).get("lastTransitionTime", now.strftime("%Y-%m-%dT%H:%M:%SZ"))
    condition = {
        "type": type_,
        "status": "True",
        "observedGeneration": 0,
        "reason": "Success",
        "message": "NetworkQoS was applied successfully",
        "lastTransitionTime": since,
    }
    body = {
        "apiVersion": "k8s.ovn.org/v1alpha1",
        "kind": "NetworkQoS",
        "metadata": {"namespace": metadata["namespace"], "name": metadata["name"]},
        "status": {"conditions": [condition]},
    }
    path = f"/apis/k8s.ovn.org/v1alpha1/namespaces/{metadata['namespace']}/networkqoses/{metadata['name']}/status"
    return f"{path}?fieldManager={node}&force=true", body


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
        path, body = condition_of(self.node, policy, dt.datetime.now(dt.UTC))
        self.cluster.server.request("PATCH", path, body, content_type=APPLY)

    def _present(self) -> frozenset[str]:
        """Give the names of the sets and the ids of the rows that are there."""
        selects: list[Operation] = [{"op": "select", "table": name, "where": []} for name in ("Address_Set", "QoS")]
        found: Any = self.database.transact(*selects)
        ids = [dict(each["external_ids"][1]).get("k8s.ovn.org/id", "") for each in found[1]["rows"]]
        return frozenset([*(each["name"] for each in found[0]["rows"]), *ids])


def _matches(selector: Object, pod: Object) -> bool:
    labels = pod["metadata"].get("labels", {})
    return bool(selector.get("matchLabels", {}).items() <= labels.items())


def _destinations(peers: Sequence[str]) -> str:
    if len(peers) > 1:
        peers = [f"({each})" if "||" in each or "&&" in each else each for each in peers]
    text = " || ".join(peers)
    return f"({text})" if "||" in text else text


def _ports(ports: Iterable[Object]) -> str:
    numbers: dict[str, list[str]] = {}
    for each in ports:
        numbers.setdefault(each["protocol"].lower(), []).extend([str(each["port"])] if "port" in each else [])
    found = []
    for name, those in sorted(numbers.items()):
        right = f"{{{','.join(those)}}}" if len(those) > 1 else "".join(those)
        found.append(f"{name} && {name}.dst == {right}" if right else name)
    text = f"(({') || ('.join(found)}))" if len(found) > 1 else "".join(found)
    return f" && {text}" if text else ""


def hashed(text: str) -> str:
    """Give the name that a set with an id has: its FNV-1a of 64 bits."""
    value = 0xCBF29CE484222325
    for byte in text.encode():
        value = (value ^ byte) * 0x100000001B3 % 2**64
    return f"a{value}"


def _add(name: str, addresses: Sequence[str]) -> Operation:
    mutations = [["addresses", "insert", ["set", addresses]]]
    return {"op": "mutate", "table": "Address_Set", "where": [["name", "==", name]], "mutations": mutations}


def _map(values: Mapping[str, object]) -> list[object]:
    return ["map", [list(each) for each in values.items()]]
