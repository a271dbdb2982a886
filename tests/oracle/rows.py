"""What compiled rows do to a packet, the way OVN would.

In: the document that `nqosd compile --format json` prints (`qos`, `address_sets`, `port_groups`), a switch, a packet
with the logical port through which it enters. Out: a `Result`, or None where no row matches. The rule: what OVN leaves
undefined is an error here, never a guess.

Source: shared facts on OVN, "Two rows match one packet": from 24.09 the highest matching row alone decides; before,
marks and meters are separate tables, each with its own highest row. A rate of 4294967295 kbps never bites.
"""

from collections.abc import Iterable, Mapping
from itertools import takewhile
from typing import Literal

import attrs

from tests.oracle.decoded import Object, at, mapping, sequence, text
from tests.oracle.match_symbols import Test
from tests.oracle.ovn_match import define, parse
from tests.oracle.packet import Packet, Treatment

Pipeline = Literal["one table", "two tables"]

_IDENTITY = ("nqosd.io/policy", "nqosd.io/rule")


class AmbiguousError(Exception):
    """OVN's outcome is undefined, or no rule of NetworkQoS can have meant it."""


@attrs.frozen
class Row:
    """A QoS row, with its match bound to its sets."""

    switches: tuple[str, ...]
    direction: str
    priority: int
    match: str
    dscp: int | None
    rate: int | None
    burst: int | None
    external_ids: Mapping[str, str]
    matches: Test = attrs.field(eq=False, repr=False)

    @property
    def outcome(self) -> tuple[object, ...]:
        """What matters of it where it meets its equal: of a row without a mark, not whose it is."""
        identity = () if self.dscp is None else tuple(self.external_ids.get(key) for key in _IDENTITY)
        return (self.dscp, self.rate, self.burst, *identity)


@attrs.frozen
class Result:
    """What rows did to a packet, and the external_ids of the rows that did it.

    One table: one winner. Two tables: the row that marked, then the row that limited where that is another one.
    """

    treatment: Treatment
    winners: tuple[Mapping[str, str], ...]


@attrs.frozen
class Rows:
    """Compiled rows, by switch and direction, those with higher priority first."""

    pipeline: Pipeline
    rows: Mapping[tuple[str, str], tuple[Row, ...]]

    def treat(self, switch: str, packet: Packet) -> Result | None:
        """Send a packet through a switch: its from-lport rows, then its to-lport rows.

        Raises:
            AmbiguousError: rows of equal priority differ, or rows of both directions match.
        """
        results = [self._pass(self.rows.get((switch, way), ()), packet) for way in ("from-lport", "to-lport")]
        matched = [result for result in results if result is not None]
        if len(matched) > 1:
            raise AmbiguousError(f"switch {switch} treats {packet} twice, in both directions: {matched}")
        return matched[0] if matched else None

    def _pass(self, rows: Iterable[Row], packet: Packet) -> Result | None:
        matching = [row for row in rows if row.matches(packet)]
        if self.pipeline == "one table":
            winner = _highest(matching, packet)
            return None if winner is None else _result(winner, winner)
        marking = _highest([row for row in matching if row.dscp is not None], packet)
        limiting = _highest([row for row in matching if row.rate is not None], packet)
        return None if marking is None and limiting is None else _result(marking, limiting)


def pipeline_of(version: str) -> Pipeline:
    """The pipeline of an OVN version, as `25.03.0` or as in NB_Global.options:northd_internal_version."""
    year, month = version.split(".")[:2]
    return "one table" if (int(year), int(month)) >= (24, 9) else "two tables"


def read_rows(document: Object, pipeline: Pipeline) -> Rows:
    """Read compiled rows.

    Raises:
        MatchSyntaxError: OVN would refuse a match.
    """
    definitions = define(
        {text(entry, "name"): _texts(entry, "addresses") for entry in sequence(document, "address_sets")},
        {text(entry, "name"): _texts(entry, "ports") for entry in sequence(document, "port_groups")},
    )
    placed: dict[tuple[str, str], list[Row]] = {}
    for entry in sequence(document, "qos"):
        row = Row(
            switches=tuple(_texts(entry, "switches")),
            direction=text(entry, "direction"),
            priority=_number(at(entry, "priority")) or 0,
            match=text(entry, "match"),
            dscp=_number(at(entry, "action", "dscp")),
            rate=_number(at(entry, "bandwidth", "rate")),
            burst=_number(at(entry, "bandwidth", "burst")),
            external_ids={key: str(value) for key, value in mapping(entry, "external_ids").items()},
            matches=parse(text(entry, "match")).bind(definitions),
        )
        for switch in row.switches:
            placed.setdefault((switch, row.direction), []).append(row)
    return Rows(pipeline, {place: tuple(sorted(rows, key=lambda row: -row.priority)) for place, rows in placed.items()})


def _highest(rows: list[Row], packet: Packet) -> Row | None:
    """The first of rows that stand in order of priority, if those that share its priority agree with it."""
    if not rows:
        return None
    equals = tuple(takewhile(lambda row: row.priority == rows[0].priority, rows))
    if len({row.outcome for row in equals}) > 1:
        raise AmbiguousError(f"rows of priority {rows[0].priority} differ and all match {packet}: {equals}")
    return rows[0]


def _result(marking: Row | None, limiting: Row | None) -> Result:
    winners = [row.external_ids for row in (marking, limiting) if row is not None]
    return Result(
        Treatment.of(
            marking.dscp if marking else None,
            limiting.rate if limiting else None,
            limiting.burst if limiting else None,
        ),
        tuple(winners[:1] if marking is limiting else winners),
    )


def _texts(value: object, key: str) -> list[str]:
    return [str(entry) for entry in sequence(value, key)]


def _number(value: object) -> int | None:
    return value if isinstance(value, int) else None
