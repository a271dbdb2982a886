"""Cookies lead to rules through rows and logical flows, in both generations' stages."""

import pytest

from nqosd.compiler.desired import NEVER_BITES, Direction, QosRow, RowKey
from nqosd.statistics.rules import Purpose, Rule, limits_of, purposes
from nqosd.statistics.table_rows import Row

ROW = "1f2e3d4c-0000-4000-8000-000000000001"
FLOW = "a1b2c3d4-0000-4000-8000-000000000002"
COOKIE = 0xA1B2C3D4
RULE = Rule("default", "gold", 1, "blue")
MATCH = "ip4.src == $sources"


def row(dscp: str | None = "20", rate: str | None = "8000", match: str = MATCH) -> Row:
    """Give a row of the daemon as the database shows it."""
    ids = {"owner": "nqosd", "policy": "default/gold", "rule": "1", "network": "blue", "switch": "blue_node1"}
    maps = {
        "external_ids": {f"nqosd.io/{key}": value for key, value in ids.items()},
        "action": {} if dscp is None else {"dscp": dscp},
        "bandwidth": {} if rate is None else {"rate": rate},
    }
    return Row(maps, {"direction": "to-lport", "priority": "12180", "match": match})


def flow(stage: str, hint: str = ROW[:8], match: str = MATCH, pipeline: str = "egress") -> Row:
    """Give a logical flow."""
    ids = {"stage-name": stage, "stage-hint": hint}
    return Row({"external_ids": ids}, {"pipeline": pipeline, "priority": "12180", "match": match})


@pytest.mark.parametrize(
    ("stage", "marks", "limits"),
    [
        ("ls_out_qos", True, True),
        ("ls_in_qos", True, True),
        ("ls_out_qos_mark", True, False),
        ("ls_in_qos_meter", False, True),
    ],
)
def test_the_stage_says_what_a_flow_does(stage: str, *, marks: bool, limits: bool) -> None:
    """One logical flow does both since OVN 24.09; before, there is one for each."""
    assert purposes({ROW: row()}, {FLOW: flow(stage)}) == {COOKIE: Purpose(RULE, marks, limits)}


@pytest.mark.parametrize("rate", [None, str(NEVER_BITES)])
def test_a_rate_that_never_bites_is_no_limit(rate: str | None) -> None:
    """A shield only marks, and its meter's flow on old OVN has no purpose."""
    assert purposes({ROW: row(rate=rate)}, {FLOW: flow("ls_out_qos")}) == {
        COOKIE: Purpose(RULE, marks=True, limits=False)
    }
    assert purposes({ROW: row(rate=rate)}, {FLOW: flow("ls_out_qos_meter")}) == {}
    assert limits_of({ROW: row(rate=rate)}) == {RULE: None}


@pytest.mark.parametrize("stage", ["ls_out_qos", "ls_out_qos_mark", "ls_out_qos_meter"])
def test_a_row_that_does_nothing_has_no_purpose(stage: str) -> None:
    """A row without a mark whose rate never bites, as for packets that come back from a router, counts for nobody."""
    assert purposes({ROW: row(dscp=None, rate=str(NEVER_BITES))}, {FLOW: flow(stage)}) == {}


def test_a_row_of_no_policy_counts_for_nobody() -> None:
    """A row for a whole switch, as for packets that a router hands back, belongs to no rule, whatever it does."""
    switch = row()
    del switch.maps["external_ids"]["nqosd.io/policy"], switch.maps["external_ids"]["nqosd.io/rule"]
    switch.maps["external_ids"]["nqosd.io/part"] = "returned"
    assert purposes({ROW: switch}, {FLOW: flow("ls_out_qos")}) == {}
    assert limits_of({ROW: switch}) == {}


def test_a_flow_outlives_its_row() -> None:
    """A flow that names a row that is gone counts for the row that has its match now."""
    assert purposes({ROW: row()}, {FLOW: flow("ls_out_qos", "00000000")})[COOKIE].rule == RULE


def test_a_row_runs_ahead_of_northd() -> None:
    """While a row has a new match and its flow the old one, the flow's hint leads to the row."""
    assert purposes({ROW: row()}, {FLOW: flow("ls_out_qos", match="ip4.src == $before")})[COOKIE].rule == RULE


def test_others_flows_are_left_alone() -> None:
    """A flow of another match or direction, without a hint of ours, and a row of another form lead nowhere."""
    assert purposes({ROW: row()}, {FLOW: flow("ls_out_qos", "00000000", match="1")}) == {}
    assert purposes({ROW: row()}, {FLOW: flow("ls_in_qos", "00000000", pipeline="ingress")}) == {}
    strange = row()
    del strange.maps["external_ids"]["nqosd.io/policy"]
    assert purposes({ROW: strange}, {FLOW: flow("ls_out_qos")}) == {}
    assert limits_of({ROW: strange}) == {}


def test_a_limit_is_given_in_bytes_per_second() -> None:
    """8000 kbps are a million bytes a second; a row without a limit beside one with it hides nothing."""
    rows = {ROW: row(), "2" + ROW[1:]: row(rate=str(NEVER_BITES))}
    assert limits_of(rows) == limits_of(dict(reversed(rows.items()))) == {RULE: 1_000_000}


def test_the_form_is_that_of_the_compiler() -> None:
    """What the compiler writes into external_ids is what is read here."""
    written = QosRow(RowKey("default/gold", 1, "blue", "s"), Direction.TO_LPORT, 1, "1", 20, 8000)
    maps = {
        "external_ids": dict(written.external_ids("nqosd")),
        "action": {key: str(value) for key, value in written.action.items()},
        "bandwidth": {key: str(value) for key, value in written.bandwidth.items()},
    }
    assert limits_of({ROW: Row(maps, {})}) == {RULE: 1_000_000}
