"""Matching: what a rule's classifier means as OVN match expressions.

In: a rule, its network, and how its senders are known there. Out: disjuncts, each complete and of one family. Rule: a
disjunct never mixes families and never negates (both measured: up to 95,098 flows instead of 132), and one that no
packet can match is not given at all.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator

import attrs

from nqosd.api.networkqos import AnyAddress, Classifier, IPBlock, Peer, PodPeer, Port
from nqosd.compiler.contexts import selection_of
from nqosd.compiler.desired import Family
from nqosd.compiler.expression import ALWAYS, NOTHING, Expression, Term, all_of, any_of, between, equals, string
from nqosd.compiler.prefixes import covered, is_everything, prefixes
from nqosd.compiler.sets import SetId


@attrs.frozen
class Senders:
    """How the senders of one kind are told: `family` None means by logical port, which tells nothing of the family.

    `test` gives the expression for packets of one family; `sets` are the sets that it refers to.
    """

    family: Family | None
    test: Callable[[Family], Expression]
    sets: tuple[SetId, ...] = ()


@attrs.frozen
class Disjunct:
    """One complete alternative of a match; `part` tells it apart from the others of its rule."""

    part: str
    expression: Expression
    sets: tuple[SetId, ...]


@attrs.frozen
class Scope:
    """Where a classifier is read: the policy's namespace, the network, and how sets are named."""

    namespace: str
    network: str
    name: Callable[[SetId], str]


def disjuncts(classifier: Classifier, senders: Iterable[Senders], scope: Scope) -> list[Disjunct]:
    """List the alternatives of a match, in a fixed order."""
    found = []
    for sender in senders:
        for family in Family if sender.family is None else (sender.family,):
            sets = list(sender.sets)
            parts = [
                sender.test(family),
                _side(classifier.from_, "src", family, scope, sets),
                _side(classifier.to, "dst", family, scope, sets),
                _ports(classifier.ports),
            ]
            expression = all_of(parts)
            if expression != NOTHING:
                part = f"port-{family}" if sender.family is None else family.value
                found.append(Disjunct(part, expression, tuple(dict.fromkeys(sets))))
    return found


def by_set(set_id: SetId, scope: Scope) -> Senders:
    """Tell senders by the addresses, or the logical ports, of their set."""
    name = scope.name(set_id)
    if set_id.family is None:
        return _by_inport(f"@{name}", set_id)
    return Senders(set_id.family, lambda family: Term(f"{family}.src == ${name}"), (set_id,))


def by_port(port: str) -> Senders:
    """Tell a sender by its logical port."""
    return _by_inport(string(port))


def by_address(family: Family, addresses: Iterable[str]) -> Senders:
    """Tell a sender by its own addresses of one family."""
    constants = tuple(addresses)
    return Senders(family, lambda _family: equals(f"{family}.src", constants))


def _by_inport(constant: str, *sets: SetId) -> Senders:
    return Senders(None, lambda family: all_of((equals("inport", (constant,)), Term(family.value))), sets)


def _side(peers: tuple[Peer, ...], side: str, family: Family, scope: Scope, sets: list[SetId]) -> Expression:
    """Match any of some entries by one address of the packet; notes the sets that this takes."""
    if not peers or any(isinstance(peer, AnyAddress) for peer in peers):
        return ALWAYS
    ranges = covered((peer for peer in peers if isinstance(peer, IPBlock)), family)
    if is_everything(ranges, family):
        return ALWAYS
    pods = (selection_of(peer, scope.namespace) for peer in peers if isinstance(peer, PodPeer))
    wanted = {SetId(selection, scope.network, "", family) for selection in pods}
    named = sorted((scope.name(each), each) for each in wanted)
    sets.extend(each for _name, each in named)
    field = f"{family}.{side}"
    # A set stands in a comparison of its own: only then does ovn-controller follow its changes incrementally.
    return any_of([*(equals(field, [f"${name}"]) for name, _ in named), equals(field, prefixes(ranges, family))])


def _ports(ports: tuple[Port, ...]) -> Expression:
    """Match any of some protocols and destination ports; neighbouring ports become a range."""
    if not ports:
        return ALWAYS
    numbers: defaultdict[str, set[int]] = defaultdict(set)
    whole = {port.protocol.lower() for port in ports if port.port is None}
    for port in ports:
        if port.port is not None:
            numbers[port.protocol.lower()].add(port.port)
    tests: list[Expression] = []
    for protocol in sorted(whole | numbers.keys()):
        if protocol in whole:
            tests.append(Term(protocol))
            continue
        field = f"{protocol}.dst"
        runs = list(_runs(numbers[protocol]))
        tests.append(equals(field, [str(low) for low, high in runs if low == high]))
        tests.extend(between(field, low, high) for low, high in runs if low < high)
    return any_of(tests)


def _runs(numbers: Iterable[int]) -> Iterator[tuple[int, int]]:
    low = high = None
    for number in sorted(numbers):
        if low is None or high is None:
            low = high = number
        elif number == high + 1:
            high = number
        else:
            yield low, high
            low = high = number
    if low is not None and high is not None:
        yield low, high
