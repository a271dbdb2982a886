"""Rows: one policy on one switch, as QoS rows.

In: a context, a network, a switch and which kinds of senders are there. Out: a `Unit`, the rows and the sets that they
refer to. Rule: a packet takes mark and limit from one rule, on every OVN; a meter belongs to a row, so whatever must
share a limit stands in one row.
"""

from collections.abc import Callable, Iterable, Mapping

import attrs

from nqosd.api.networkqos import BandwidthScope, EgressRule, NetworkQoSSpec
from nqosd.compiler.contexts import Context
from nqosd.compiler.desired import NEVER_BITES, Family, QosRow, RowKey
from nqosd.compiler.expression import any_of
from nqosd.compiler.matching import Criteria, Disjunct, Scope, Senders, by_address, by_port, by_set, disjuncts
from nqosd.compiler.networks import Network
from nqosd.compiler.places import Place
from nqosd.compiler.sets import AnySet, SetId

POD_PART = "pod/"
"""How `RowKey.part` of a row for one pod begins; the pod's name follows."""


@attrs.frozen
class Unit:
    """The rows of one policy on one switch, and the sets that they refer to.

    `has_limit`: one of the rows has a limit that can bite.
    """

    rows: tuple[QosRow, ...] = ()
    sets: frozenset[AnySet] = frozenset()
    has_limit: bool = False


@attrs.frozen
class Site:
    """One switch with senders on it. `pods` gives their places by pod name, asked for limits per pod only."""

    network: Network
    switch: str
    kinds: frozenset[Family | None]
    pods: Callable[[], Mapping[str, tuple[Place, ...]]]


def rows_at_most(spec: NetworkQoSSpec, kinds: int, senders: int) -> int:
    """Say how many rows a policy can take on a switch with so many kinds of senders, and so many of one kind."""
    limited = sum(rule.limit is not None for rule in spec.egress)
    alone = senders if spec.bandwidth_scope is BandwidthScope.POD else 1
    return limited * alone + (len(spec.egress) - limited) * kinds


def build_unit(context: Context, site: Site, name: Callable[[AnySet], str]) -> Unit:
    """Build all rows of a policy for one switch; `name` names a set."""
    scope = Scope(site.network.name, name)
    shared = [
        by_set(SetId(context.sources, site.network.name, site.switch, kind), scope)
        for kind in (*Family, None)
        if kind in site.kinds
    ]
    rows: list[QosRow] = []
    sets: set[AnySet] = set()
    alone = _each_pod(site) if context.spec.bandwidth_scope is BandwidthScope.POD else None
    for index, (rule, criteria) in enumerate(zip(context.spec.egress, context.criteria, strict=True)):
        for part, alternatives in _parts(rule, criteria, shared, alone, scope):
            used = sorted({each for alternative in alternatives for each in alternative.sets}, key=name)
            sets.update(used)
            priority = context.priority(index)
            rate, burst = _limit(rule, priority, context.shield_above)
            rows.append(
                QosRow(
                    key=RowKey(context.key, index, site.network.name, site.switch, part),
                    direction=site.network.direction,
                    priority=priority,
                    match=str(any_of(alternative.expression for alternative in alternatives)),
                    dscp=rule.dscp,
                    rate=rate,
                    burst=burst,
                    sets=tuple(map(name, used)),
                )
            )
    has_limit = any(context.spec.egress[row.key.rule].limit is not None for row in rows)
    return Unit(tuple(rows), frozenset(sets), has_limit)


def _parts(
    rule: EgressRule,
    criteria: Criteria,
    shared: list[Senders],
    alone: Mapping[str, list[Senders]] | None,
    scope: Scope,
) -> Iterable[tuple[str, list[Disjunct]]]:
    """Say which alternatives of a rule's match stand in one row; `alone` tells each pod, or None: a limit is shared."""
    if rule.limit is None:
        for alternative in disjuncts(criteria, shared, scope):
            yield alternative.part, [alternative]
    elif alone is None:
        if alternatives := disjuncts(criteria, shared, scope):
            yield "", alternatives
    else:
        for pod, senders in alone.items():
            if alternatives := disjuncts(criteria, senders, scope):
                yield f"{POD_PART}{pod}", alternatives


def _each_pod(site: Site) -> Mapping[str, list[Senders]]:
    """Tell each sender alone. An address that two live pods claim belongs to the first by name, never to both rows."""
    claimed: set[str] = set()
    found = {}
    for pod, places in sorted(site.pods().items()):
        mine = [place for place in places if place.member not in claimed]
        claimed.update(place.member for place in mine)
        found[pod] = [
            by_address(family, sorted(place.member for place in mine if place.family is family))
            for family in Family
            if any(place.family is family for place in mine)
        ] + [by_port(place.member) for place in mine if place.family is None]
    return found


def _limit(rule: EgressRule, priority: int, shield_above: int | None) -> tuple[int | None, int | None]:
    if rule.limit is not None:
        return rule.limit.rate, rule.limit.burst
    shielded = shield_above is not None and priority > shield_above
    return (NEVER_BITES if shielded else None), None
