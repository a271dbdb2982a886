"""Matching: what a rule's classifier means as OVN match expressions.

In: a rule, its network, and how its senders are known there. Out: disjuncts, each complete and of one family. Rule: a
disjunct never mixes families and never negates (both measured: up to 95,098 flows instead of 132), and one that no
packet can match is not given at all. What doesn't depend on network or switch is computed once for each rule.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import chain

import msgspec

from nqosd.api.labels import LabelSelector
from nqosd.api.networkqos import AnyAddress, Classifier, IPBlock, Peer, PodPeer
from nqosd.cache.selections import PodSelection, SelectionUse
from nqosd.compiler.desired import Family
from nqosd.compiler.destination_ports import tests_of
from nqosd.compiler.expression import ALWAYS, NOTHING, Expression, Term, all_of, any_of, beside, closed, equals, string
from nqosd.compiler.prefixes import Prefixes, Range, count, covered, is_everything, prefixes
from nqosd.compiler.set_ids import AnySet, PrefixSet, SetId

LONGEST_LIST = 55
"""Prefixes that stand in a match; more stand in an address set.

The list of the guide's own example has 55 and stays readable: about a kilobyte, which stands in both databases for each
row. For ovn-controller (25.03) a set is no cheaper up to some thousand; then a match takes ever more time: the figures
of both stand in docs/bounds.md.
"""
LONGEST_SET = 5_000
"""Prefixes of one address set; more are spread over several, each of which is written in some 30 ms."""

REQUIREMENTS = 10
"""Requirements of selectors that take as long as a selector more, for each pod that is compared with them."""


def further_selectors(*selectors: LabelSelector) -> int:
    """Say for how many selectors more an entry counts whose selectors are long: a user can write thousands in one."""
    return sum(len(each.requirements) for each in selectors) // REQUIREMENTS


def selection_of(peer: PodPeer, namespace: str) -> PodSelection:
    """Give the pods that an entry of a policy of some namespace means."""
    return PodSelection(SelectionUse.PEER, namespace if peer.namespaces is None else peer.namespaces, peer.pods)


class Senders(msgspec.Struct, frozen=True):
    """How the senders of one kind are told: `family` None means by logical port, which tells nothing of the family.

    `test` gives the expression for packets of one family; `sets` are the sets that it refers to, by name.
    """

    family: Family | None
    test: Callable[[Family], Expression]
    sets: Mapping[str, AnySet] = {}


class Disjunct(msgspec.Struct, frozen=True):
    """One complete alternative of a match, with its sets by name; `part` tells it apart from the others of its rule.

    `senders` are the sets of those that it is for; `others` are one object for all that read the same classifier.
    """

    part: str
    expression: Expression
    senders: Mapping[str, AnySet]
    others: Mapping[str, AnySet]


class MatchScope(msgspec.Struct, frozen=True, eq=False):
    """Where classifiers are read: the network, and how sets are named; what was read of them once is remembered.

    `same` gives one object for all equal sets, whoever asks.
    """

    network: str
    name: Callable[[AnySet], str]
    same: Callable[[AnySet], AnySet] = lambda set_id: set_id
    _known: dict[tuple[int, Family], tuple[Expression, dict[str, AnySet]]] = {}
    _joined: dict[tuple[int, ...], frozenset[AnySet]] = {}

    def read(self, criteria: "Criteria", family: Family) -> tuple[Expression, Mapping[str, AnySet]]:
        """Give what packets of a family must be, whoever sends them, and the sets that this takes, by name."""
        known = self._known.get((id(criteria), family))
        if known is None:
            sets: dict[str, AnySet] = {}
            expression = all_of([*(side.test(family, self, sets) for side in criteria.sides[family]), criteria.ports])
            known = self._known[id(criteria), family] = closed(expression), dict(sorted(sets.items()))
        return known

    def join(self, read: Iterable[Mapping[str, AnySet]]) -> frozenset[AnySet]:
        """Give all sets of what was read here: on each of hundreds of switches it is the same."""
        distinct = {id(sets): sets for sets in read}
        places = tuple(distinct)
        if places not in self._joined:
            self._joined[places] = frozenset(chain.from_iterable(sets.values() for sets in distinct.values()))
        return self._joined[places]


class Side(msgspec.Struct, frozen=True):
    """What one address of a packet must be, of one family: in `blocks`, in `prefixes`, or one of some pods'.

    `size` counts the prefixes.
    """

    field: str
    blocks: Expression
    prefixes: tuple[PrefixSet, ...] = ()
    pods: frozenset[PodSelection] = frozenset()
    size: int = 0

    def test(self, family: Family, scope: MatchScope, sets: dict[str, AnySet]) -> Expression:
        """Give the expression on a network; notes the sets that this takes, by name."""
        wanted = [scope.same(SetId(pods, scope.network, "", family)) for pods in self.pods]
        wanted += self.prefixes
        named = {scope.name(each): each for each in wanted}
        sets.update(named)
        # A set stands in a comparison of its own: only then does ovn-controller follow its changes incrementally.
        return any_of([*(equals(self.field, [f"${name}"]) for name in sorted(named)), self.blocks])


class Criteria(msgspec.Struct, frozen=True):
    """A classifier as it is for every network and switch."""

    sides: Mapping[Family, tuple[Side, Side]]
    """From where and to where, by family."""
    ports: Expression
    sizes: Mapping[str, int]
    """How much it takes, by the limit that bounds it."""

    @classmethod
    def of(cls, classifier: Classifier, namespace: str) -> "Criteria":
        """Read the classifier of a policy of some namespace."""
        from_, to = classifier.from_, classifier.to
        senders, targets = _pods(from_, namespace), _pods(to, namespace)
        sides = {each: (_side(from_, "src", each, senders), _side(to, "dst", each, targets)) for each in Family}
        every = [side for both in sides.values() for side in both]
        ports, number = tests_of(classifier.ports)
        sizes = {
            "prefixes": sum(side.size for side in every),
            "ports": number,
            "selectors": sum(map(_weight, {pods for side in every for pods in side.pods})),
        }
        return cls(sides, ports, sizes)


def disjuncts(criteria: Criteria, senders: Iterable[Senders], scope: MatchScope) -> list[Disjunct]:
    """List the alternatives of a match, in a fixed order."""
    found = []
    for sender in senders:
        for family in Family if sender.family is None else (sender.family,):
            rest, sets = scope.read(criteria, family)
            expression = beside(sender.test(family), rest)
            if expression != NOTHING:
                part = f"port-{family}" if sender.family is None else family.value
                found.append(Disjunct(part, expression, sender.sets, sets))
    return found


def by_set(set_id: SetId, scope: MatchScope) -> Senders:
    """Tell senders by the addresses, or the logical ports, of their set."""
    name = scope.name(set_id)
    if set_id.family is None:
        return _by_inport(f"@{name}", {name: set_id})
    return Senders(set_id.family, lambda family: Term(f"{family}.src == ${name}"), {name: set_id})


def by_port(port: str) -> Senders:
    """Tell a sender by its logical port."""
    return _by_inport(string(port), {})


def by_address(family: Family, addresses: Iterable[str]) -> Senders:
    """Tell a sender by its own addresses of one family."""
    expression = equals(f"{family}.src", addresses)
    return Senders(family, lambda _family: expression)


def _by_inport(constant: str, sets: Mapping[str, AnySet]) -> Senders:
    return Senders(None, lambda family: all_of((equals("inport", (constant,)), Term(family.value))), sets)


def _pods(peers: tuple[Peer, ...], namespace: str) -> frozenset[PodSelection]:
    return frozenset(selection_of(peer, namespace) for peer in peers if isinstance(peer, PodPeer))


def _weight(selection: PodSelection) -> int:
    scope = (selection.namespaces,) if isinstance(selection.namespaces, LabelSelector) else ()
    return 1 + further_selectors(selection.pods, *scope)


def _side(peers: tuple[Peer, ...], side: str, family: Family, pods: frozenset[PodSelection]) -> Side:
    """Read what any of some entries, those of pods among them, allows of one address of the packet."""
    field = f"{family}.{side}"
    if not peers or any(isinstance(peer, AnyAddress) for peer in peers):
        return Side(field, ALWAYS)
    ranges = covered((peer for peer in peers if isinstance(peer, IPBlock)), family)
    if is_everything(ranges, family):
        return Side(field, ALWAYS)
    size = count(ranges)
    if size > LONGEST_LIST:
        return Side(field, NOTHING, tuple(_sets(ranges, family)), pods, size)
    return Side(field, equals(field, prefixes(ranges, family)), (), pods, size)


def _sets(ranges: Iterable[Range], family: Family) -> Iterator[PrefixSet]:
    """Spread the prefixes of many ranges over sets."""
    mine: list[Range] = []
    size = 0
    for each in ranges:
        number = count((each,))
        if size + number > LONGEST_SET:
            yield PrefixSet(Prefixes.of(family, mine))
            mine, size = [], 0
        mine.append(each)
        size += number
    yield PrefixSet(Prefixes.of(family, mine))
