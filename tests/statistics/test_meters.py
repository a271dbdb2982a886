"""A limit without a meter in the bridge is noticed, on real bridges that refuse or lose meters; see `no_room`."""

import json
import subprocess
import sys
import urllib.request
from collections.abc import Mapping
from pathlib import Path

import pytest

from nqosd.statistics.meters import rules_without_meter
from nqosd.statistics.openflow import FlowCounts, MeterCounts
from nqosd.statistics.rules import Purpose, Rule
from nqosd.statistics.switch import SwitchReading
from tests.services.chassis import Chassis
from tests.services.daemon import Nqosd
from tests.services.generation import every_generation
from tests.services.ovn import OvnCentral
from tests.services.stats import Exporter
from tests.statistics.no_room import full_datapath, ofctl, says_no_room
from tests.statistics.rows import POLICY, add_row


def missing(exporter: Exporter) -> Mapping[int, bool]:
    """Say of each rule with a limit whether its meter is missing."""
    return {place.rule.index: each.meter_missing for place, each in exporter.counts().items() if each.limit is not None}


def metric(exporter: Exporter, name: str) -> float:
    """Give the value of a metric without labels."""
    return float(exporter.get("/metrics")[1].partition(f"\n{name} ")[2].split()[0])


def nqosd(*arguments: str) -> str:
    """Run a command; gives what it prints."""
    command = [sys.executable, "-m", "nqosd", *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=100).stdout


def look_at_meters(exporter: Exporter) -> Mapping[str, str]:
    """Give what `nqosd doctor` says of the meters; of all else it says that no API server is there."""
    command = [sys.executable, "-m", "nqosd", "doctor", "--config", str(exporter.config), "--format", "json"]
    done = subprocess.run([*command, "--timeout", "60"], check=False, capture_output=True, text=True, timeout=100)
    checks: list[Mapping[str, str]] = json.loads(done.stdout)["checks"]
    (found,) = [each for each in checks if each["check"] == "meters"]
    return found


@every_generation
def test_meters_that_somebody_deletes(exporter: Exporter, chassis: Chassis, ovn_central: OvnCentral) -> None:
    """Open vSwitch deletes the flows with the meters, ovn-controller doesn't notice, and the metric tells.

    A rule without a limit has no such series. A restart of ovn-controller puts it right.
    """
    add_row(ovn_central, 1, 8000)
    add_row(ovn_central, 2, None)
    exporter.wait_until(lambda: missing(exporter) == {1: False}, what="aware of the limit")
    assert metric(exporter, "nqosd_stats_controller_answers") == metric(exporter, "nqosd_stats_meters") == 1
    assert look_at_meters(exporter)["verdict"] == "ok"
    ofctl(chassis, "del-meters", "br-int")
    exporter.wait_until(lambda: missing(exporter) == {1: True}, what="aware of the missing meter")
    chassis.controller.restart()
    exporter.wait_until(lambda: missing(exporter) == {1: False}, what="aware of the meter")


@every_generation
def test_a_datapath_that_is_full(exporter: Exporter, chassis: Chassis, ovn_central: OvnCentral) -> None:
    """The bridge refuses the meter, and with it every later change of a flow, until there is room.

    Nothing but ovn-controller's wish tells of it: it says that it has room, and the rule has no flow at all.
    """
    with full_datapath(chassis):
        add_row(ovn_central, 1, 8000, wait="sb")
        exporter.wait_until(lambda: missing(exporter) == {1: True}, what="aware of the refused meter")
        add_row(ovn_central, 2, None, wait="sb")
        chassis.controller.wait_until(lambda: _refusals(chassis) > 1, what="trying again")
        assert "192.0.2.2" not in ofctl(chassis, "dump-flows", "br-int")
        assert metric(exporter, "nqosd_stats_meters_limit") > 0
    exporter.wait_until(lambda: missing(exporter) == {1: False}, what="aware of the meter")
    chassis.sync()
    assert "192.0.2.2" in ofctl(chassis, "dump-flows", "br-int")


def _refusals(chassis: Chassis) -> int:
    return chassis.controller.log_file.read_text().count("OUT_OF_METERS")


def test_a_bridge_without_meters(exporter: Exporter, chassis: Chassis, ovn_central: OvnCentral, tmp_path: Path) -> None:
    """Where the bridge says that it can have no meter, OVN marks and doesn't limit, and its log says so once.

    `nqosd top`, `nqosd stats --once`, `nqosd doctor` and the status page of a daemon say so as well.
    """
    chassis.controller.stop()
    with says_no_room(chassis.directory / "br-int.mgmt"):
        chassis.controller.start()
        add_row(ovn_central, 1, 8000)
        exporter.wait_until(lambda: missing(exporter) == {1: True}, what="aware of the missing meter")
        assert metric(exporter, "nqosd_stats_meters_limit") == 0
        assert "table meter-table: out of table ids" in chassis.controller.log_file.read_text()
        (flow,) = [each for each in chassis.flows() if "192.0.2.1" in each]
        assert "ip_dscp" in flow
        assert "meter" not in flow
        assert "8 Mbit/s NO METER" in nqosd("top", "--once", "--endpoint", exporter.url)
        said = nqosd("stats", "--once", "--config", str(exporter.config)).splitlines()
        assert said[1].startswith(POLICY)
        assert said[2] == (
            f"{POLICY} rule 1 on default: its limit has no meter; br-int has 0 meters, and says that it can have 0"
        )
        meters = look_at_meters(exporter)
        assert (meters["verdict"], meters["about"]) == ("failed", f"{POLICY} rule 1 on default")
        assert "says that it can have 0" in meters["found"]
        assert "NqosdMeterMissing" in meters["way_out"]
        other = {"daemon": {"instance": "other"}, "northbound": {"lock": "other"}}
        options = other | {"stats": {"endpoints": [exporter.url]}}
        with Nqosd([ovn_central.nb.unix], manifests=[tmp_path], options=options) as daemon:
            page = urllib.request.urlopen(f"http://127.0.0.1:{daemon.port}/", timeout=30).read().decode()
        problem = "its limit is not enforced on 1 node, where br-int has no meter for it"
        assert f"<li>{POLICY} rule 1 on default: {problem}" in page


def test_an_exporter_without_ovn_controller_goes_on(
    exporter: Exporter, chassis: Chassis, ovn_central: OvnCentral
) -> None:
    """A killed ovn-controller leaves its socket behind; a metric says that nobody answers, and readings go on."""
    add_row(ovn_central, 1, 8000)
    exporter.wait_until(lambda: missing(exporter) == {1: False}, what="aware of the limit")
    chassis.controller.kill()
    exporter.wait_until(lambda: metric(exporter, "nqosd_stats_controller_answers") == 0, what="aware of it")
    assert missing(exporter) == {1: False}
    assert exporter.is_ready()
    chassis.controller.start()
    exporter.wait_until(lambda: metric(exporter, "nqosd_stats_controller_answers") == 1, what="aware of the new one")


RULE = Rule("shop", "gold", 1, "blue")


@pytest.mark.parametrize(
    ("meter", "wanted", "is_missing"),
    [(7, {1: 7}, False), (7, {}, False), (0, {}, True), (None, {}, False), (None, {1: 8}, True), (None, {9: 8}, False)],
)
def test_what_counts_as_missing(meter: int | None, wanted: dict[int, int], *, is_missing: bool) -> None:
    """A flow without a meter, or a wish that isn't met; not a rule that has no flow here, nor the meters of others."""
    flows = () if meter is None else (FlowCounts((1, 1, b""), 1, meter, 0, 0, 1.0),)
    reading = SwitchReading(flows, (MeterCounts(7, 0, 0, 0, 0, 1.0),), 10, 1.0)
    limits, marks = Purpose(RULE, marks=True, limits=True), Purpose(RULE, marks=True, limits=False)
    assert rules_without_meter(reading, wanted, {1: limits}) == ({RULE} if is_missing else frozenset())
    assert rules_without_meter(reading, wanted, {1: marks}) == frozenset()
