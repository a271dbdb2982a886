"""One round on its way: what it takes of what is dirty, what it leaves, and how its plans are made.

In: what is dirty and what is desired. Out: a `PlannedRound`, which the reconciler carries through.
"""

import asyncio
from functools import cached_property

import attrs

from nqosd.compiler.desired import Desired
from nqosd.northbound.dirty import Dirty
from nqosd.northbound.plan.plan_options import PlanOptions
from nqosd.northbound.plan.scope import PlanScope
from nqosd.northbound.shares import weight_of

_LIGHT = 50
"""The weight of what a plan may look at in the event loop: it takes about 2 ms, 10 at most."""


@attrs.frozen
class PlannedRound:
    """One round on its way. `is_audit`: everything is compared although nothing is known to differ.

    `later` is what the round leaves for the next ones.
    """

    desired: Desired
    taken: Dirty
    later: Dirty
    scope: PlanScope
    plan_options: PlanOptions
    is_audit: bool
    begun: float

    @cached_property
    def is_light(self) -> bool:
        """Whether a plan looks at so little that others needn't have their turn meanwhile."""
        return weight_of(len(self.scope.rows), self.scope.sets, self.desired) <= _LIGHT

    async def give_way(self) -> None:
        """Give others their turn between two steps that take milliseconds where there are thousands of rows."""
        if not self.is_light:
            await asyncio.sleep(0)
