"""Contexts: everything about a policy that its rows depend on, besides its senders.

In: tables, networks, settings. Out: one `Context` for each policy that can be applied. Rule: a context is a value;
when it is equal before and after a change, none of the policy's rows has changed.
"""

from collections.abc import Iterable, Mapping

import attrs

from nqosd.api.networkqos import NetworkQoS, NetworkQoSSpec, PodPeer
from nqosd.cache.selections import PodSelection, Role
from nqosd.cache.tables import Tables
from nqosd.compiler.matching import Criteria, selection_of
from nqosd.compiler.networks import Networks
from nqosd.compiler.precedence import Standing, lowest_limit, row_priority, standings
from nqosd.compiler.settings import Settings


@attrs.frozen
class Context:
    """A policy that can be applied. `networks` None means all; `shield_above` is None where tables are merged.

    On OVN before 24.09 a rule without a limit above `shield_above` would leave its packets to the meter of a lower
    rule: it needs a limit of its own that never bites. `ignored` says which definitions it selects that don't count.
    `criteria` are the classifiers of its rules.
    """

    key: str
    namespace: str
    spec: NetworkQoSSpec
    rank: int
    networks: frozenset[str] | None
    shield_above: int | None
    ignored: tuple[str, ...] = ()
    criteria: tuple[Criteria, ...] = attrs.field(default=(), eq=False, repr=False)

    @property
    def sources(self) -> PodSelection:
        """The selection of the senders."""
        return PodSelection(Role.SOURCE, self.namespace, self.spec.pod_selector)

    @property
    def peers(self) -> frozenset[PodSelection]:
        """The selections that its classifiers refer to."""
        entries = (peer for rule in self.spec.egress for peer in (*rule.classifier.to, *rule.classifier.from_))
        return frozenset(selection_of(peer, self.namespace) for peer in entries if isinstance(peer, PodPeer))

    def selects(self, network: str) -> bool:
        """Say whether the policy is for a network."""
        return self.networks is None or network in self.networks

    def priority(self, rule: int) -> int:
        """Give the priority of a rule's rows."""
        return row_priority(self.spec.priority, self.rank, rule)


def namespace_contexts(
    policies: Iterable[NetworkQoS],
    networks: Networks,
    tables: Tables,
    settings: Settings,
    before: Mapping[str, Context],
) -> tuple[Mapping[str, Context], Mapping[str, Standing]]:
    """Give the contexts and the standings of the valid policies of one namespace, by key.

    `before` are the contexts that there were: what a policy says is read once, as long as it says the same.
    """
    valid = [policy for policy in policies if policy.spec is not None]
    ranks = standings(valid)
    shield_above = lowest_limit(valid, ranks) if settings.tables_are_apart else None
    contexts = {
        policy.key: Context(
            key=policy.key,
            namespace=policy.namespace,
            spec=policy.spec,
            rank=rank,
            networks=networks.selected(policy.spec, tables, any_network=settings.any_network),
            shield_above=shield_above,
            ignored=networks.ignored_of(policy.namespace, policy.spec, tables),
            criteria=_criteria(policy.namespace, policy.spec, before.get(policy.key)),
        )
        for policy in valid
        if policy.spec is not None and (rank := ranks[policy.key].rank) is not None
    }
    return contexts, ranks


def _criteria(namespace: str, spec: NetworkQoSSpec, before: Context | None) -> tuple[Criteria, ...]:
    if before is not None and before.spec is spec:
        return before.criteria
    return tuple(Criteria.of(rule.classifier, namespace) for rule in spec.egress)
