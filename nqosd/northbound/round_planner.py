"""Plans a round: without what the database refuses or somebody else contests, in a thread if it takes long.

In: a round, and the replica. Out: a plan. What can't be planned, because planning it fails, is left out from then on.
"""

import asyncio
from collections.abc import Callable, Mapping
from collections.abc import Set as AbstractSet
from functools import cached_property

import msgspec
import structlog
from msgspec.structs import replace

from nqosd.compiler.desired import Desired
from nqosd.northbound.contested import Contested
from nqosd.northbound.dirty import Dirty
from nqosd.northbound.other_writers import other_writer
from nqosd.northbound.plan.operations import Subject, describe
from nqosd.northbound.plan.plan import Plan, make_plan
from nqosd.northbound.plan.plan_options import PlanOptions
from nqosd.northbound.plan.scope import PlanScope
from nqosd.northbound.refusals import Refusals
from nqosd.northbound.replica.idl_driver import IdlDriver
from nqosd.northbound.shares import weight_of

log = structlog.get_logger(__name__)

_LIGHT = 50
"""The weight of what a plan may look at in the event loop: it takes about 2 ms, 10 at most."""


class OpenRound(msgspec.Struct, frozen=True, dict=True):
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


class RoundPlanner:
    """Remembers nothing itself; `now` is the clock of the timers."""

    def __init__(self, driver: IdlDriver, refusals: Refusals, contested: Contested, now: Callable[[], float]) -> None:
        self._driver = driver
        self._replica = driver.idl.replica
        self._refusals = refusals
        self._contested = contested
        self._now = now

    async def plan(self, round_: OpenRound, rest: AbstractSet[Subject] = frozenset()) -> Plan:
        """Plan without what is blocked and without `rest`; in a thread if it takes long."""
        refused = {**self._refusals.left_out, **dict.fromkeys(rest, "not yet")} if self._refusals or rest else {}
        plan = await self.plan_without(round_, refused)
        if self._contested:
            held = self._contested.hold(plan.subjects, self._now(), lambda: self._other_writer(round_))
            if held:
                plan = await self.plan_without(round_, {**refused, **held})
        for subject, error in plan.failed.items():
            log.error("northbound: can't be planned", object=describe(subject), exc_info=error)
            self._refusals.add(subject, f"it can't be written: {error}", self._now())
        return plan

    def _other_writer(self, round_: OpenRound) -> str:
        return other_writer(self._replica.writers(), round_.plan_options.record)

    async def plan_without(self, round_: OpenRound, refused: Mapping[Subject, str]) -> Plan:
        """Plan without `refused`."""
        plan_options = replace(round_.plan_options, refused=refused) if refused else round_.plan_options

        def work() -> Plan:
            plan = make_plan(round_.desired, self._replica, round_.scope, plan_options)
            for name, prefixes in plan.listed.items():
                self._replica.address_sets.share(name, prefixes)
            return plan

        return work() if round_.is_light else await self._driver.aside(work)
