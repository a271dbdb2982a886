"""Which share of what is dirty one round writes, where all of it would hold up others for long.

In: what is dirty, what is desired, what is there. Out: a `Share`. Pure. The rules: each namespace has its turn, and
those with little to write come first, so that a small change never waits for all of a large one; the rows of a policy
on a switch are written together, but for those of single pods, two of which no packet meets; what makes up there for
what they do to others comes with the first of them; a set is there before a row refers to it, and is given up after the
last row that did, the senders of a row that stays before all others.
"""

import functools
from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet

import msgspec

from nqosd.compiler.desired import Desired, RowKey
from nqosd.compiler.rows import POD_PART
from nqosd.northbound.dirty import Dirty, is_there
from nqosd.northbound.replica.replica import Replica

MOST = 250
"""The weight of what a round writes while there is more; it takes some 30 ms."""
LARGEST = 5_000
"""The weight of what a round writes of very much, and of what it writes at once where everything was compared."""
COMPARED = 2_000
"""The weight of what is compared at once, so that shares are of what differs; it takes some 40 ms, in a thread."""
_NUMBER = 40
"""Shares of very much: choosing one looks at all that is left."""
_MEMBERS = 50
"""Members of sets that weigh as much as a row."""

_Piece = Sequence[RowKey | str]
"""What is written together: the name of one set, or rows, with those of no policy on their switch and their sets."""


class Share(msgspec.Struct, frozen=True):
    """Rows and sets to write now. `left`: namespaces that have more to write; `passed`: one of them had no turn."""

    rows: AbstractSet[RowKey]
    sets: AbstractSet[str]
    left: frozenset[str] = frozenset()
    passed: bool = False


class Backlog:
    """What shares have left: of which namespaces, and since when. Times are of whatever clock the caller uses."""

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        """Take note that nothing is left."""
        self.namespaces: frozenset[str] = frozenset()
        self.has_passed = False
        self.most = 0
        """The weight of each share, as of the first one."""
        self.since: float | None = None
        """What is left became dirty after this; None as long as a part of what was left first is."""
        self._noted: set[RowKey | str] = set()
        self._noted_at: float | None = None

    def size(self, weight: int, least: int) -> int:
        """Return the weight of the next share of what weighs that much."""
        if not self.namespaces:
            self.most = max(least, min(weight // _NUMBER, LARGEST))
        return self.most

    def left(self, share: Share, rest: Dirty, now: float) -> None:
        """Take what a share leaves, and when."""
        self.namespaces, self.has_passed = share.left, share.passed
        self._noted -= share.rows
        self._noted -= share.sets
        if not self._noted:
            self.since, self._noted_at = self._noted_at, now
            self._noted = {*rest.rows, *rest.sets}


def weight_of(rows: int, sets: Mapping[str, AbstractSet[str] | None], desired: Desired) -> int:
    """Weigh rows, sets and members to compare by the time that they take; where there are many rows, roughly."""
    sizes = (_size(name, desired) if touched is None else len(touched) for name, touched in sets.items())
    return rows + len(sets) + (0 if rows > MOST else sum(sizes) // _MEMBERS)


def _size(name: str, desired: Desired) -> int:
    """Say how many members a set should have; none where nobody wants it any more."""
    if (known := desired.address_sets.get(name)) is not None:
        return len(known.addresses)
    return len(desired.port_groups[name].ports) if name in desired.port_groups else 0


def share_of(dirty: Dirty, desired: Desired, view: Replica, most: int, *, is_due: bool) -> Share:
    """Choose a share that weighs `most` of what is too much; `is_due`: every namespace has its turn now.

    Otherwise those that have too much for their part of it are passed over as long as others have little: these would
    wait for them.
    """
    queues = {name: _weighed(pieces, dirty, desired) for name, pieces in _queues(dirty, desired, view).items()}
    taken, left, passed = _taken(queues, most, is_due=is_due)
    rows = {each for each in taken if isinstance(each, RowKey)}
    sets = {each for each in taken if isinstance(each, str)}
    later = dirty.rows.keys() - rows
    switches = {(key.network, key.switch) for key in later if key.policy}
    unwanted = {key for key in later if not key.policy and key not in desired.rows}
    freed = {key for key in unwanted if (key.network, key.switch) not in switches}
    given_up, still_left, _ = _taken(_given_up(dirty, desired, view, later - freed), most // 2, is_due=True)
    names = {each for each in given_up if isinstance(each, str)}
    return Share(rows | freed, sets | names, frozenset(left | still_left), passed)


def _taken(
    queues: Mapping[str, Sequence[tuple[int, _Piece]]], budget: int, *, is_due: bool
) -> tuple[set[RowKey | str], set[str], bool]:
    """Take what each namespace has its turn for; gives also whose queue isn't empty, and if one was passed over."""
    taken: set[RowKey | str] = set()
    left, passed = set(), False
    ordered = sorted(queues.items(), key=lambda queue: sum(weight for weight, _piece in queue[1]))
    for position, (namespace, pieces) in enumerate(ordered):
        mine, part = 0, budget // (len(ordered) - position)
        if taken and not is_due and sum(weight for weight, _piece in pieces) > part:
            left.add(namespace)
            passed = True
            continue
        for weight, piece in pieces:
            if mine and mine + weight > part:
                left.add(namespace)
                break
            mine += weight
            taken.update(piece)
        budget = max(0, budget - mine)
    return taken, left, passed


def _given_up(
    dirty: Dirty, desired: Desired, view: Replica, waiting: AbstractSet[RowKey]
) -> Mapping[str, Sequence[tuple[int, _Piece]]]:
    """List by namespace the sets that come last and for which no row waits; a set of senders makes a row do nothing."""
    sources = functools.cache(lambda key: frozenset[str]().union(*(row.sources for row in view.rows.get(key))))
    found: dict[str, list[tuple[bool, str, int]]] = {}
    for name in dirty.sets:
        users = view.rows.keys_of_users(name) if _comes_last(name, desired, view) else waiting
        if waiting.isdisjoint(users):
            weight = weight_of(0, {name: dirty.members[name]}, desired)
            if users and name not in desired.port_groups and (stored := view.address_sets.get(name)) is not None:
                weight += len(stored.members) // _MEMBERS
            for namespace in set(map(_namespace, users)) or {""}:
                mine = found.setdefault(namespace, [])
                mine.append((not any(name in sources(key) for key in users), name, weight))
    return {namespace: [(weight, [name]) for _, name, weight in sorted(mine)] for namespace, mine in found.items()}


def _queues(dirty: Dirty, desired: Desired, view: Replica) -> Mapping[str, Sequence[_Piece]]:
    """List by namespace what is to be written, in its order: sets, then rows.

    Left out is what goes after all that needs it: sets that are given up, and rows for what comes back to a switch.
    """
    sets: dict[str, set[str]] = {}
    groups: dict[tuple[str, str, str], list[RowKey]] = {}
    lacking: dict[RowKey, list[str]] = {}
    missing = {name for name in dirty.sets if not is_there(name, view)}
    for key in dirty.rows:
        row = desired.rows.get(key)
        if row is None and not key.policy:
            continue
        groups.setdefault((key.policy, key.network, key.switch), []).append(key)
        names = () if row is None or missing.isdisjoint(row.sets) else row.sets
        lacking[key] = [name for name in names if name in missing]
        if lacking[key]:
            sets.setdefault(_namespace(key), set()).update(lacking[key])
    needed = set[str]().union(*lacking.values())
    for name in dirty.sets.keys() - needed:
        if not _comes_last(name, desired, view):
            for namespace in {_namespace(key) for key in view.rows.keys_of_users(name)} or {""}:
                sets.setdefault(namespace, set()).add(name)
    queues: dict[str, list[_Piece]] = {name: [[each] for each in sorted(mine)] for name, mine in sets.items()}
    for (policy, network, switch), keys in sorted(groups.items()):
        pieces: list[_Piece] = [*_apart(keys)]
        for key in groups.get(("", network, switch), ()) if policy and not desired.rows.keys().isdisjoint(keys) else ():
            pieces[0] = [*lacking[key], key, *pieces[0]]  # whichever has its turn first brings it
        queues.setdefault(_namespace(keys[0]), []).extend(pieces)
    return queues


def _apart(keys: list[RowKey]) -> Iterator[list[RowKey]]:
    """Split rows of a policy on a switch by pods, if all of them are for single pods."""
    if not all(key.part.startswith(POD_PART) for key in keys):
        yield keys
        return
    pods: dict[str, list[RowKey]] = {}
    for key in keys:
        pods.setdefault(key.part, []).append(key)
    yield from pods.values()


def _weighed(pieces: Sequence[_Piece], dirty: Dirty, desired: Desired) -> Sequence[tuple[int, _Piece]]:
    def weigh(each: RowKey | str) -> int:
        return 1 if isinstance(each, RowKey) else weight_of(0, {each: dirty.members[each]}, desired)

    return [(sum(map(weigh, piece)), piece) for piece in pieces]


def _comes_last(name: str, desired: Desired, view: Replica) -> bool:
    """Say whether rows that refer to a set must be written first: it is given up, or it may lose its last port."""
    return name not in desired.address_sets and (
        name not in desired.port_groups or view.port_groups.get(name) is not None
    )


def _namespace(key: RowKey) -> str:
    return key.policy.partition("/")[0]
