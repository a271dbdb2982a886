"""Classifiers: which parts of a rule a packet meets, entry by entry.

In: a rule's classifier, the packet, who has its addresses. Out: `Part`s. Rule: the verdict of each entry is what the
match that the compiler builds from it says about the packet.
"""

from collections.abc import Iterator

import msgspec

from nqosd.api.networkqos import AnyAddress, Classifier, IPBlock, Peer, PodPeer, Port
from nqosd.compiler.matching import selection_of
from nqosd.explain.classifier_text import peer_text, port_text, ports_text
from nqosd.explain.question import Address, Question, QuestionError
from nqosd.explain.verdict import ClassifierEntry, Part
from nqosd.explain.world import World


class Packet(msgspec.Struct, frozen=True):
    """A packet on a network, as a policy (`namespace/name`) sees it; `source` None: it isn't known."""

    question: Question
    source: Address | None
    network: str
    policy: str

    @property
    def namespace(self) -> str:
        """The policy's namespace."""
        return self.policy.partition("/")[0]


def parts(classifier: Classifier, rule: int, packet: Packet, world: World) -> tuple[Part, ...]:
    """Compare a packet with a rule's classifier.

    Raises:
        QuestionError: it depends on a protocol or a port that the question doesn't name.
    """
    field = f"spec.egress[{rule}].classifier"
    question = packet.question
    sides = (
        Part("from", tuple(_side(f"{field}.from", classifier.from_, packet.source, packet, world))),
        Part("to", tuple(_side(f"{field}.to", classifier.to, question.destination, packet, world))),
    )
    ports = Part("ports", tuple(_ports(f"{field}.ports", classifier.ports, question)))
    is_open = any(_meets(each, question) is None for each in classifier.ports)
    if is_open and not ports.matches and all(side.matches for side in sides):
        missing = "--port" if question.transport else "--proto"
        raise QuestionError(f"{missing} is missing: {packet.policy} rule {rule} asks for {ports_text(classifier)}")
    return (*sides, ports)


def _side(
    field: str, peers: tuple[Peer, ...], address: Address | None, packet: Packet, world: World
) -> Iterator[ClassifierEntry]:
    for index, peer in enumerate(peers):
        asks = peer_text(peer, packet.namespace)
        if isinstance(peer, AnyAddress):
            matches, why = True, "it takes every address"
        elif address is None:
            matches, why = False, "the packet's source address isn't known; name it with --from"
        elif isinstance(peer, IPBlock):
            matches, why = _block(peer, address)
        else:
            matches, why = _pods(peer, address, packet, world)
        yield ClassifierEntry(f"{field}[{index}]", asks, matches=matches, why=why)


def _block(block: IPBlock, address: Address) -> tuple[bool, str]:
    if address.version != block.cidr.version:
        return False, f"{address} is of the other family"
    if address not in block.cidr:
        return False, f"{address} is outside {block.cidr}"
    hole = next((each for each in block.excepts if address in each), None)
    if hole is not None:
        return False, f"{address} is inside except {hole}"
    return True, f"{address} is inside {block.cidr}"


def _pods(peer: PodPeer, address: Address, packet: Packet, world: World) -> tuple[bool, str]:
    selection = selection_of(peer, packet.namespace)
    owners = world.owners.get((packet.network, str(address)), [])
    pods, namespaces = world.tables.pods, world.tables.namespaces
    chosen = next((key for key in owners if selection.matches(pods[key], namespaces)), None)
    if chosen is not None:
        return True, f"{address} is an address of pod {chosen}"
    if owners:
        return False, f"{address} is an address of pod {', '.join(owners)}, which the entry doesn't select"
    return False, f"no pod has the address {address} on network {packet.network}"


def _ports(field: str, ports: tuple[Port, ...], question: Question) -> Iterator[ClassifierEntry]:
    for index, port in enumerate(ports):
        met = _meets(port, question)
        if question.transport is None:
            why = "the packet's protocol isn't named"
        elif met is None:
            why = "the packet's port isn't named"
        elif met or port.protocol.lower() != question.transport:
            why = f"the packet is {question.transport}"
        else:
            why = f"the packet goes to port {question.port}"
        yield ClassifierEntry(f"{field}[{index}]", port_text(port), matches=bool(met), why=why)


def _meets(port: Port, question: Question) -> bool | None:
    """Say whether a packet meets an entry of `ports`; None where it depends on what the question doesn't name."""
    if question.transport is None:
        return None
    if port.protocol.lower() != question.transport:
        return False
    if port.port is None:
        return True
    return None if question.port is None else port.port == question.port
