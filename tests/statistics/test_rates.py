"""Rates are gains over the time between an exporter's own readings, and gains go to the right rule."""

import argparse

import pytest
from msgspec.structs import replace

from nqosd.commands import top
from nqosd.statistics.endpoints import Collected, Counts, RuleOnNode, Snapshot
from nqosd.statistics.figures import Figures
from nqosd.statistics.openflow import FlowCounts, MeterCounts
from nqosd.statistics.rates import Rate, Rates
from nqosd.statistics.rules import Purpose, Rule
from nqosd.statistics.switch import SwitchReading
from nqosd.statistics.tally import Tally

RULE, OTHER = Rule("a", "p", 0, "n"), Rule("a", "p", 1, "n")
URL = "http://node:1"


def collected(read_at: float, *packets: int, url: str = URL) -> Collected:
    """Give what one exporter served: for each rule the packets marked, dropped and passed, the same number of each."""
    counts = {
        RuleOnNode(Rule("a", "p", index, "n"), "node"): Counts(
            Figures(each, each * 100, each, each * 100, each, 0), 1000
        )
        for index, each in enumerate(packets)
    }
    return Collected({url: Snapshot(read_at, counts)}, {})


def test_time_is_that_of_the_readings() -> None:
    """However often an exporter is asked, its rate is over the time between two of its readings."""
    rates = Rates()
    rates.take(collected(100, 10))
    assert rates.all() == {}
    assert not rates.is_complete(collected(100, 10))
    for _ in range(3):
        rates.take(collected(105, 60))
    (rate,) = rates.all().values()
    assert (rate.marked_packets, rate.marked_bits, rate.limit) == (10, 8000, 8000)
    assert rate.dropped_share == 0.5
    assert rates.is_complete(collected(105, 60))


def test_a_rate_is_over_a_span() -> None:
    """Readings that are closer than the span asked for are put together."""
    rates = Rates(2)
    for read_at, packets in ((100, 0), (101, 40), (102, 50)):
        assert rates.all() == {}
        rates.take(collected(read_at, packets))
    assert [rate.marked_packets for rate in rates.all().values()] == [25]


def test_the_busiest_come_first() -> None:
    """Rules are sorted by what they do."""
    rates = Rates()
    rates.take(collected(1, 0, 0, 0))
    rates.take(collected(2, 1, 9, 5))
    assert [place.rule.index for place in rates.all()] == [1, 2, 0]


def test_an_exporter_that_began_anew() -> None:
    """A counter that fell began at 0 again: what it holds is the gain; a rule that is new gained all it has."""
    rates = Rates()
    rates.take(collected(1, 500))
    rates.take(collected(2, 20, 7))
    assert [rate.marked_packets for rate in rates.all().values()] == [20, 7]


def test_an_exporter_that_is_away_has_no_rates() -> None:
    """Its old rates aren't shown as if they were of now."""
    rates = Rates()
    rates.take(collected(1, 0))
    rates.take(collected(2, 5))
    rates.take(Collected({}, {URL: "gone"}))
    assert rates.all() == {}


def flow(cookie: int, packets: int, meter: int = 0) -> FlowCounts:
    """Give a flow of 100-byte packets, in a place of its own."""
    return FlowCounts((1, 1, bytes([cookie])), cookie, meter, packets, packets * 100, age=5)


def test_marks_are_of_flows_and_limits_of_their_meter() -> None:
    """Each flow counts for its cookie's rule; a meter counts once, however many flows lead to it."""
    purposes = {1: Purpose(RULE, marks=True, limits=True), 2: Purpose(OTHER, marks=True, limits=False)}
    meters = (MeterCounts(7, 40, 4000, 10, 1000, age=5), MeterCounts(8, 99, 9900, 0, 0, age=5))
    flows = (flow(1, 30, 7), replace(flow(1, 10, 7), place=(1, 1, b"another")), flow(2, 5, 8), flow(3, 1000))
    assert Tally(whole=True).take(SwitchReading(flows, meters, 1000, 100.0), purposes) == {
        RULE: Figures(40, 4000, 30, 3000, 10, 1000),
        OTHER: Figures(5, 500),
    }


@pytest.mark.parametrize(("columns", "most"), [(120, 16), (60, 7)])
def test_more_rules_than_a_terminal_has_lines(
    columns: int, most: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A table that is drawn anew keeps to the terminal: its head, the busiest rules and what failed stay in view."""
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setenv("LINES", "20")
    rate = Rate(1, 8, 1, 8, 0, 0, 8, meter_missing=False)
    rates = {
        RuleOnNode(Rule("shop", f"p{number:02}", 0, "default"), "a-node-with-a-name"): rate for number in range(30)
    }
    collected = Collected.of({"http://127.0.0.1:1": "refused"})
    top._show(rates, collected, argparse.Namespace(format="table"), before=top.HOME)
    lines = capsys.readouterr().out.removeprefix(top.HOME).splitlines()
    first = ["POLICY", *(f"shop/p{number:02}" for number in range(most)), str(30 - most), "http://127.0.0.1:1:"]
    assert [line.split()[0] for line in lines] == first
    assert sum(-(-len(line) // columns) for line in lines) < 20
