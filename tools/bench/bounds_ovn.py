"""What a desired state takes a chassis of OVN 25.03: OpenFlow flows, and CPU time of ovn-controller.

In: desired rows on one switch. Out: a `Cost`. Rule: rows and sets are written by the operations that the daemon would
send, into a real database with a real northd; the switch has a port on the chassis, and everything goes before the next
state comes.
"""

import contextlib
import itertools
import re
from collections.abc import Iterator, Mapping
from typing import Self, cast

import attrs

from nqosd.compiler.desired import AddressSet, Desired, Direction, Family, QosRow, RowKey
from nqosd.compiler.prefixes import Prefixes
from nqosd.northbound.plan.plan import make_plan
from nqosd.northbound.plan.plan_options import PlanOptions
from nqosd.northbound.plan.scope import PlanScope
from nqosd.northbound.replica.replica import Replica
from tests.services.chassis import Chassis
from tests.services.generation import GENERATIONS
from tests.services.monitor import DATABASE, OvsdbClient
from tests.services.ovn import OvnCentral
from tools.bench.bound_cases import FAR_APART
from tools.bench.services import usage
from tools.bench.workload import NODE

GENERATION = next(each for each in GENERATIONS if each.series == "25.03")
LENGTHS = (10, 55, 100, 300, 1_000, 3_000, 10_000, 30_000)
ROWS = 5
"""Rows with the same list, since one of a short list takes less than can be measured."""
_COUNT = re.compile(r"flow_count=(\d+)")
_PORT = "probe"


@attrs.frozen
class Cost:
    """OpenFlow flows that came, seconds of CPU, and MiB that ovn-controller holds then."""

    flows: int
    cpu: float
    resident: float


class Scene:
    """OVN with one switch on one chassis; a context manager."""

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as stack:
            central = stack.enter_context(OvnCentral(GENERATION))
            self._chassis = stack.enter_context(Chassis(central))
            self._client = OvsdbClient(central.nb.socket)
            stack.callback(self._client.close)
            central.nb.nbctl("ls-add", NODE, "--", "lsp-add", NODE, _PORT)
            self._switch = central.nb.nbctl("--bare", "--columns=_uuid", "list", "Logical_Switch").strip()
            self._chassis.bind(_PORT)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def cost(self, desired: Desired) -> Cost:
        """Write a state, see what it takes, and take it away again."""
        replica = Replica("nqosd")
        replica.apply("Logical_Switch", self._switch, {"insert": {"name": NODE}})
        plan = make_plan(desired, replica, PlanScope.whole(desired, replica), PlanOptions("nqosd"))
        flows, begun = self._flows(), usage(self._chassis.controller.pid)
        self._transact(*(operation.body for operation in plan.operations))
        found, ended = self._flows(), usage(self._chassis.controller.pid)
        self._transact(
            {"op": "update", "table": "Logical_Switch", "where": [], "row": {"qos_rules": ["set", []]}},
            {"op": "delete", "table": "Address_Set", "where": []},
        )
        return Cost(found - flows, ended.cpu - begun.cpu, ended.resident)

    def _transact(self, *operations: Mapping[str, object]) -> None:
        answers = cast("list[dict[str, object] | None]", self._client.call("transact", [DATABASE, *operations]))
        refused = [each for each in answers if each is None or "error" in each]
        if refused:
            raise RuntimeError(f"the server refused the transaction: {refused[0]}")

    def _flows(self) -> int:
        self._chassis.sync()
        chassis = self._chassis
        ofctl = [*chassis.namespace.enter, chassis.generation.program("ovs-ofctl"), "-O", "OpenFlow15"]
        found = _COUNT.search(chassis.database.run([*ofctl, "dump-aggregate", "br-int"]))
        if found is None:
            raise RuntimeError("ovs-ofctl doesn't say how many flows there are")
        return int(found[1])


def lists() -> Iterator[tuple[int, Desired, Desired]]:
    """Give states whose rows have a list of some length in their match, and the same with the list in a set."""
    holes = [0x01000000 + FAR_APART * each for each in range(2000)]
    every = Prefixes.of(Family.IP4, [(low + 1, high - 1) for low, high in itertools.pairwise(holes)])
    for length in LENGTHS:
        prefixes = list(itertools.islice(every, length))
        named = AddressSet("nqosd_listed", f"{length} prefixes", set(prefixes))
        yield length, _state(f"{{{', '.join(prefixes)}}}"), _state(f"${named.name}", named)


def _state(destinations: str, *sets: AddressSet) -> Desired:
    senders = AddressSet("nqosd_senders", "senders", {"10.0.0.1"})
    rows = {}
    for number in range(ROWS):
        key = RowKey("bench/list", number, "default", NODE)
        match = f"ip4.src == ${senders.name} && ip4.dst == {destinations}"
        names = tuple(each.name for each in (senders, *sets))
        rows[key] = QosRow(key, Direction.TO_LPORT, 10_000 + number, match, 20, sets=names)
    return Desired(rows, {each.name: each for each in (senders, *sets)}, {})
