"""The counters of this chassis as they are now, and the tables that say which rules they count for.

In: `StatsOptions`. Out: a `ChassisReading`, once or again and again. Rule: nothing is changed in a database, in
ovn-controller or in the bridge.
"""

import asyncio
from collections.abc import Callable, Mapping

import msgspec
from msgspec.structs import replace

from nqosd.compiler.desired import OWNER
from nqosd.ovsdb import schema, wire
from nqosd.ovsdb.connection_options import TlsFiles
from nqosd.ovsdb.remotes import Remote
from nqosd.statistics import switch
from nqosd.statistics.controller import ControllerError, wanted_meters
from nqosd.statistics.figures import Figures
from nqosd.statistics.meters import rules_without_meter
from nqosd.statistics.mirror import Mirror, MonitorRequest
from nqosd.statistics.rules import (
    FLOW_MAPS,
    FLOW_VALUES,
    ROW_MAPS,
    ROW_VALUES,
    STAGES,
    Purpose,
    Rule,
    limits_of,
    purposes,
)
from nqosd.statistics.switch import SwitchError, SwitchReading
from nqosd.statistics.tally import Tally
from nqosd.web.server import HttpOptions

TIMEOUT = 10.0
"""Seconds for one reading, and for `--once` to reach the databases."""
PATIENCE = 2.0
"""Seconds for ovn-controller, which answers nothing while it computes."""
CHANGE = 2.0
"""Seconds that a change may take from the Northbound database to the bridge."""
NORTHBOUND, SOUTHBOUND = "northbound", "southbound"


class StatsError(Exception):
    """The counters can't be read; the message says what is in the way."""


class StatsOptions(msgspec.Struct, frozen=True):
    """What the exporter must be told; `owner` as in external_ids:nqosd.io/owner, `interval` in seconds.

    `controller`: the folder of ovn-controller's control socket; empty for the usual places.
    """

    northbound: tuple[Remote, ...]
    southbound: tuple[Remote, ...]
    openflow: str
    controller: str
    owner: str
    node: str
    interval: float
    http: HttpOptions
    tls: TlsFiles | None = None


class Databases:
    """The rows of one owner and the logical flows of QoS, followed for as long as `following` lasts."""

    def __init__(self, options: StatsOptions, changed: Callable[[str, str], None] = lambda _name, _why: None) -> None:
        mine = ["external_ids", "includes", wire.string_map({OWNER: options.owner})]
        stages = [["external_ids", "includes", wire.string_map({"stage-name": stage})] for stage in STAGES]
        rows = MonitorRequest(schema.DATABASE, schema.QOS, ROW_MAPS, ROW_VALUES, (mine,))
        flows = MonitorRequest("OVN_Southbound", "Logical_Flow", FLOW_MAPS, FLOW_VALUES, tuple(stages))
        self.mirrors = {
            NORTHBOUND: Mirror(options.northbound, rows, options.tls, lambda why: changed(NORTHBOUND, why)),
            SOUTHBOUND: Mirror(options.southbound, flows, options.tls, lambda why: changed(SOUTHBOUND, why)),
        }

    def purposes(self) -> dict[int, Purpose]:
        """Join both tables as they are now."""
        return purposes(self.mirrors[NORTHBOUND].rows, self.mirrors[SOUTHBOUND].rows)

    def limits(self) -> dict[Rule, int | None]:
        """Give every rule that has rows, and its limit in bytes per second."""
        return limits_of(self.mirrors[NORTHBOUND].rows)

    async def filled(self) -> None:
        """Wait until both tables have been read once."""
        for mirror in self.mirrors.values():
            await mirror.filled.wait()


class ChassisReading(msgspec.Struct, frozen=True):
    """The bridge as it is, which rules its flows are for, and which of these have a limit without a meter.

    `controller`: why ovn-controller can't be asked for the meters that it wants, empty if it can; without it, what the
    bridge has refused isn't noticed.
    """

    purposes: Mapping[int, Purpose]
    bridge: SwitchReading
    without_meter: frozenset[Rule]
    controller: str

    def gains(self, tally: Tally) -> dict[Rule, Figures]:
        """Give what each rule has gained that has flows here, or should have."""
        return dict.fromkeys(self.without_meter, Figures()) | tally.take(self.bridge, self.purposes)


async def read_chassis(options: StatsOptions, databases: Databases) -> ChassisReading:
    """Read the bridge.

    Raises:
        SwitchError: it can't be read.
    """
    found, wanted, failure = databases.purposes(), dict[int, int](), ""
    try:  # before the bridge is read, so that it has had time to take what ovn-controller wants
        wanted = await wanted_meters(options.controller, PATIENCE)
    except ControllerError as error:
        failure = str(error)
    reading = await switch.read(options.openflow, found, TIMEOUT)
    return ChassisReading(found, reading, rules_without_meter(reading, wanted, found), failure)


async def read_once(options: StatsOptions) -> ChassisReading:
    """Read the bridge once; a limit without a meter is looked at twice, since a change may be on its way.

    Raises:
        StatsError: a database or the bridge can't be reached.
    """
    failures: dict[str, str] = {}
    databases = Databases(options, failures.__setitem__)
    tasks = [asyncio.create_task(mirror.run()) for mirror in databases.mirrors.values()]
    try:
        async with asyncio.timeout(TIMEOUT):
            await databases.filled()
        found = await read_chassis(options, databases)
        if found.without_meter:
            await asyncio.sleep(CHANGE)
            again = await read_chassis(options, databases)
            found = replace(again, without_meter=again.without_meter & found.without_meter)
    except TimeoutError:
        told = [f"{name}: {why or 'no answer'}" for name, why in failures.items() if why] or ["no answer"]
        raise StatsError("; ".join(told)) from None
    except SwitchError as error:
        raise StatsError(str(error)) from error
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    return found
