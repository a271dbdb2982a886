"""What a person should know about each policy: whether it can be applied, what is wrong, what to know.

In: a policy, its rank, what of it is effective, and its units. Out: a `PolicyReport`. Rule: every sentence names the
thing it is about and what to do, and none of them changes while pods merely come and go (but for the cost of limits per
pod), so that a status is written only when a person would want to read it again.
"""

from collections.abc import Callable, Iterator, Mapping

import msgspec

from nqosd.api.networkqos import BandwidthScope, NetworkQoS, PodPeer
from nqosd.api.objects import NetworkRole
from nqosd.api.problems import Problem
from nqosd.api.text import shortened
from nqosd.compiler.desired import Direction
from nqosd.compiler.effective_policies import EffectivePolicy
from nqosd.compiler.matching import selection_of
from nqosd.compiler.network_switches import Networks
from nqosd.compiler.precedence import WINNER, Rank
from nqosd.compiler.rows import POD_PART, Unit
from nqosd.compiler.set_ids import SetId
from nqosd.compiler.switches import UNKNOWN, Switches

SHOWN = 3
"""How many ignored definitions a policy is told of by name."""

Units = Mapping[tuple[str, str], Unit]
"""The units of one policy by network and switch; every unit has a sender."""


class PolicyReport(msgspec.Struct, frozen=True):
    """The state of one policy in this zone, before the database has been asked.

    `ready` is false when the policy is not applied at all, and then `problems` says why. `networks` are the selected
    networks on which it has source pods, `switches` the logical switches that carry its rows, both sorted; `rows`
    counts the rows.
    """

    namespace: str
    name: str
    ready: bool
    problems: tuple[Problem, ...] = ()
    warnings: tuple[str, ...] = ()
    networks: tuple[str, ...] = ()
    switches: tuple[str, ...] = ()
    rows: int = 0

    @property
    def key(self) -> str:
        """`namespace/name`."""
        return f"{self.namespace}/{self.name}"


class ReportInputs(msgspec.Struct, frozen=True):
    """What a report looks up: networks, switches as the database has them, and whether a set of ports has members."""

    networks: Networks
    switches: Switches
    has_ports: Callable[[SetId], bool]


def report(
    policy: NetworkQoS,
    standing: Rank | None,
    effective: EffectivePolicy | None,
    units: Units,
    facts: ReportInputs,
    *,
    excess: Problem | None = None,
) -> PolicyReport:
    """Report on one policy; `effective` is None where it isn't applied, `excess` says if its rows are too many."""
    problems = policy.problems
    warnings = policy.warnings
    if standing is not None:
        problems += tuple(_lost(policy, standing)) if excess is None else (excess,)
        warnings += tuple(_tied(policy, standing))
    if effective is not None and excess is None:
        warnings += tuple(_noteworthy(effective, units, facts))
    return PolicyReport(
        namespace=policy.namespace,
        name=policy.name,
        ready=effective is not None and excess is None,
        problems=problems,
        warnings=shortened(dict.fromkeys(warnings)),
        networks=tuple(sorted({network for network, _switch in units})),
        switches=tuple(sorted({switch for (_network, switch), unit in units.items() if unit.rows})),
        rows=sum(len(unit.rows) for unit in units.values()),
    )


def _lost(policy: NetworkQoS, standing: Rank) -> Iterator[Problem]:
    if standing.excess is not None:
        yield standing.excess
    elif standing.rank is None and policy.spec is not None:
        yield Problem(
            "spec.priority",
            f"more than {WINNER + 1} policies of namespace {policy.namespace} share priority {policy.spec.priority}; "
            f"the {WINNER + 1} oldest are applied and this one is not: give it a priority of its own",
        )


def _tied(policy: NetworkQoS, standing: Rank) -> Iterator[str]:
    if standing.tied and standing.rank is not None and policy.spec is not None:
        all_ = f"more than {WINNER + 1}" if standing.tied > WINNER else str(standing.tied + 1)
        yield (
            f"spec.priority: {all_} policies of namespace {policy.namespace} share {policy.spec.priority}; "
            "where several match, the oldest wins, then the first by name"
        )


def _noteworthy(effective: EffectivePolicy, units: Units, facts: ReportInputs) -> Iterator[str]:
    if effective.networks is not None and not effective.networks:
        yield "spec.networkSelectors: no network matches, so no traffic does"
    yield from (f"spec.networkSelectors: {each}" for each in effective.ignored[:SHOWN])
    if len(effective.ignored) > SHOWN:
        yield "spec.networkSelectors: more definitions are ignored; nqosd get networks"
    if effective.spec.bandwidth_scope is BandwidthScope.POD:
        rows = sum(row.key.part.startswith(POD_PART) for unit in units.values() for row in unit.rows)
        yield f"bandwidth-scope Pod takes a row for each pod and limited rule, {rows} now; each change recomputes"
    for network in dict.fromkeys(name for name, _switch in sorted(units)):
        yield from _unaddressed(effective, network, facts)
        yield from _before_load_balancing(effective, network, facts.networks)
    for network, name in sorted(units):
        if words := facts.switches.get(name, UNKNOWN).objection(facts.networks.by_name[network].direction):
            yield f"switch {name}: {words}"


def _unaddressed(effective: EffectivePolicy, network: str, facts: ReportInputs) -> Iterator[str]:
    """Warn of peers without addresses: OVN can tell a sender by its port, but a destination by address only."""
    for index, rule in enumerate(effective.spec.egress):
        for field, entries in (("to", rule.classifier.to), ("from", rule.classifier.from_)):
            for position, peer in enumerate(entries):
                if isinstance(peer, PodPeer) and facts.has_ports(
                    SetId(selection_of(peer, effective.namespace), network, "", None)
                ):
                    yield (
                        f"spec.egress[{index}].classifier.{field}[{position}]: selects pods without addresses on "
                        f"network {network}, which only an ipBlock can match: those pods are left out"
                    )


def _before_load_balancing(effective: EffectivePolicy, network: str, networks: Networks) -> Iterator[str]:
    """Warn where rows stand before load balancing on a network that has services: a primary flat one.

    Measured on 23.03 and 25.03: a connection's first packet still has the service's address there, later ones don't.
    """
    known = networks.by_name[network]
    if known.direction is Direction.TO_LPORT or known.role is not NetworkRole.PRIMARY:
        return
    for index, rule in enumerate(effective.spec.egress):
        if rule.classifier.to or rule.classifier.ports:
            yield (
                f"spec.egress[{index}].classifier: on network {network} (flat) the first packet of a connection to a "
                "service is compared with the service's own address and port, and only later ones with those of the "
                "pod behind it"
            )
