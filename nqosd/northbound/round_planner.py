"""Plans a round: without what the database refuses or somebody else contests, in a thread if it takes long.

In: a round, and the replica. Out: a plan. What can't be planned, because planning it fails, is left out from then on.
"""

from collections.abc import Callable, Mapping
from collections.abc import Set as AbstractSet

import attrs
import structlog

from nqosd.northbound.contested import Contested
from nqosd.northbound.other_writers import other_writer
from nqosd.northbound.plan.operations import Subject, describe
from nqosd.northbound.plan.plan import Plan, make_plan
from nqosd.northbound.planned_round import PlannedRound
from nqosd.northbound.refusals import Refusals
from nqosd.northbound.replica.idl_driver import IdlDriver

log = structlog.get_logger(__name__)


class RoundPlanner:
    """Remembers nothing itself; `now` is the clock of the timers."""

    def __init__(self, driver: IdlDriver, refusals: Refusals, contested: Contested, now: Callable[[], float]) -> None:
        self._driver = driver
        self._replica = driver.idl.replica
        self._refusals = refusals
        self._contested = contested
        self._now = now

    async def plan(self, round_: PlannedRound, rest: AbstractSet[Subject] = frozenset()) -> Plan:
        """Plan without what is blocked and without `rest`; in a thread if it takes long."""
        refused = {**self._refusals.left_out, **dict.fromkeys(rest, "not yet")} if self._refusals or rest else {}
        plan = await self.make_plan(round_, refused)
        if self._contested:
            held = self._contested.hold(plan.subjects, self._now(), lambda: self._other_writer(round_))
            if held:
                plan = await self.make_plan(round_, {**refused, **held})
        for subject, error in plan.failed.items():
            log.error("northbound: can't be planned", object=describe(subject), exc_info=error)
            self._refusals.add(subject, f"it can't be written: {error}", self._now())
        return plan

    def _other_writer(self, round_: PlannedRound) -> str:
        return other_writer(self._replica.writers(), round_.plan_options.record)

    async def make_plan(self, round_: PlannedRound, refused: Mapping[Subject, str]) -> Plan:
        """Plan without `refused`."""
        plan_options = attrs.evolve(round_.plan_options, refused=refused) if refused else round_.plan_options

        def work() -> Plan:
            plan = make_plan(round_.desired, self._replica, round_.scope, plan_options)
            for name, prefixes in plan.listed.items():
                self._replica.address_sets.share(name, prefixes)
            return plan

        return work() if round_.is_light else await self._driver.aside(work)
