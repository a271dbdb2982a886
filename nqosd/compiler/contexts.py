"""Contexts: everything about a policy that its rows depend on, besides its senders.

In: tables, networks, settings. Out: one `Context` for each policy that can be applied. Rule: a context is a value;
when it is equal before and after a change, none of the policy's rows has changed.
"""

from collections.abc import Iterable, Mapping

import attrs

from nqosd.api.networkqos import NetworkQoS, NetworkQoSSpec, PodPeer
from nqosd.cache.selections import PodSelection, Role
from nqosd.cache.tables import Tables
from nqosd.compiler.networks import Networks
from nqosd.compiler.precedence import Standing, lowest_limit, row_priority, standings
from nqosd.compiler.settings import Settings


def selection_of(peer: PodPeer, namespace: str) -> PodSelection:
    """Give the pods that an entry of a policy of some namespace means."""
    return PodSelection(Role.PEER, namespace if peer.namespaces is None else peer.namespaces, peer.pods)


@attrs.frozen
class Context:
    """A policy that can be applied. `networks` None means all; `shield_above` is None where tables are merged.

    On OVN before 24.09 a rule without a limit above `shield_above` would leave its packets to the meter of a lower
    rule: it needs a limit of its own that never bites. `ignored` says which definitions it selects that don't count.
    """

    key: str
    namespace: str
    spec: NetworkQoSSpec
    rank: int
    networks: frozenset[str] | None
    shield_above: int | None
    ignored: tuple[str, ...] = ()

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
    policies: Iterable[NetworkQoS], networks: Networks, tables: Tables, settings: Settings
) -> tuple[Mapping[str, Context], Mapping[str, Standing]]:
    """Give the contexts and the standings of the valid policies of one namespace, by key."""
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
        )
        for policy in valid
        if policy.spec is not None and (rank := ranks[policy.key].rank) is not None
    }
    return contexts, ranks
