"""All effective policies: with their rank among those of their namespace, and the networks and selections they are for.

In: the keys of policies that came, went or changed; definitions. Out: which effective policies changed; what these
select is subscribed. What was read of a policy is kept with it.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import TypeVar

import attrs
from msgspec.structs import replace

from nqosd.api.networkqos import NetworkQoS, NetworkQoSSpec, NetworkSelector
from nqosd.cache.selections import PodSelection
from nqosd.cache.tables import Tables
from nqosd.compiler.desired import Delta
from nqosd.compiler.effective_policies import EffectivePolicy, PolicyReading, Standings, too_many
from nqosd.compiler.network_switches import Choice
from nqosd.compiler.precedence import KeysByAge, Rank, age
from nqosd.compiler.selected_networks import SelectedNetworks
from nqosd.compiler.settings import Settings
from nqosd.compiler.subscriptions import Subscriptions
from nqosd.config.options import Limits

_T = TypeVar("_T")


class EffectivePolicies:
    """One for all policies, with some settings; `readings` is what was read of policies before."""

    def __init__(
        self,
        tables: Tables,
        settings: Settings,
        subscriptions: Subscriptions,
        readings: dict[str, PolicyReading],
    ) -> None:
        self._policies = tables.policies
        self._settings = settings
        self._subscriptions = subscriptions
        self.readings = readings
        """What was read of policies, by key."""
        self.selected = SelectedNetworks(tables)
        """Which networks policies that can be applied select."""
        self.by_key: dict[str, EffectivePolicy] = {}
        """Those that can be applied, by key."""
        self.standings: dict[str, Rank] = {}
        """How valid policies stand, by key."""
        self._ages = KeysByAge()
        self._oldest: dict[str, dict[str, None]] = {}
        """By namespace, the valid policies there that there are not too many of, the oldest first."""

    def selectors(self, namespace: str) -> int:
        """Say how many selectors the policies of a namespace have."""
        readings = (self.readings.get(key) for key in self._oldest.get(namespace, ()))
        return sum(each.sizes.get("selectors", 0) for each in readings if each)

    def file(self, key: str) -> str:
        """Note under its namespace that a policy is there, or no longer; gives the namespace."""
        policy = self._policies.get(key)
        self._ages.put(key, None if policy is None or policy.spec is None else age(policy))
        return key.partition("/")[0]

    def reconsider(self, namespaces: Mapping[str, list[str]], delta: Delta, *, networks: bool) -> dict[str, None]:
        """Derive them anew, where policies or networks changed; gives the keys of those that did."""
        standings = [self._stand(namespace, keys, delta) for namespace, keys in sorted(namespaces.items())]
        self.selected.look()
        changed = dict.fromkeys(self._rechoose(namespaces) if networks else ())
        for found, keys in standings:
            changed |= dict.fromkeys(self._derive(found, keys))
        delta.policies.update(changed)
        return changed

    def _stand(self, namespace: str, changed: Iterable[str], delta: Delta) -> tuple[Standings, Sequence[str]]:
        """Say anew how the policies of a namespace stand, and note which networks those select that can be applied.

        `changed` are the keys of policies that came, went or say something else. Gives the keys of all that may stand
        otherwise: of more than there may be these are the oldest, those that were, and what changed.
        """
        policies, limits = self._policies, self._settings.limits
        before = self._oldest.pop(namespace, {})
        oldest = dict.fromkeys(self._ages.oldest(namespace, limits.policies))
        if oldest:
            self._oldest[namespace] = oldest
        found = Standings.of((policies[key] for key in oldest), self._settings, self._read)
        keys = sorted({**before, **oldest, **dict.fromkeys(changed)})
        for key in keys:
            rank = found.ranks.get(key)
            if key not in oldest:
                self.readings.pop(key, None)
                rank = too_many(namespace, limits) if _is_valid(policies.get(key)) else None
            if self.standings.get(key) != rank:
                _put(self.standings, key, rank)
                delta.policies.add(key)
            self.selected.take(key, _network_selectors(found.applied.get(key)))
        return found, keys

    def _derive(self, standings: Standings, keys: Sequence[str]) -> Iterable[str]:
        """Derive some policies of one namespace anew; gives those that changed."""
        effective_policies = standings.effective_policies(self._choose)
        self._keep(keys, effective_policies)
        return [key for key in keys if self._put_policy(key, effective_policies.get(key))]

    def _rechoose(self, but: Collection[str]) -> Iterable[str]:
        """Let the policies of all but some namespaces select networks anew; gives those that changed."""
        changed = []
        for key, effective in self.by_key.items():
            if effective.namespace not in but:
                choice = self._choose(self._policies[key])
                if (choice.networks, choice.ignored) != (effective.networks, effective.ignored):
                    changed.append((key, attrs.evolve(effective, networks=choice.networks, ignored=choice.ignored)))
        return [key for key, after in changed if self._put_policy(key, after)]

    def _choose(self, policy: NetworkQoS) -> Choice:
        return self.selected.choice(policy, any_network=self._settings.any_network)

    def _put_policy(self, key: str, after: EffectivePolicy | None) -> bool:
        """Take an effective policy, or none; says whether it is another one than before."""
        before = self.by_key.get(key)
        if before == after:
            return False
        _put(self.by_key, key, after)
        self._subscriptions.change(key, selections_of(before), selections_of(after))
        return True

    def _read(self, key: str, spec: NetworkQoSSpec, limits: Limits) -> PolicyReading:
        """Read what a policy asks for, unless it has been read."""
        known = self.readings.get(key)
        if known is None or known.spec is not spec or known.limits != limits:
            known = self.readings[key] = PolicyReading.of(key, spec, limits)
        return known

    def _keep(self, keys: Iterable[str], effective_policies: Mapping[str, EffectivePolicy]) -> None:
        """Keep what was read of policies that are applied, and of others how much it is."""
        for key in keys:
            reading, effective = self.readings.get(key), effective_policies.get(key)
            criteria = None if effective is None else effective.criteria
            if reading is not None and reading.criteria is not criteria:
                self.readings[key] = replace(reading, criteria=criteria)


def selections_of(effective: EffectivePolicy | None) -> frozenset[PodSelection]:
    """Give the selections that a policy needs; none where it isn't applied."""
    return frozenset() if effective is None else effective.selections


def _is_valid(policy: NetworkQoS | None) -> bool:
    return policy is not None and policy.spec is not None


def _network_selectors(policy: NetworkQoS | None) -> tuple[NetworkSelector, ...]:
    return () if policy is None or policy.spec is None else policy.spec.network_selectors


def _put(table: dict[str, _T], key: str, value: _T | None) -> None:
    if value is None:
        table.pop(key, None)
    else:
        table[key] = value
