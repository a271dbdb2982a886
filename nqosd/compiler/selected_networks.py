"""The networks that lists of networkSelectors select, kept up to date at the cost of what changed.

In: the networks after a change of definitions, user-defined networks or namespaces; policies. Out: a `Choice` for each
policy. Rule: it is that of `Networks.choice`, but a definition that changed is compared with each list once, and a new
list with each definition. There may be thousands of both: of each pair one bit is kept.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

import attrs

from nqosd.api.networkqos import NetworkQoS, NetworkSelector
from nqosd.api.objects import DEFAULT_NETWORK, Namespace, NetworkAttachment, UserDefinedNetwork
from nqosd.cache.tables import Tables
from nqosd.compiler.network_switches import Choice, Networks, chooses, owner_of

_Seen = tuple[()] | tuple[NetworkAttachment, Namespace | None, UserDefinedNetwork | None]
"""What selectors look at in a definition."""
_Pair = tuple[str, str]
"""A definition's key, and the network that it says it is; the latter may be somebody else's."""
_DEFAULT = (DEFAULT_NETWORK, DEFAULT_NETWORK)


@attrs.frozen
class _Selected(Collection[str]):
    """Names of networks: those of which one of some definitions is; `definitions` and each network's are bits."""

    definitions: int
    _of_network: Mapping[str, int] = attrs.field(eq=False, repr=False)

    def __contains__(self, network: object) -> bool:
        return isinstance(network, str) and bool(self.definitions & self._of_network.get(network, 0))

    def __iter__(self) -> Iterator[str]:
        return (network for network, mine in self._of_network.items() if self.definitions & mine)

    def __len__(self) -> int:
        return sum(1 for _network in self)

    def __bool__(self) -> bool:
        return bool(self.definitions)


class SelectedNetworks:
    """Remembers which definitions, whether they count or not, each list chooses that a policy has."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables
        self._seen: dict[_Pair, _Seen] = {}
        self._bits: dict[_Pair, int] = {}
        self._free: list[int] = []
        self._of_network: dict[str, int] = {}
        self._chosen: dict[Sequence[NetworkSelector], int] = {}
        self._users = Counter[Sequence[NetworkSelector]]()
        self.renew(Networks.of({}))

    def renew(self, networks: Networks) -> None:
        """Take the networks as they are now."""
        self._networks, before, attachments = networks, self._seen, self._tables.attachments
        self._seen = {(key, nad.network): self._look(nad) for key, nad in attachments.items() if nad.network}
        self._seen[_DEFAULT] = ()
        changed = [pair for pair, seen in self._seen.items() if before.get(pair) != seen]
        for pair in changed:
            if pair not in self._bits:
                # A bit that becomes free now isn't taken yet: what a policy selects would look the same as before.
                bit = self._bits[pair] = self._free.pop() if self._free else 1 << len(self._bits)
                self._of_network[pair[1]] = self._of_network.get(pair[1], 0) | bit
        for pair in [pair for pair in before if pair not in self._seen]:
            self._free.append(self._bits.pop(pair))
            self._of_network[pair[1]] ^= self._free[-1]
            if not self._of_network[pair[1]]:
                del self._of_network[pair[1]]
        self._counting = sum(self._bits[pair] for pair in networks.by_nad.items())
        for selectors, chosen in self._chosen.items():
            self._chosen[selectors] = self._also(chosen, selectors, changed)

    def choice(self, policy: NetworkQoS, *, any_network: bool) -> Choice:
        """Say which networks a policy is for; `any_network` says what no networkSelectors mean."""
        selectors = () if policy.spec is None else policy.spec.network_selectors
        if not selectors:
            return self._networks.choice(policy, self._tables, any_network=any_network)
        if selectors not in self._chosen:
            self._chosen[selectors] = self._also(0, selectors, self._seen)
        selected = _Selected(self._chosen[selectors] & self._counting, self._of_network)
        return Choice(selected, self._networks.ignored_of(policy.namespace, selectors, self._tables))

    def use(self, before: Sequence[NetworkSelector], after: Sequence[NetworkSelector]) -> None:
        """Take note that a policy has other selectors; a list that no policy has any more is forgotten."""
        self._users[after] += 1
        self._users[before] -= 1
        if not self._users[before]:
            del self._users[before]
            self._chosen.pop(before, None)

    def _look(self, nad: NetworkAttachment) -> _Seen:
        return nad, self._tables.namespaces.get(nad.namespace), owner_of(nad, self._tables)

    def _also(self, chosen: int, selectors: Sequence[NetworkSelector], pairs: Iterable[_Pair]) -> int:
        """Compare some definitions with a list; gives what it chooses then."""
        for pair in pairs:
            bit = self._bits[pair]
            chosen = chosen | bit if chooses(selectors, pair[0], self._tables) else chosen & ~bit
        return chosen
