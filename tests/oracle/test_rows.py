"""What compiled rows do to packets, on each generation of OVN, by example."""

import pytest

from tests.oracle.ovn_match import MatchSyntaxError
from tests.oracle.packet import NEVER_BITES, Treatment, packet
from tests.oracle.rows import AmbiguousError, Pipeline, Result, pipeline_of, read_rows

PIPELINES: tuple[Pipeline, ...] = ("one table", "two tables")
WEB = packet("10.0.0.1", "10.0.0.9", "tcp", 80, "p1")

Row = dict[str, object]


def row(
    priority: int,
    match: str = "ip4",
    *,
    name: str = "",
    dscp: int | None = None,
    rate: int | None = None,
    burst: int | None = None,
    direction: str = "to-lport",
) -> Row:
    """A compiled row on the switch `s1`."""
    bandwidth = {"rate": rate, "burst": burst}
    return {
        "switches": ["s1"],
        "direction": direction,
        "priority": priority,
        "match": match,
        "action": {} if dscp is None else {"dscp": dscp},
        "bandwidth": {key: value for key, value in bandwidth.items() if value is not None},
        "external_ids": {"nqosd.io/policy": name or str(priority), "nqosd.io/rule": "0"},
    }


def treat(pipeline: Pipeline, *rows: Row, switch: str = "s1") -> Result | None:
    """What rows do to the packet `WEB`."""
    document = {
        "qos": list(rows),
        "address_sets": [{"name": "a", "addresses": ["10.0.0.1"]}],
        "port_groups": [{"name": "g", "ports": ["p1"]}],
    }
    return read_rows(document, pipeline).treat(switch, WEB)


def outcome(result: Result | None) -> tuple[int | None, int | None, list[str]] | None:
    """DSCP, rate and the policies of the winners."""
    if result is None:
        return None
    names = [winner["nqosd.io/policy"] for winner in result.winners]
    return result.treatment.dscp, result.treatment.rate, names


@pytest.mark.parametrize(
    ("rows", "one_table", "two_tables"),
    [
        ([row(1, "ip6", dscp=9)], None, None),
        ([row(1, dscp=9)], (9, None, ["1"]), (9, None, ["1"])),
        ([row(1, dscp=9, rate=50), row(2, dscp=20, rate=60)], (20, 60, ["2"]), (20, 60, ["2"])),
        # the cases of the shared facts on OVN, "Two rows match one packet"
        ([row(2, dscp=20), row(1, rate=50)], (20, None, ["2"]), (20, 50, ["2", "1"])),
        ([row(2, rate=50), row(1, dscp=20)], (None, 50, ["2"]), (20, 50, ["1", "2"])),
        ([row(2, dscp=20), row(1, dscp=30, rate=50)], (20, None, ["2"]), (20, 50, ["2", "1"])),
        ([row(2, dscp=20, rate=NEVER_BITES), row(1, dscp=30, rate=50)], (20, None, ["2"]), (20, None, ["2"])),
        ([row(2), row(1, dscp=30, rate=50)], (None, None, ["2"]), (30, 50, ["1"])),
    ],
)
def test_highest_row_wins(
    rows: list[Row],
    one_table: tuple[int | None, int | None, list[str]] | None,
    two_tables: tuple[int | None, int | None, list[str]] | None,
) -> None:
    """The highest row decides alone in one table; in two tables mark and limit are decided apart."""
    assert outcome(treat("one table", *rows)) == one_table
    assert outcome(treat("two tables", *rows)) == two_tables


@pytest.mark.parametrize("pipeline", PIPELINES)
def test_sets_and_groups_are_looked_up(pipeline: Pipeline) -> None:
    """Matches refer to the address sets and port groups of the same document."""
    assert outcome(treat(pipeline, row(1, "ip4.src == $a && inport == @g", dscp=9))) == (9, None, ["1"])


@pytest.mark.parametrize("pipeline", PIPELINES)
def test_rows_of_other_switches_do_nothing(pipeline: Pipeline) -> None:
    """A row treats the packets of its own switches only."""
    assert treat(pipeline, row(1, dscp=9), switch="s2") is None


@pytest.mark.parametrize("pipeline", PIPELINES)
def test_equal_rows_of_equal_priority_are_one(pipeline: Pipeline) -> None:
    """Rows of equal priority that do the same for the same rule are not ambiguous."""
    twins = [row(1, "ip4", dscp=9, rate=50), row(1, "tcp", dscp=9, rate=50)]
    assert outcome(treat(pipeline, *twins)) == (9, 50, ["1"])


@pytest.mark.parametrize("pipeline", PIPELINES)
@pytest.mark.parametrize(
    "other",
    [row(1, "tcp", dscp=10), row(1, "tcp", dscp=9, rate=50), row(1, "tcp", dscp=9, name="another")],
    ids=["mark", "limit", "policy"],
)
def test_different_rows_of_equal_priority_are_ambiguous(pipeline: Pipeline, other: Row) -> None:
    """Rows of equal priority that differ and both match are an error."""
    with pytest.raises(AmbiguousError, match="rows of priority 1 differ"):
        treat(pipeline, row(1, dscp=9), other)


@pytest.mark.parametrize("pipeline", PIPELINES)
def test_different_rows_below_the_winner_do_no_harm(pipeline: Pipeline) -> None:
    """Only rows of the highest matching priority can be ambiguous."""
    rows = [row(2, dscp=9, rate=50), row(1, dscp=10, rate=60), row(1, dscp=11, rate=70)]
    assert outcome(treat(pipeline, *rows)) == (9, 50, ["2"])


@pytest.mark.parametrize("pipeline", PIPELINES)
def test_rows_of_both_directions_meet_the_packet(pipeline: Pipeline) -> None:
    """A packet meets from-lport and to-lport rows of its switch, but no two rules may treat it."""
    assert outcome(treat(pipeline, row(1, dscp=9, direction="from-lport"))) == (9, None, ["1"])
    with pytest.raises(AmbiguousError, match="in both directions"):
        treat(pipeline, row(1, dscp=9, direction="from-lport"), row(1, dscp=9))


def test_bad_match_is_an_error_at_once() -> None:
    """A match that OVN would refuse is found when the rows are read, before any packet."""
    with pytest.raises(MatchSyntaxError):
        read_rows({"qos": [row(1, "ip4 &&", dscp=9)]}, "one table")


def test_limit_that_never_bites_is_no_limit() -> None:
    """The highest rate stands for no limit, unless a burst makes it bite."""
    assert Treatment.of(9, NEVER_BITES, None) == Treatment(9, None, None)
    assert Treatment.of(9, NEVER_BITES, 5) == Treatment(9, NEVER_BITES, 5)


@pytest.mark.parametrize(
    ("version", "pipeline"),
    [
        ("22.03.0", "two tables"),
        ("23.03.1-20.27.0-70.6", "two tables"),
        ("24.03.5", "two tables"),
        ("24.09.0", "one table"),
        ("25.03.0-20.41.0-77.6", "one table"),
    ],
)
def test_pipeline_of_a_version(version: str, pipeline: Pipeline) -> None:
    """The tables merged in OVN 24.09."""
    assert pipeline_of(version) == pipeline
