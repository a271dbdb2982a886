"""Reports: what a person should know about each policy.

In: a policy, its standing, its context and its units. Out: a `PolicyReport`. Rule: every sentence names the thing it is
about and what to do, and none of them changes while pods merely come and go (but for the cost of limits per pod).
"""

from collections.abc import Callable, Iterator, Mapping

import attrs

from nqosd.api.networkqos import BandwidthScope, NetworkQoS, PodPeer
from nqosd.api.objects import Role
from nqosd.api.problems import Problem
from nqosd.api.text import shortened
from nqosd.compiler.contexts import Context
from nqosd.compiler.desired import Direction
from nqosd.compiler.matching import selection_of
from nqosd.compiler.networks import Networks
from nqosd.compiler.precedence import WINNER, Standing
from nqosd.compiler.report import PolicyReport
from nqosd.compiler.rows import POD_PART, Unit
from nqosd.compiler.sets import SetId

SHOWN = 3
"""How many ignored definitions a policy is told of by name."""

Units = Mapping[tuple[str, str], Unit]
"""The units of one policy by network and switch; every unit has a sender."""


@attrs.frozen
class Facts:
    """What a report looks up: the networks, and whether a set of logical ports has members."""

    networks: Networks
    has_ports: Callable[[SetId], bool]


def report(
    policy: NetworkQoS,
    standing: Standing | None,
    context: Context | None,
    units: Units,
    facts: Facts,
    *,
    excess: Problem | None = None,
) -> PolicyReport:
    """Report on one policy; `context` is None where it isn't applied, `excess` says if its rows are too many."""
    problems = policy.problems
    warnings = policy.warnings
    if standing is not None:
        problems += tuple(_lost(policy, standing)) if excess is None else (excess,)
        warnings += tuple(_tied(policy, standing))
    if context is not None and excess is None:
        warnings += tuple(_noteworthy(context, units, facts))
    return PolicyReport(
        namespace=policy.namespace,
        name=policy.name,
        ready=context is not None and excess is None,
        problems=problems,
        warnings=shortened(dict.fromkeys(warnings)),
        networks=tuple(sorted({network for network, _switch in units})),
        switches=tuple(sorted({switch for (_network, switch), unit in units.items() if unit.rows})),
        rows=sum(len(unit.rows) for unit in units.values()),
    )


def _lost(policy: NetworkQoS, standing: Standing) -> Iterator[Problem]:
    if standing.excess is not None:
        yield standing.excess
    elif standing.rank is None and policy.spec is not None:
        yield Problem(
            "spec.priority",
            f"more than {WINNER + 1} policies of namespace {policy.namespace} share priority {policy.spec.priority}; "
            f"the {WINNER + 1} oldest are applied and this one is not: give it a priority of its own",
        )


def _tied(policy: NetworkQoS, standing: Standing) -> Iterator[str]:
    if standing.tied and standing.rank is not None and policy.spec is not None:
        all_ = f"more than {WINNER + 1}" if standing.tied > WINNER else str(standing.tied + 1)
        yield (
            f"spec.priority: {all_} policies of namespace {policy.namespace} share {policy.spec.priority}; "
            "where several match, the oldest wins, then the first by name"
        )


def _noteworthy(context: Context, units: Units, facts: Facts) -> Iterator[str]:
    if context.networks == frozenset():
        yield "spec.networkSelectors: no network matches, so no traffic does"
    yield from (f"spec.networkSelectors: {each}" for each in context.ignored[:SHOWN])
    if len(context.ignored) > SHOWN:
        yield f"spec.networkSelectors: {len(context.ignored) - SHOWN} more definitions are ignored; nqosd get networks"
    if context.spec.bandwidth_scope is BandwidthScope.POD:
        rows = sum(row.key.part.startswith(POD_PART) for unit in units.values() for row in unit.rows)
        yield f"bandwidth-scope Pod takes a row for each pod and limited rule: {rows} rows now, each change recomputes"
    for network in dict.fromkeys(name for name, _switch in sorted(units)):
        yield from _unaddressed(context, network, facts)
        yield from _before_load_balancing(context, network, facts.networks)


def _unaddressed(context: Context, network: str, facts: Facts) -> Iterator[str]:
    """Warn of peers without addresses: OVN can tell a sender by its port, but a destination by address only."""
    for index, rule in enumerate(context.spec.egress):
        for field, entries in (("to", rule.classifier.to), ("from", rule.classifier.from_)):
            for position, peer in enumerate(entries):
                if isinstance(peer, PodPeer) and facts.has_ports(
                    SetId(selection_of(peer, context.namespace), network, "", None)
                ):
                    yield (
                        f"spec.egress[{index}].classifier.{field}[{position}]: selects pods without addresses on "
                        f"network {network}, which only an ipBlock can match: those pods are left out"
                    )


def _before_load_balancing(context: Context, network: str, networks: Networks) -> Iterator[str]:
    """Warn where rows stand before load balancing on a network that has services: a primary flat one.

    Measured on 23.03 and 25.03: a connection's first packet still has the service's address there, later ones don't.
    """
    known = networks.by_name[network]
    if known.direction is Direction.TO_LPORT or known.role is not Role.PRIMARY:
        return
    for index, rule in enumerate(context.spec.egress):
        if rule.classifier.to or rule.classifier.ports:
            yield (
                f"spec.egress[{index}].classifier: on network {network} (flat) the first packet of a connection to a "
                "service is compared with the service's own address and port, and only later ones with those of the "
                "pod behind it"
            )
