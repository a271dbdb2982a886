"""What the NetworkQoS objects of a cluster mean: which rule a packet takes.

In: decoded objects of a cluster, grouped by kind, and two settings. Out: an `Oracle`, which says for a packet of a pod
which policy's which rule it takes, and for policies whether they are valid, applied, and for which pods. It is written
from the definition of NetworkQoS (design, section 2) alone and shares no code with the compiler, so that one can prove
the other right. The rule: one packet takes one rule, or none.

Where the definition leaves a choice:

- On the wire a sender is known by its source address on its switch: a packet takes the rules of every live source pod
  of that switch that has this address. Two pods with one address on one switch share their fate.
- Policies of different namespaces can meet only there. Where both have the same priority, nothing says which wins:
  `UndecidedError`.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from functools import cached_property, partial

import attrs

from tests.oracle.cluster import Cluster, Sender, read_cluster
from tests.oracle.decoded import Object, at, mapping, object_key, sequence, text
from tests.oracle.networks import DEFAULT
from tests.oracle.packet import Address, Packet, Treatment
from tests.oracle.precedence import priority, ranked, seniority
from tests.oracle.rules import Rule, read_rule
from tests.oracle.selectors import Problem, read_selector
from tests.oracle.validity import SCOPE_ANNOTATION, problems

Place = tuple[str, str]
"""A network and one of its logical switches."""


class UndecidedError(Exception):
    """Policies of two namespaces, equal in priority, claim one packet: the definition doesn't say which wins."""


@attrs.frozen
class Sources:
    """A policy's source pods on one switch: their keys, addresses, and logical ports where they have no address."""

    pods: frozenset[str]
    addresses: frozenset[Address]
    ports: frozenset[str]

    def sent(self, sender: Sender, packet: Packet) -> bool:
        """Whether a packet comes from one of them."""
        return packet.source in self.addresses or sender.port in self.ports


@attrs.frozen
class Decision:
    """The rule that a packet takes: policy `<namespace>/<name>`, index in `spec.egress`, and its action."""

    policy: str
    rule: int
    dscp: int
    rate: int | None
    burst: int | None

    @property
    def treatment(self) -> Treatment:
        """What it does to the packet."""
        return Treatment.of(self.dscp, self.rate, self.burst)


@attrs.frozen
class Policy:
    """A policy that is applied.

    Args:
        key: `<namespace>/<name>`
        namespace: its own
        priority: 0..100
        limit_per_pod: whether each source pod has a limit of its own
        networks: names of the networks that it selects, whether it has source pods there or not
        sources: its source pods, by network and switch; places without any are left out
        rules: for each network with source pods, its rules in the order of `spec.egress`
    """

    key: str
    namespace: str
    priority: int
    limit_per_pod: bool
    networks: frozenset[str]
    sources: Mapping[Place, Sources]
    rules: Mapping[str, tuple[Rule, ...]]

    def decide(self, sender: Sender, packet: Packet) -> Decision | None:
        """The last rule that matches a packet of a source pod."""
        if not self.sources[sender.network, sender.switch].sent(sender, packet):
            return None
        for index, rule in reversed(tuple(enumerate(self.rules[sender.network]))):
            if rule.matches(packet):
                return Decision(self.key, index, rule.dscp, rule.rate, rule.burst)
        return None


@attrs.frozen
class Members:
    """How many addresses the selectors of a policy choose.

    Args:
        of_peers: those of its classifiers, equal ones once
        of_senders: its podSelector
        senders: which senders these are
    """

    of_peers: int
    of_senders: int
    senders: object

    @property
    def total(self) -> int:
        """All of them."""
        return self.of_peers + self.of_senders


@attrs.frozen(slots=False)
class Oracle:
    """The meaning of a cluster's NetworkQoS objects.

    Args:
        cluster: its pods, networks and senders
        problems: of each invalid policy, by key
        crowded_out: keys of the valid policies that aren't applied, because ten of their namespace and priority win
        applied: the policies that are applied, by key, those with higher precedence first
        members: how many addresses their selectors choose, of senders in this zone; by key, the older policies first
    """

    cluster: Cluster
    problems: Mapping[str, tuple[Problem, ...]]
    crowded_out: frozenset[str]
    applied: Mapping[str, Policy]
    members: Mapping[str, Members]

    def beyond(self, most: int, most_of_namespace: int) -> frozenset[str]:
        """The applied policies that wouldn't be, if their selectors might choose so many addresses and no more.

        The older policies of a namespace have theirs first, senders once for all that have the same; one for which
        there is no room takes none, and neither does one without senders.
        """
        taken: Counter[str] = Counter()
        counted: set[tuple[str, object]] = set()
        found = set()
        for key, mine in self.members.items():
            if not mine.of_senders:
                continue
            namespace = self.applied[key].namespace
            number = mine.of_peers + (0 if (namespace, mine.senders) in counted else mine.of_senders)
            if mine.total > most or taken[namespace] + number > most_of_namespace:
                found.add(key)
            else:
                taken[namespace] += number
                counted.add((namespace, mine.senders))
        return frozenset(found)

    @property
    def senders(self) -> tuple[Sender, ...]:
        """Every attachment that can send in this zone, whether a policy is about it or not."""
        return self.cluster.senders

    def sender(self, pod: str, network: str) -> Sender:
        """A pod's first attachment to a network.

        Raises:
            LookupError: it can't send there in this zone.
        """
        found = [sender for sender in self.senders if (sender.pod, sender.network) == (pod, network)]
        if not found:
            raise LookupError(f"pod {pod} can't send on network {network} in this zone")
        return found[0]

    def decide(self, sender: Sender, packet: Packet) -> Decision | None:
        """Say which rule a packet of a sender takes; None for no rule.

        Raises:
            UndecidedError: see there.
        """
        best: tuple[Policy, Decision] | None = None
        for policy in self._by_place.get((sender.network, sender.switch), ()):
            if best is not None and policy.priority != best[0].priority:
                break
            if best is not None and policy.namespace == best[0].namespace:
                continue
            decision = policy.decide(sender, packet)
            if decision is not None and best is not None:
                raise UndecidedError(f"{packet} may take a rule of {best[1].policy} or of {decision.policy}")
            if decision is not None:
                best = (policy, decision)
        return None if best is None else best[1]

    @cached_property
    def _by_place(self) -> Mapping[Place, tuple[Policy, ...]]:
        policies = tuple(self.applied.values())
        places = {place for policy in policies for place in policy.sources}
        return {place: tuple(policy for policy in policies if place in policy.sources) for place in places}


def read_meaning(
    objects: Mapping[str, Iterable[Object]], *, zone: str | None = None, unselected_networks: str = "all"
) -> Oracle:
    """Work out what a cluster's NetworkQoS objects mean.

    Args:
        objects: decoded manifests by kind (`NetworkQoS`, `Pod`, `Namespace`, `Node`, `NetworkAttachmentDefinition`,
            `UserDefinedNetwork`, `ClusterUserDefinedNetwork`)
        zone: the zone whose pods are sources; None, empty or "global" is the whole cluster
        unselected_networks: what a policy without networkSelectors is about, `all` or `default`
    """
    cluster = read_cluster(objects, zone)
    policies = list(objects.get("NetworkQoS", ()))
    wrong = {object_key(policy): found for policy in policies if (found := problems(policy))}
    applied, crowded_out = ranked(policy for policy in policies if object_key(policy) not in wrong)
    return Oracle(
        cluster=cluster,
        problems=wrong,
        crowded_out=frozenset(map(object_key, crowded_out)),
        applied={object_key(policy): _read_policy(policy, cluster, unselected_networks) for policy in applied},
        members={
            object_key(policy): _members(policy, cluster, unselected_networks)
            for policy in sorted(applied, key=seniority)
        },
    )


def _members(policy: Object, cluster: Cluster, unselected: str) -> Members:
    namespace = text(policy, "metadata", "namespace")
    entries: dict[object, Object] = {}
    for rule in sequence(policy, "spec", "egress"):
        for entry in map(mapping, (*sequence(rule, "classifier", "to"), *sequence(rule, "classifier", "from"))):
            selectors = [entry.get(name) for name in ("namespaceSelector", "podSelector")]
            if any(each is not None for each in selectors):
                read = [frozenset(read_selector(each).requirements) for each in selectors]
                entries[selectors[0] is None, *read] = entry
    selector = at(policy, "spec", "podSelector")
    sending = {sender.pod for sender in cluster.senders}
    return Members(
        of_peers=sum(cluster.members(cluster.chosen(entry, namespace)) for entry in entries.values()),
        of_senders=cluster.members(
            pod for pod in cluster.chosen({"podSelector": selector}, namespace) if pod.key in sending
        ),
        senders=(frozenset(read_selector(selector).requirements), _names_default(policy, cluster, unselected)),
    )


def _names_default(policy: Object, cluster: Cluster, unselected: str) -> bool:
    """Whether interfaces that pods have for the kubelet alone are among the senders."""
    named = unselected == "default" or bool(sequence(policy, "spec", "networkSelectors"))
    return named and DEFAULT in cluster.networks.selected(policy, unselected)


def _read_policy(policy: Object, cluster: Cluster, unselected: str) -> Policy:
    namespace = text(policy, "metadata", "namespace")
    selected = cluster.networks.selected(policy, unselected)
    named = unselected == "default" or bool(sequence(policy, "spec", "networkSelectors"))
    by_place: dict[Place, list[Sender]] = {}
    for sender in cluster.senders_of(namespace, at(policy, "spec", "podSelector")):
        if sender.network in selected and (not sender.locked or named):
            by_place.setdefault((sender.network, sender.switch), []).append(sender)
    rules = {
        network: tuple(
            read_rule(mapping(rule), partial(cluster.peers, namespace=namespace, network=network))
            for rule in sequence(policy, "spec", "egress")
        )
        for network in {network for network, _ in by_place}
    }
    return Policy(
        key=object_key(policy),
        namespace=namespace,
        priority=priority(policy),
        limit_per_pod=at(policy, "metadata", "annotations", SCOPE_ANNOTATION) == "Pod",
        networks=selected,
        sources={place: _sources(senders) for place, senders in by_place.items()},
        rules=rules,
    )


def _sources(senders: Iterable[Sender]) -> Sources:
    found = tuple(senders)
    return Sources(
        pods=frozenset(sender.pod for sender in found),
        addresses=frozenset(address for sender in found for address in sender.addresses),
        ports=frozenset(sender.port for sender in found if not sender.addresses),
    )
