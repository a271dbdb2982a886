"""What the router sends back: packets that pass the rows of their own switch for a second time.

In: a site, how its senders are known, the row of a rule with a limit. Out: a row that takes these packets out of every
limit, or None where there can be no such packets. Rule: a packet is limited once, on its way to the router.

A packet to a service goes to the router, as its address is on no switch; where the pod behind the service is on the
switch that the packet came from, the router sends it back there. It has the sender's address still, so it met the same
meter twice, and a connection came to a standstill (measured with OVN 23.03 and 25.03). Only packets that come back
enter by the router's port with an address of this switch. OVN 23.03 refuses `inport != …`, so it is a row of its own.
"""

from collections.abc import Iterable

import attrs

from nqosd.compiler.desired import NEVER_BITES, Family, QosRow, RowKey
from nqosd.compiler.expression import Expression, Term, all_of, any_of, equals
from nqosd.compiler.matching import Senders
from nqosd.compiler.sets import SetId
from nqosd.compiler.sites import Site

RETURNED_PART = "returned"
"""`RowKey.part` of such a row."""
RETURNED_PRIORITY = 32767
"""The highest that OVN takes, above every rule of every policy."""


def returned(limited: RowKey, site: Site, senders: Iterable[Senders]) -> tuple[QosRow, tuple[SetId, ...]] | None:
    """Build the row beside the limited one, and say which sets it refers to.

    A switch's whole ranges cost one flow for a family; where they aren't known, each sender's address costs one.
    """
    port = site.network.router_port(site.switch)
    if port is None:
        return None
    alternatives: list[Expression] = []
    sets: list[SetId] = []
    for sender in senders:
        if (family := sender.family) is None:
            continue
        ranges = [each for each in site.subnets if (":" in each) == (family is Family.IP6)]
        if not ranges:
            sets.extend(sender.sets)
        own = equals(f"{family}.src", ranges) if ranges else sender.test(family)
        alternatives.append(all_of((Term(f'inport == "{port}"'), own)))
    if not alternatives:
        return None
    row = QosRow(
        key=attrs.evolve(limited, part=RETURNED_PART),
        direction=site.network.direction,
        priority=RETURNED_PRIORITY,
        match=str(any_of(alternatives)),
        dscp=None,
        rate=NEVER_BITES,
    )
    return row, tuple(sets)
