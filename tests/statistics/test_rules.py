"""Cookies lead to rules through rows and logical flows, in both generations' stages."""

import pytest

from nqosd.compiler.desired import NEVER_BITES, Direction, QosRow, RowKey
from nqosd.statistics.rules import Columns, Purpose, Rule, limits_of, purposes

ROW = "1f2e3d4c-0000-4000-8000-000000000001"
FLOW = "a1b2c3d4-0000-4000-8000-000000000002"
COOKIE = 0xA1B2C3D4
RULE = Rule("default", "gold", 1, "blue")


def row(dscp: str | None = "20", rate: str | None = "8000") -> Columns:
    """Give a row of the daemon as the database shows it."""
    ids = {"owner": "nqosd", "policy": "default/gold", "rule": "1", "network": "blue", "switch": "blue_node1"}
    return {
        "external_ids": {f"nqosd.io/{key}": value for key, value in ids.items()},
        "action": {} if dscp is None else {"dscp": dscp},
        "bandwidth": {} if rate is None else {"rate": rate},
    }


def flow(stage: str, hint: str = ROW[:8]) -> Columns:
    """Give a logical flow."""
    return {"external_ids": {"stage-name": stage, "stage-hint": hint}}


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


def test_others_flows_are_left_alone() -> None:
    """A flow that names no row of ours, or a row that isn't of our form, leads nowhere."""
    assert purposes({ROW: row()}, {FLOW: flow("ls_out_qos", "00000000"), ROW: {"external_ids": {}}}) == {}
    strange: Columns = {"external_ids": {"nqosd.io/policy": "x"}, "action": {"dscp": "1"}, "bandwidth": {}}
    assert purposes({ROW: strange}, {FLOW: flow("ls_out_qos")}) == {}
    assert limits_of({ROW: strange}) == {}


def test_a_limit_is_given_in_bytes_per_second() -> None:
    """8000 kbps are a million bytes a second; a row without a limit beside one with it hides nothing."""
    rows = {ROW: row(), "2" + ROW[1:]: row(rate=str(NEVER_BITES))}
    assert limits_of(rows) == limits_of(dict(reversed(rows.items()))) == {RULE: 1_000_000}


def test_the_form_is_that_of_the_compiler() -> None:
    """What the compiler writes into external_ids is what is read here."""
    written = QosRow(RowKey("default/gold", 1, "blue", "s"), Direction.TO_LPORT, 1, "1", 20, 8000)
    columns: Columns = {
        "external_ids": dict(written.external_ids("nqosd")),
        "action": {key: str(value) for key, value in written.action.items()},
        "bandwidth": {key: str(value) for key, value in written.bandwidth.items()},
    }
    assert limits_of({ROW: columns}) == {RULE: 1_000_000}
