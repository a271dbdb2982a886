"""The networks that lists of networkSelectors select, kept up to date at the cost of what changed.

In: the networks after a change of definitions, user-defined networks or namespaces; policies. Out: a `Choice` for each
policy. Rule: it is that of `Networks.choice`, but a definition that changed is looked at once for all lists, and so are
all definitions for all lists that are new. There may be thousands of both: of each pair one bit is kept.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

import attrs

from nqosd.api.labels import Labels
from nqosd.api.networkqos import NetworkQoS, NetworkSelectionType, NetworkSelector
from nqosd.api.objects import DEFAULT_NETWORK, NetworkAttachment
from nqosd.cache.bitmaps import LabelBitmaps, bits_at
from nqosd.cache.selections import namespace_labels
from nqosd.cache.tables import Tables
from nqosd.compiler.network_switches import Choice, Networks, is_of_type, owner_labels

_Seen = tuple[()] | tuple[NetworkAttachment, Labels, Labels]
"""What selectors look at in a definition: itself, and the labels of its namespace and of its owner."""
_Pair = tuple[str, str]
"""A definition's key, and the network that it says it is; the latter may be somebody else's."""
_DEFAULT = (DEFAULT_NETWORK, DEFAULT_NETWORK)
FEW = 50
"""Definitions of one network that are looked at one by one."""


@attrs.frozen
class _Selected(Collection[str]):
    """Names of networks: those of which one of some definitions is. `definitions` are bits."""

    definitions: int
    _of_network: Mapping[str, "_Definitions"] = attrs.field(eq=False, repr=False)

    def __contains__(self, network: object) -> bool:
        mine = self._of_network.get(network) if isinstance(network, str) else None
        return mine is not None and bool(self.definitions & mine.bits)

    def __iter__(self) -> Iterator[str]:
        return (network for network, mine in self._of_network.items() if self.definitions & mine.bits)

    def __len__(self) -> int:
        return sum(1 for _network in self)

    def __bool__(self) -> bool:
        return bool(self.definitions)


class _Definitions:
    """The places of the definitions of one network; most networks have one, and no bits are kept for it."""

    def __init__(self) -> None:
        self.places = set[int]()
        self._bits: int | None = None

    def change(self, place: int) -> None:
        """Take a place in, or out."""
        self.places ^= {place}
        self._bits = None

    @property
    def bits(self) -> int:
        """The places as bits."""
        if self._bits is not None:
            return self._bits
        bits = bits_at(self.places, max(self.places) + 1)
        if len(self.places) > FEW:
            self._bits = bits
        return bits


class DefinitionIndex:
    """Some definitions, by place, as they are now; what lists of selectors choose of them, one list after the other."""

    def __init__(self, definitions: Mapping[int, _Seen], lists: Iterable[Sequence[NetworkSelector]]) -> None:
        end = max(definitions, default=0) + 1
        self.all = bits_at(definitions, end)
        real = [(place, seen) for place, seen in definitions.items() if seen]
        self._default = self.all & ~bits_at((place for place, _seen in real), end)
        self._of_type = {
            kind: bits_at((place for place, (nad, *_others) in real if is_of_type(nad, kind)), end)
            for kind in NetworkSelectionType
        }
        asked = [selector for selectors in lists for selector in selectors]
        networks = [each.networks for each in asked]
        scopes = [each.namespaces for each in asked]
        self._scopes = LabelBitmaps(((labels, (place,)) for place, (_nad, labels, _owner) in real), end, scopes)
        self._labels = LabelBitmaps(((nad.labels, (place,)) for place, (nad, *_others) in real), end, networks)
        self._owners = LabelBitmaps(((labels, (place,)) for place, (_nad, _scope, labels) in real), end, networks)

    def chosen(self, selectors: Iterable[NetworkSelector]) -> int:
        """Give the definitions that any of some selectors chooses."""
        found = 0
        for each in selectors:
            found |= self._chosen(each)
        return found

    def _chosen(self, selector: NetworkSelector) -> int:
        kinds = NetworkSelectionType
        if selector.type is kinds.DEFAULT_NETWORK:
            return self._default
        found = self._of_type[selector.type]
        if selector.type is not kinds.CLUSTER_USER_DEFINED_NETWORKS:
            found = self._scopes.meeting(selector.namespaces, found)
        if selector.type is kinds.NETWORK_ATTACHMENT_DEFINITIONS:
            return self._labels.meeting(selector.networks, found)
        if selector.type is kinds.PRIMARY_USER_DEFINED_NETWORKS:
            return found
        return self._owners.meeting(selector.networks, found)


class SelectedNetworks:
    """Remembers which definitions, whether they count or not, each list chooses that an applied policy has."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables
        self._seen: dict[_Pair, _Seen] = {}
        self._places: dict[_Pair, int] = {}
        self._free: list[int] = []
        self._of_network: dict[str, _Definitions] = {}
        self._chosen: dict[Sequence[NetworkSelector], int] = {}
        self._lists: dict[str, Sequence[NetworkSelector]] = {}
        self._users = Counter[Sequence[NetworkSelector]]()
        self._new: dict[Sequence[NetworkSelector], None] = {}
        self.renew(Networks.of({}), {})

    def renew(self, networks: Networks, attachments: Mapping[str, NetworkAttachment]) -> None:
        """Take the networks as they are now, and the definitions that are looked at."""
        self._networks, before = networks, self._seen
        tables = self._tables
        scopes = {
            name: namespace_labels(name, tables.namespaces) for name in {nad.namespace for nad in attachments.values()}
        }
        self._seen = {
            (key, nad.network): (nad, scopes[nad.namespace], owner_labels(nad, tables))
            for key, nad in attachments.items()
            if nad.network
        }
        self._seen[_DEFAULT] = ()
        changed = [pair for pair, seen in self._seen.items() if before.get(pair) != seen]
        for pair in changed:
            if pair not in self._places:
                # A place that becomes free now isn't taken yet: what a policy selects would look the same as before.
                place = self._places[pair] = self._free.pop() if self._free else len(self._places)
                self._of_network.setdefault(pair[1], _Definitions()).change(place)
        for pair in [pair for pair in before if pair not in self._seen]:
            self._free.append(self._places.pop(pair))
            self._of_network[pair[1]].change(self._free[-1])
            if not self._of_network[pair[1]].places:
                del self._of_network[pair[1]]
        end = len(self._places) + len(self._free)
        self._counting = bits_at((self._places[pair] for pair in networks.by_nad.items()), end)
        if changed and self._chosen:
            index = DefinitionIndex({self._places[pair]: self._seen[pair] for pair in changed}, self._chosen)
            self._chosen |= {each: chosen & ~index.all | index.chosen(each) for each, chosen in self._chosen.items()}

    def take(self, policy: str, selectors: Sequence[NetworkSelector]) -> None:
        """Take note of what a policy selects, none if it isn't applied; a list that none has any more is forgotten."""
        before = self._lists.pop(policy, ())
        if selectors:
            self._lists[policy] = selectors
            self._users[selectors] += 1
            if selectors not in self._chosen:
                self._new[selectors] = None
        if before:
            self._users[before] -= 1
            if not self._users[before]:
                del self._users[before]
                self._chosen.pop(before, None)
                self._new.pop(before, None)

    def look(self) -> None:
        """Look at all definitions, once for all lists that are new."""
        if self._new:
            index = DefinitionIndex({self._places[pair]: seen for pair, seen in self._seen.items()}, self._new)
            self._chosen |= {each: index.chosen(each) for each in self._new}
            self._new = {}

    def choice(self, policy: NetworkQoS, *, any_network: bool) -> Choice:
        """Say which networks a policy is for, which must have been taken note of, and looked for.

        `any_network` says what no networkSelectors mean.
        """
        selectors = () if policy.spec is None else policy.spec.network_selectors
        if not selectors:
            return self._networks.choice(policy, self._tables, any_network=any_network)
        selected = _Selected(self._chosen[selectors] & self._counting, self._of_network)
        return Choice(selected, self._networks.ignored_of(policy.namespace, selectors, self._tables))
