"""What `nqosd doctor` sees of a chassis and of those who count there: the bridge's socket, the database, exporters.

In: a configuration. Out: results. Rule: a machine without the bridge's socket is no chassis, which is no fault; only
exporters that the configuration names are then asked.
"""

import asyncio
import os

from nqosd.api.text import shortened
from nqosd.commands.doctor_results import CheckResult, Verdict, failed, ok, skipped, warning, within
from nqosd.commands.doctor_sockets import HANGS, WantedDatabase, reach, with_owners
from nqosd.config import Config
from nqosd.ovsdb.remotes import SOUTHBOUND_SOCKET, remotes
from nqosd.statistics import switch
from nqosd.statistics.chassis import StatsError, read_once
from nqosd.statistics.endpoints import collect
from nqosd.statistics.exporter_options import stats_options
from nqosd.statistics.rules import Rule
from nqosd.statistics.stats_options import endpoint_options, tls_files
from nqosd.statistics.switch import SwitchError


async def look_at_chassis(config: Config, seconds: float) -> list[CheckResult]:
    """Look at all of it."""
    is_chassis = await asyncio.to_thread(os.path.lexists, config.stats.openflow)
    if not (is_chassis or config.stats.endpoints):
        why = "isn't there: this machine is no chassis, or ovs-vswitchd doesn't run"
        return [skipped("exporter", f"stats.openflow {config.stats.openflow}", why)]
    looks = [_exporters(config, seconds)]
    if is_chassis:
        looks += [_bridge(config, seconds), _southbound(config, seconds)]
    return [each for found in await asyncio.gather(*looks) for each in found]


async def _bridge(config: Config, seconds: float) -> list[CheckResult]:
    about = f"stats.openflow {config.stats.openflow}"
    found = await within(seconds, "bridge", about, _read(config.stats.openflow, about, seconds), HANGS)
    return [found, await _meters(config, seconds)] if found.verdict is Verdict.OK else [found]


async def _read(socket: str, about: str, seconds: float) -> CheckResult:
    try:
        await switch.read(socket, (), seconds)
    except SwitchError as error:
        way_out = "start ovs-vswitchd, and let nqosd stats run as its user (docs/statistics.md, On each chassis)"
        return failed("bridge", about, with_owners(str(error).rpartition(f"{socket}: ")[2], [socket]), way_out)
    return ok("bridge", about, "answers")


async def _meters(config: Config, seconds: float) -> CheckResult:
    try:
        async with asyncio.timeout(seconds):
            found = await read_once(stats_options(config))
    except (StatsError, TimeoutError) as error:
        return skipped("meters", "of br-int", str(error) or f"databases and bridge weren't read within {seconds:g} s")
    room = f"br-int has {len(found.bridge.meters)}, and says that it can have {found.bridge.meter_limit}"
    way_out = "docs/alerts.md has the causes and what ends each, under NqosdMeterMissing"
    if found.without_meter:
        rules = ", ".join(shortened(map(_named, sorted(found.without_meter))))
        return failed("meters", rules, f"there is none for this limit, which isn't enforced here: {room}", way_out)
    if not found.bridge.meter_limit:
        return failed("meters", "of br-int", f"no limit is enforced here: {room}", way_out)
    if found.controller:
        asked = "stats.controller names the folder of its control socket; else meters that br-int refuses go unnoticed"
        return warning("meters", "ovn-controller", found.controller, asked)
    return ok("meters", "of br-int", f"each limit has one: {room}")


def _named(rule: Rule) -> str:
    return f"{rule.namespace}/{rule.policy} rule {rule.index} on {rule.network}"


async def _southbound(config: Config, seconds: float) -> list[CheckResult]:
    database = WantedDatabase("OVN_Southbound", "stats.southbound", tls_files(config))
    named = remotes(config.stats.southbound, SOUTHBOUND_SOCKET)
    looks = await asyncio.gather(*(reach(remote, database, seconds) for remote in named))
    return [each for found, _reached in looks for each in found]


async def _exporters(config: Config, seconds: float) -> list[CheckResult]:
    options = endpoint_options(config)
    collected = await collect(options, seconds)
    way_out = "systemctl enable --now nqosd-stats there, or the second container of the DaemonSet"
    results = [ok("exporter", url, f"counts {len(found.counts)} rules") for url, found in collected.snapshots.items()]
    return results + [warning("exporter", url, why, way_out) for url, why in collected.failures.items()]
