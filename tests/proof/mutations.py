"""Compilers that are wrong in one way each.

In: nothing. Out: for each mutation, which parts of `nqosd` to replace, each by a function of what is there. Rule: a
mutation changes one decision and raises nothing, so that it is its rows that give it away.
"""

from collections.abc import Mapping

from msgspec.structs import replace

from nqosd.api.labels import EVERYTHING, Operator
from nqosd.api.networkqos import AnyAddress, BandwidthScope, PodPeer, Protocol
from nqosd.cache.selections import PodSelection, SelectionUse
from nqosd.compiler.desired import NEVER_BITES, Direction, Family
from nqosd.compiler.expression import ALWAYS, NOTHING
from nqosd.compiler.pod_addresses import Zone
from nqosd.compiler.precedence import WINNER
from tests.proof.breaking import (
    Mutation,
    always_on_side,
    in_definitions,
    in_peers,
    in_places,
    in_ports,
    in_ranks,
    with_members,
    with_scope,
)

_OTHER = {Family.IP4: Family.IP6, Family.IP6: Family.IP4, None: None}
_TURNED = {Direction.TO_LPORT: Direction.FROM_LPORT, Direction.FROM_LPORT: Direction.TO_LPORT}
_FIRST_OF_IP6_ALONE = 1 << 32


def _turned(text: str) -> str:
    """Give a text that comes the later in the order of texts the earlier this one does."""
    return "".join(chr(0x7F - ord(character)) for character in text) + "\x7f"


FAMILIES: Mapping[str, Mutation] = {
    "families of pods' addresses swapped": in_places(lambda place: replace(place, family=_OTHER[place.family])),
    "families of blocks swapped": {
        "compiler.matching:covered": lambda real: (
            lambda blocks, family: [found for found in real(blocks, _OTHER[family]) if found[1] < _FIRST_OF_IP6_ALONE]
        )
    },
    "a block of one family lets the other pass": {
        "compiler.matching:Side.test": lambda real: (
            lambda *arguments: ALWAYS if (found := real(*arguments)) == NOTHING else found
        )
    },
    "IPv6 addresses left out": in_places(lambda place: None if place.family is Family.IP6 else place),
}

PREFIXES: Mapping[str, Mutation] = {
    "except dropped": {"compiler.prefixes:_without": lambda _: lambda whole, _holes: [whole]},
    "last except dropped": {
        "compiler.prefixes:_without": lambda real: lambda whole, holes: real(whole, sorted(holes)[:-1])
    },
    "except one address too long": {
        "compiler.prefixes:_without": lambda real: (
            lambda whole, holes: real(whole, [(first, last + 1) for first, last in holes])
        )
    },
    "prefixes one bit too long": {
        "compiler.prefixes:_text": lambda real: (
            lambda first, length, family: real(first, min(length + 1, 32 if family is Family.IP4 else 128), family)
        )
    },
    "blocks end one address early": {
        "compiler.prefixes:_range": lambda real: (
            lambda network: (
                real(network)[0],
                max(real(network)[0], real(network)[1] - 1),
            )
        )
    },
    "only the first prefix written": {
        "compiler.matching:prefixes": lambda real: lambda ranges, family: real(ranges, family)[:1]
    },
    "a prefix missing in a set": {
        "compiler.prefixes:Prefixes.of": lambda real: classmethod(
            lambda cls, family, ranges: real.__func__(cls, family, ranges[1:])
        )
    },
    "all lists of prefixes in one set": {
        "compiler.set_ids:PrefixSet.name": lambda _: lambda _self, _owner: "nqosd_prefixes"
    },
}

PORTS: Mapping[str, Mutation] = {
    "protocol dropped": in_ports(lambda ports: [replace(port, protocol=each) for port in ports for each in Protocol]),
    "protocol is always TCP": in_ports(lambda ports: [replace(port, protocol=Protocol.TCP) for port in ports]),
    "port numbers dropped": in_ports(lambda ports: [replace(port, port=None) for port in ports]),
    "a port narrows its whole protocol": in_ports(
        lambda ports: [
            port
            for port in ports
            if port.port or not any(other.port and other.protocol == port.protocol for other in ports)
        ]
    ),
    "ports dropped": in_ports(lambda _: []),
    "ranges of ports end one late": {
        "compiler.destination_ports:between": lambda real: lambda field, low, high: real(field, low, high + 1)
    },
    "ranges of ports end one early": {
        "compiler.destination_ports:_runs": lambda real: (
            lambda numbers: [(low, max(low, high - 1)) for low, high in real(numbers)]
        )
    },
}

PEERS: Mapping[str, Mutation] = {
    "from dropped": always_on_side("src"),
    "to dropped": always_on_side("dst"),
    "namespaceSelector ignored": in_peers(lambda peer: replace(peer, namespaces=None)),
    "empty namespaceSelector taken for absent": in_peers(
        lambda peer: replace(peer, namespaces=None) if peer.namespaces == EVERYTHING else peer
    ),
    "absent namespaceSelector taken for empty": in_peers(
        lambda peer: replace(peer, namespaces=EVERYTHING) if peer.namespaces is None else peer
    ),
    "podSelector of an entry ignored": in_peers(lambda peer: replace(peer, pods=EVERYTHING)),
    "empty podSelector taken for any address": in_peers(lambda peer: AnyAddress() if peer == PodPeer() else peer),
    "entry {} left out": {
        "compiler.matching:_side": lambda real: (
            lambda peers, *rest: real(tuple(peer for peer in peers if not isinstance(peer, AnyAddress)), *rest)
        )
    },
    "only the first entry counts": {
        name: lambda real: lambda peers, *rest: real(peers[:1], *rest)
        for name in ("compiler.matching:_side", "compiler.matching:_pods")
    },
    "NotIn needs the label": {
        "api.labels:Requirement.matches": lambda real: (
            lambda self, labels: real(self, labels) and (self.operator is not Operator.NOT_IN or self.key in labels)
        )
    },
    "peers of this zone only": with_members(
        lambda self, place: (
            (self.network, self.family) == (place.network, place.family)
            and bool(place.switch)
            and self.switch in ("", place.switch)
        )
    ),
    "peers of every network": with_members(
        lambda self, place: (
            self.family == place.family
            and (self.network == place.network if self.switch else True)
            and self.switch in ("", place.switch)
        )
    ),
}

SOURCES: Mapping[str, Mutation] = {
    "an address counts for one pod less": {"compiler.address_owners:SHARERS": lambda real: real - 1},
    "an address counts for one pod more": {"compiler.address_owners:SHARERS": lambda real: real + 1},
    "an address counts for the younger pods": {
        "compiler.definition:counted": lambda real: (
            lambda places, pods, ranges: real(
                places, {key: replace(pod, created=_turned(pod.created)) for key, pod in pods.items()}, ranges
            )
        )
    },
    "ended pods counted": {
        "compiler.definition:places": lambda real: lambda pod, *rest: real(replace(pod, ended=False), *rest)
    },
    "pods on nodes without switches send": {
        "compiler.definition:Zone.of": lambda real: staticmethod(
            lambda *arguments: replace(real.__func__(Zone, *arguments), hybrid=frozenset())
        )
    },
    "pods on nodes without switches are no peers": {
        "compiler.definition:network_ranges": lambda real: (
            lambda networks, nodes: real(
                networks, {key: replace(node, hybrid_subnets=()) for key, node in nodes.items()}
            )
        )
    },
    "a node without a switch keeps one address more": {
        "compiler.address_ranges:HYBRID_RESERVED": lambda real: real + 1
    },
    "a node without a switch keeps one address less": {
        "compiler.address_ranges:HYBRID_RESERVED": lambda real: real - 1
    },
    "a node keeps one address less": {"compiler.address_ranges:RESERVED": lambda real: real - 1},
    "zone ignored": {"compiler.definition:Zone.of": lambda _: staticmethod(lambda _name, _nodes: Zone())},
    "sources of other switches": with_members(
        lambda self, place: (self.network, self.family) == (place.network, place.family)
    ),
    "sources of every namespace": {
        "compiler.effective_policies:EffectivePolicy.sources": lambda _: property(
            lambda self: PodSelection(SelectionUse.SOURCE, EVERYTHING, self.spec.pod_selector)
        )
    },
    "podSelector ignored": {
        "compiler.effective_policies:EffectivePolicy.sources": lambda _: property(
            lambda self: PodSelection(SelectionUse.SOURCE, self.namespace, EVERYTHING)
        )
    },
    "only the first attachment of a definition": {
        "api.objects:Attachment.nad": lambda _: property(lambda self: self.key)
    },
    "interfaces for the kubelet alone not left out": in_places(lambda place: replace(place, is_locked=False)),
    "interfaces for the kubelet alone always left out": in_places(lambda place: None if place.is_locked else place),
    "pods without addresses left out": in_places(lambda place: None if place.family is None else place),
    "direction wrong": {
        "compiler.network_switches:Network.direction": lambda real: property(lambda self: _TURNED[real.fget(self)])
    },
    "switch names undotted": {
        "compiler.network_switches:Network.switch": lambda real: lambda self, node: real(self, node).replace(".", "-")
    },
    "every network selected": {
        "compiler.effective_policies:EffectivePolicy.selects": lambda _: lambda _self, _network: True
    },
    "labels of a user-defined network's owner not looked up": {
        "compiler.network_switches:owner_labels": lambda _: lambda nad, *_: nad.labels
    },
}

DEFINITIONS: Mapping[str, Mutation] = {
    "definitions that ovn-kubernetes accepted don't come first": in_definitions(lambda rank: ("", *rank[1:])),
    "the younger definition counts": in_definitions(lambda rank: (rank[0], _turned(rank[1]), rank[2])),
    "a definition of unknown age is the oldest": {"compiler.network_switches:_YOUNGEST": lambda _: ""},
    "of definitions of one age the last one counts": in_definitions(lambda rank: (*rank[:2], _turned(rank[2]))),
    "definitions that disagree count": {
        "compiler.network_switches:Network.switches": lambda _: property(lambda _self: ())
    },
    "networks have switches of others": {
        "compiler.network_switches:Network.switches": lambda _: property(lambda self: (self.name,))
    },
    "a user-defined network owns definitions of other names": {
        "compiler.network_switches:_owner_of": lambda _: (
            lambda nad, tables: tables.user_networks.get(
                f"{nad.namespace}/{nad.owner_name}" if nad.owner_kind == "UserDefinedNetwork" else nad.owner_name
            )
        )
    },
}
"""Whose definition of a network counts, and whose labels count for it."""

PRECEDENCE: Mapping[str, Mutation] = {
    "rule order reversed": {
        "compiler.effective_policies:row_priority": lambda real: (
            lambda priority, rank, rule: real(priority, rank, 19 - rule)
        )
    },
    "priority of the policy ignored": {
        "compiler.effective_policies:row_priority": lambda real: lambda _priority, rank, rule: real(0, rank, rule)
    },
    "priorities overlap": {
        "compiler.effective_policies:row_priority": lambda _: (
            lambda priority, rank, rule: 10000 + priority + rank + rule
        )
    },
    "ties inverted": in_ranks(lambda found: None if found.rank is None else WINNER - found.rank),
    "ties undecided": in_ranks(lambda found: None if found.rank is None else WINNER),
    "crowded out policies applied": in_ranks(lambda found: found.rank or 0),
    "shield dropped on old OVN": {"compiler.effective_policies:lowest_limit": lambda _: lambda *_: None},
    "shield above the limit by one priority": {
        "compiler.effective_policies:lowest_limit": lambda real: (
            lambda *arguments: None if (found := real(*arguments)) is None else found + 200
        )
    },
}

ACTIONS: Mapping[str, Mutation] = {
    "bandwidth scope Pod ignored": with_scope(BandwidthScope.RULE),
    "bandwidth scope Pod for all": with_scope(BandwidthScope.POD),
    "a meter for each family": {
        "compiler.rows:_parts": lambda real: (
            lambda *arguments: [
                (f"{part}{each.part}", [each]) for part, alternatives in real(*arguments) for each in alternatives
            ]
        )
    },
    "rate dropped": {"compiler.rows:_limit": lambda _: lambda *_: (None, None)},
    "burst dropped": {"compiler.rows:_limit": lambda real: lambda *arguments: (real(*arguments)[0], None)},
    "limits never bite": {"compiler.rows:_limit": lambda _: lambda *_: (NEVER_BITES, None)},
    "dscp off by one": {
        "compiler.desired:QosRow.action": lambda real: property(
            lambda self: {key: value ^ 1 for key, value in real.fget(self).items()}
        )
    },
    "packets that come back limited again": {"compiler.definition:switch_unit": lambda _: lambda *_: None},
    "packets that come back limited again by rules above": {
        "compiler.return_traffic:RETURNED_PRIORITY": lambda _: 10000
    },
    "packets that come back told by another port": {
        "compiler.return_traffic:string": lambda real: lambda text: real(f"{text}-")
    },
    "packets that come back limited again where ranges aren't known": {
        "compiler.return_traffic:_outside": lambda _: lambda _switch: {}
    },
    "and within or without parentheses": {"compiler.expression:_bracketed": lambda _: lambda part, _mixing: str(part)},
}

MUTATIONS: Mapping[str, Mutation] = {
    **FAMILIES, **PREFIXES, **PORTS, **PEERS, **SOURCES, **DEFINITIONS, **PRECEDENCE, **ACTIONS,
}  # fmt: skip
