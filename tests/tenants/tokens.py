"""The tokens of a match, held against those that the compiler can mean.

In: a row, and what is desired beside it. Out: an AssertionError with the match, if it asks for anything else.
"""

import functools
import re
from collections.abc import Iterator

from nqosd.compiler.desired import Desired, QosRow
from tests.oracle.match_nodes import Ask, Both, Comparison, Node, Reference
from tests.oracle.match_tokens import Constant
from tests.oracle.ovn_match import parse

PORT = re.compile(r"[A-Za-z0-9][-A-Za-z0-9_.]*")
"""A name of a logical port: what the names of namespaces, definitions, networks, nodes and pods can become."""

_SENDER = frozenset({"ip4.src", "ip6.src", "inport"})
_MEANT = frozenset({"ip4.src", "ip6.src", "ip4.dst", "ip6.dst", "tcp.dst", "udp.dst", "sctp.dst"})
_NEIGHBOUR_DISCOVERY = frozenset({"nd", "nd_rs", "nd_ra"})
_PREDICATES = frozenset({"ip4", "ip6", "tcp", "udp", "sctp"})


def check_tokens(row: QosRow, desired: Desired) -> None:
    """Check that each alternative asks for a sender first, and for nothing else than a rule can."""
    assert _references(row.match, is_of_policy=bool(row.key.policy)) <= desired.members().keys(), row.match


@functools.lru_cache(maxsize=4096)  # most rows of a mutated cluster are those of before
def _references(match: str, *, is_of_policy: bool) -> frozenset[str]:
    """Check a match, and return the names of the sets that it refers to."""
    names = set()
    for alternative in _parts(parse(match).node, every=False):
        sender, *others = _parts(alternative, every=True)
        if isinstance(sender, Ask) and not is_of_policy:  # neighbour discovery passes, whoever sends it
            assert sender.predicate.name in _NEIGHBOUR_DISCOVERY, match
            continue
        assert isinstance(sender, Comparison), match
        assert sender.field.name in _SENDER, match
        for other in others:
            for part in _parts(other, every=False):
                _check_part(part, match)
        for value in _values(alternative):
            if isinstance(value, Reference):
                names.add(value.name)
            elif isinstance(value, str):
                assert PORT.fullmatch(value), match
    return frozenset(names)


def _check_part(part: Node, match: str) -> None:
    for each in _parts(part, every=True):  # a range of ports is two comparisons
        if isinstance(each, Comparison):
            assert each.field.name in _MEANT, match
            assert each.relation in ("==", "<=", ">="), match
        else:
            assert isinstance(each, Ask), match
            assert each.predicate.name in _PREDICATES, match


def _parts(node: Node, *, every: bool) -> tuple[Node, ...]:
    return node.terms if isinstance(node, Both) and node.every is every else (node,)


def _values(node: Node) -> Iterator[Constant | str | Reference]:
    if isinstance(node, Both):
        for term in node.terms:
            yield from _values(term)
    elif isinstance(node, Comparison):
        yield from node.values
