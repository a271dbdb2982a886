"""Effective policies: everything about a policy that its rows depend on, besides its senders.

In: tables, networks, settings. Out: one `EffectivePolicy` for each policy that can be applied. Rule: it is a value; if
it is equal before and after a change, none of the policy's rows has changed.
"""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from functools import cached_property

import attrs
import msgspec

from nqosd.api.networkqos import NetworkQoS, NetworkQoSSpec, NetworkSelector, PodPeer
from nqosd.api.objects import DEFAULT_NETWORK
from nqosd.api.problems import Problem
from nqosd.cache.selections import PodSelection, SelectionUse
from nqosd.compiler.matching import Criteria, further_selectors, selection_of
from nqosd.compiler.network_switches import Choice
from nqosd.compiler.precedence import Rank, age, lowest_limit, row_priority, standings
from nqosd.compiler.settings import Settings, excess, no_room
from nqosd.config.options import Limits

FEW = 10
"""Entries of networkSelectors and requirements in them that count for nothing."""


@attrs.frozen
class EffectivePolicy:
    """A policy that can be applied. `networks` None means all; `shield_above` is None where tables are merged.

    On OVN before 24.09 a rule without a limit above `shield_above` would leave its packets to the meter of a lower
    rule: it needs a limit of its own that never bites. `ignored` says which definitions it selects that don't count.
    `criteria` are the classifiers of its rules.
    """

    key: str
    namespace: str
    spec: NetworkQoSSpec
    rank: int
    networks: Collection[str] | None
    shield_above: int | None
    ignored: tuple[str, ...] = ()
    criteria: tuple[Criteria, ...] = attrs.field(default=(), eq=False, repr=False)

    @cached_property
    def sources(self) -> PodSelection:
        """The selection of the senders."""
        names_default = self.networks is not None and DEFAULT_NETWORK in self.networks
        use = SelectionUse.ANY_SOURCE if names_default else SelectionUse.SOURCE
        return PodSelection(use, self.namespace, self.spec.pod_selector)

    @cached_property
    def peers(self) -> frozenset[PodSelection]:
        """The selections that its classifiers refer to."""
        return frozenset(peers_of(self.spec, self.namespace))

    @property
    def selections(self) -> frozenset[PodSelection]:
        """All selections that it needs."""
        return self.peers | {self.sources}

    def selects(self, network: str) -> bool:
        """Say whether the policy is for a network."""
        return self.networks is None or network in self.networks

    def priority(self, rule: int) -> int:
        """Give the priority of a rule's rows."""
        return row_priority(self.spec.priority, self.rank, rule)


def peers_of(spec: NetworkQoSSpec, namespace: str) -> Iterator[PodSelection]:
    """Go through the selections that the classifiers of a policy of some namespace refer to."""
    entries = (peer for rule in spec.egress for peer in (*rule.classifier.to, *rule.classifier.from_))
    return (selection_of(peer, namespace) for peer in entries if isinstance(peer, PodPeer))


class PolicyReading(msgspec.Struct, frozen=True):
    """What a policy asks for, read once: how much, the limit that a rule is beyond, and the classifiers of its rules.

    The latter are kept only as long as the policy is applied: `criteria` None means that they are to be read again.
    """

    spec: NetworkQoSSpec
    limits: Limits
    sizes: Mapping[str, int]
    excess: Problem | None
    criteria: tuple[Criteria, ...] | None

    @classmethod
    def of(cls, key: str, spec: NetworkQoSSpec, limits: Limits) -> "PolicyReading":
        """Read the rules of a policy, up to the first one that is beyond a limit."""
        namespace = key.partition("/")[0]
        criteria: list[Criteria] = []
        own = {"podSelector": further_selectors(spec.pod_selector), "networkSelectors": _size(spec.network_selectors)}
        for field, number in own.items():
            beyond = excess(f"spec.{field}", number, "selectors", limits, "write fewer requirements")
            if beyond is not None:
                return cls(spec, limits, {}, beyond, None)
        for index, rule in enumerate(spec.egress):
            read = Criteria.of(rule.classifier, namespace)
            for option, number in read.sizes.items():
                beyond = excess(f"spec.egress[{index}].classifier", number, option, limits, "write fewer")
                if beyond is not None:
                    return cls(spec, limits, {}, beyond, None)
            criteria.append(read)
        sizes: Counter[str] = Counter(selectors=sum(own.values()))
        for each in criteria:
            sizes.update(each.sizes)
        return cls(spec, limits, sizes, None, tuple(criteria))


def _size(selectors: Iterable[NetworkSelector]) -> int:
    """Say for how many selectors of pods those of networks count: they are compared with each definition."""
    sizes = (1 + len(each.namespaces.requirements) + len(each.networks.requirements) for each in selectors)
    return max(0, sum(sizes) - FEW)


Read = Callable[[str, NetworkQoSSpec, Limits], PolicyReading]
"""Gives what a policy asks for, by its key."""
Choose = Callable[[NetworkQoS], Choice]
"""Says which networks a policy is for."""


class Standings(msgspec.Struct, frozen=True):
    """How the oldest valid policies of one namespace stand; those that can be `applied`, by key, in order of age."""

    ranks: Mapping[str, Rank]
    applied: Mapping[str, NetworkQoS]
    _readings: Mapping[str, PolicyReading]
    _shield_above: int | None

    @classmethod
    def of(cls, oldest: Iterable[NetworkQoS], settings: Settings, read: Read) -> "Standings":
        """Derive them of as many policies as a namespace may have at most, the oldest first."""
        specs = {policy.key: (policy, policy.spec) for policy in oldest if policy.spec is not None}
        readings = {key: read(key, spec, settings.limits) for key, (_policy, spec) in specs.items()}
        beyond = _beyond(readings, settings.limits)
        fitting = [policy for key, (policy, _spec) in specs.items() if key not in beyond]
        ranks = {**standings(fitting), **{key: Rank(None, excess=problem) for key, problem in beyond.items()}}
        shield_above = lowest_limit(fitting, ranks) if settings.tables_are_apart else None
        applied = {policy.key: policy for policy in fitting if ranks[policy.key].rank is not None}
        return cls(ranks, applied, readings, shield_above)

    def effective_policies(self, choose: Choose) -> Mapping[str, EffectivePolicy]:
        """Give those that can be applied, by key, in order of age."""
        return {
            key: EffectivePolicy(
                key=key,
                namespace=policy.namespace,
                spec=policy.spec,
                rank=rank,
                networks=choice.networks,
                shield_above=self._shield_above,
                ignored=choice.ignored,
                criteria=_criteria(key, self._readings[key]),
            )
            for key, policy in self.applied.items()
            if policy.spec is not None and (rank := self.ranks[key].rank) is not None and (choice := choose(policy))
        }


def of_namespace(
    policies: Iterable[NetworkQoS], choose: Choose, settings: Settings, read: Read
) -> tuple[Mapping[str, EffectivePolicy], Mapping[str, Rank]]:
    """Give the effective policies and the standings of the valid ones of one namespace, by key."""
    valid = sorted((policy for policy in policies if policy.spec is not None), key=age)
    number = settings.limits.policies
    found = Standings.of(valid[:number], settings, read)
    younger = {policy.key: too_many(policy.namespace, settings.limits) for policy in valid[number:]}
    return found.effective_policies(choose), {**found.ranks, **younger}


def too_many(namespace: str, limits: Limits) -> Rank:
    """Say how a policy stands for which there are enough older ones in its namespace."""
    problem = Problem(
        "metadata.namespace",
        f"namespace {namespace} has more policies than the {limits.policies} that limits.policies "
        "allows; the oldest are applied and this one is not: remove others, or ask the administrator of nqosd "
        "for a higher limit",
        limit="policies",
    )
    return Rank(None, excess=problem)


def _criteria(key: str, reading: PolicyReading) -> tuple[Criteria, ...]:
    if reading.criteria is None:
        reading = PolicyReading.of(key, reading.spec, reading.limits)
    return reading.criteria or ()


def _beyond(readings: Mapping[str, PolicyReading], limits: Limits) -> Mapping[str, Problem]:
    """Say which policies, given by age, are beyond a limit: by what they ask for, or by what older ones have taken."""
    found: dict[str, Problem] = {}
    left = {"prefixes": limits.namespace_prefixes, "selectors": limits.namespace_selectors}
    for key, reading in readings.items():
        taken = {option: reading.sizes.get(option, 0) for option in left}
        short = next((option for option, number in taken.items() if number > left[option]), None)
        if reading.excess is not None:
            found[key] = reading.excess
        elif short is not None:
            found[key] = no_room("spec.egress", key, short, limits, "write fewer")
        else:
            left = {option: number - taken[option] for option, number in left.items()}
    return found
