"""Rows: one policy on one switch, as QoS rows.

In: an effective policy, a network, a switch and which kinds of senders are there. Out: a `Unit`, the rows and the sets
that they refer to. Rule: a packet takes mark and limit from one rule, on every OVN; a meter belongs to a row, so
whatever must share a limit stands in one row.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence

import attrs
import msgspec

from nqosd.api.networkqos import BandwidthScope, EgressRule, NetworkQoSSpec
from nqosd.compiler.desired import NEVER_BITES, Family, QosRow, RowKey
from nqosd.compiler.effective_policies import EffectivePolicy
from nqosd.compiler.expression import any_of
from nqosd.compiler.matching import Criteria, Disjunct, MatchScope, Senders, by_address, by_port, by_set, disjuncts
from nqosd.compiler.network_switches import Network
from nqosd.compiler.pod_addresses import PodAddress
from nqosd.compiler.set_ids import AnySet, SetId

POD_PART = "pod/"
"""How `RowKey.part` of a row for one pod begins; the pod's name follows."""


class PodRows(msgspec.Struct, frozen=True):
    """The rows of one pod on one switch, which has limits of its own, and where it is there."""

    places: tuple[PodAddress, ...]
    rows: tuple[QosRow, ...]
    sets: frozenset[AnySet]


@attrs.frozen
class Unit:
    """The rows of one policy on one switch, and the sets that they refer to.

    `limited` are the families of the senders, None for logical ports, if a row has a limit that can bite. `alone` are
    those of pods with limits of their own, by name; they hold for `effective` and `network`. All else holds as long as
    `kinds`, which senders there are, are the same, too.
    """

    rows: tuple[QosRow, ...] = ()
    sets: frozenset[AnySet] = frozenset()
    limited: frozenset[Family | None] = frozenset()
    alone: Mapping[str, PodRows] = attrs.field(factory=dict, eq=False, repr=False)
    effective: EffectivePolicy | None = attrs.field(default=None, eq=False, repr=False)
    network: Network | None = attrs.field(default=None, eq=False, repr=False)
    kinds: frozenset[Family | None] = attrs.field(default=frozenset(), eq=False, repr=False)

    def holds(self, effective: EffectivePolicy, site: "SenderSwitch") -> bool:
        """Say whether building it again would give the same, whatever pods there are."""
        same = self.effective is effective and self.network == site.network and self.kinds == site.kinds
        return same and effective.spec.bandwidth_scope is not BandwidthScope.POD


class SenderSwitch(msgspec.Struct, frozen=True):
    """One switch with senders on it. `pods` gives their places by pod name, asked for limits per pod only."""

    network: Network
    switch: str
    kinds: frozenset[Family | None]
    pods: Callable[[], Mapping[str, tuple[PodAddress, ...]]]


def rows_at_most(spec: NetworkQoSSpec, kinds: int, senders: int) -> int:
    """Say how many rows a policy can take on a switch with so many kinds of senders, and so many of one kind."""
    limited = sum(rule.limit is not None for rule in spec.egress)
    alone = senders if spec.bandwidth_scope is BandwidthScope.POD else 1
    return limited * alone + (len(spec.egress) - limited) * kinds


def build_unit(effective: EffectivePolicy, site: SenderSwitch, scope: MatchScope, before: Unit | None = None) -> Unit:
    """Build all rows of a policy for one switch; `scope` is that of its network, and may be of all switches there.

    `before` is the unit that stood there: a pod with limits of its own that is where it was has the rows that it had.
    """
    shared = [
        by_set(SetId(effective.sources, site.network.name, site.switch, kind), scope)
        for kind in (*Family, None)
        if kind in site.kinds
    ]
    each_alone = effective.spec.bandwidth_scope is BandwidthScope.POD
    rows: list[QosRow] = []
    every: list[Disjunct] = []
    for index, (rule, criteria) in enumerate(zip(effective.spec.egress, effective.criteria, strict=True)):
        for part, alternatives in () if each_alone and rule.limit else _parts(rule, criteria, shared, scope):
            key = RowKey(effective.key, index, site.network.name, site.switch, part)
            rows.append(_row(effective, site.network, key, alternatives))
            every += alternatives
    sets = _sets(every, scope)
    alone = _alone(effective, site, scope, before) if each_alone else {}
    for mine in alone.values():
        rows += mine.rows
        sets |= mine.sets
    has_limit = any(effective.spec.egress[row.key.rule].limit is not None for row in rows)
    limited = site.kinds if has_limit else frozenset()
    return Unit(tuple(rows), sets, limited, alone, effective, site.network, site.kinds)


def _sets(alternatives: Sequence[Disjunct], scope: MatchScope) -> frozenset[AnySet]:
    """Give the sets that some alternatives refer to."""
    senders = {name: each for alternative in alternatives for name, each in alternative.senders.items()}
    return scope.join(alternative.others for alternative in alternatives) | frozenset(senders.values())


def _row(effective: EffectivePolicy, network: Network, key: RowKey, alternatives: Iterable[Disjunct]) -> QosRow:
    """Build one row."""
    used: dict[str, AnySet] = {}
    for alternative in alternatives:
        used |= alternative.others
        used |= alternative.senders
    first, *others = (alternative.expression for alternative in alternatives)
    rule, priority = effective.spec.egress[key.rule], effective.priority(key.rule)
    rate, burst = _limit(rule, priority, effective.shield_above)
    return QosRow(
        key=key,
        direction=network.direction,
        priority=priority,
        match=str(any_of((first, *others)) if others else first),
        dscp=rule.dscp,
        rate=rate,
        burst=burst,
        sets=tuple(sorted(used)),
    )


def _parts(
    rule: EgressRule, criteria: Criteria, senders: list[Senders], scope: MatchScope
) -> Iterable[tuple[str, list[Disjunct]]]:
    """Say which alternatives of a rule's match stand in one row."""
    alternatives = disjuncts(criteria, senders, scope)
    if rule.limit is None:
        return [(alternative.part, [alternative]) for alternative in alternatives]
    return [("", alternatives)] if alternatives else []


def _alone(
    effective: EffectivePolicy, site: SenderSwitch, scope: MatchScope, before: Unit | None
) -> Mapping[str, PodRows]:
    """Give each pod rows of its own. An address that two live pods claim belongs to the first by name alone."""
    is_usable = before is not None and before.effective is effective and before.network == site.network
    known = before.alone if before is not None and is_usable else {}
    claimed: set[str] = set()
    found = {}
    for pod, places in sorted(site.pods().items()):
        mine = tuple(place for place in places if place.member not in claimed)
        claimed.update(place.member for place in mine)
        had = known.get(pod)
        found[pod] = had if had is not None and had.places == mine else _pod_rows(effective, site, pod, mine, scope)
    return found


def _pod_rows(
    effective: EffectivePolicy, site: SenderSwitch, pod: str, places: tuple[PodAddress, ...], scope: MatchScope
) -> PodRows:
    senders = [
        by_address(family, sorted(place.member for place in places if place.family is family))
        for family in Family
        if any(place.family is family for place in places)
    ] + [by_port(place.member) for place in places if place.family is None]
    rows: list[QosRow] = []
    every: list[Disjunct] = []
    for index, (rule, criteria) in enumerate(zip(effective.spec.egress, effective.criteria, strict=True)):
        if rule.limit is not None and (alternatives := disjuncts(criteria, senders, scope)):
            key = RowKey(effective.key, index, site.network.name, site.switch, f"{POD_PART}{pod}")
            rows.append(_row(effective, site.network, key, alternatives))
            every += alternatives
    return PodRows(places, tuple(rows), _sets(every, scope))


def _limit(rule: EgressRule, priority: int, shield_above: int | None) -> tuple[int | None, int | None]:
    if rule.limit is not None:
        return rule.limit.rate, rule.limit.burst
    shielded = shield_above is not None and priority > shield_above
    return (NEVER_BITES if shielded else None), None
