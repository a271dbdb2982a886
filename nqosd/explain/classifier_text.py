"""Classifiers in words, for people.

In: a rule's classifier. Out: a text. Rule: what answers a question isn't imported here: the
daemon only needs the text.
"""

from nqosd.api.networkqos import AnyAddress, Classifier, IPBlock, Peer, PodPeer, Port
from nqosd.compiler.matching import selection_of


def described(classifier: Classifier, namespace: str) -> str:
    """Say which packets a rule of a policy of that namespace is for."""
    sides = {"from": classifier.from_, "to": classifier.to}
    said = [
        f"{side} {' or '.join(peer_text(peer, namespace) for peer in peers)}" for side, peers in sides.items() if peers
    ]
    return ", ".join([*said, *([ports_text(classifier)] if classifier.ports else [])])


def ports_text(classifier: Classifier) -> str:
    """Say which ports a classifier asks for."""
    return " or ".join(map(port_text, classifier.ports))


def port_text(port: Port) -> str:
    """Say what an entry of `ports` asks for."""
    return f"{port.protocol} {'any port' if port.port is None else f'port {port.port}'}"


def peer_text(peer: Peer, namespace: str) -> str:
    """Say what an entry of `from` or `to` asks for, in a policy of that namespace."""
    match peer:
        case AnyAddress():
            return "any address"
        case IPBlock():
            return _block_text(peer)
        case PodPeer():
            return str(selection_of(peer, namespace))


def _block_text(block: IPBlock) -> str:
    excepts = f" except {', '.join(map(str, block.excepts))}" if block.excepts else ""
    return f"{block.cidr}{excepts}"
