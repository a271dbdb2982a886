"""The table of broken set-ups in docs/doctor.md, between two markers.

In: what is broken, and what the command found. Out: rows of the table. Rule: cells are the command's own words.
"""

from collections.abc import Sequence

from tests.checkout import ROOT
from tests.doctor.place import Check

PAGE = ROOT / "docs" / "doctor.md"
BEGIN, END = "<!-- make doctor writes from here -->", "<!-- to here -->"
SIGNS = {"failed": "✗", "warning": "!"}
HEADER = ("what is broken", "what the command says", "the way out")


def row(what: str, checks: Sequence[Check]) -> str:
    """Write the row of a set-up."""
    said = "<br>".join(f"{SIGNS[each.verdict]} {each.check}: {each.about}: {each.found}" for each in checks)
    return _line([what, said, "<br>".join(each.way_out for each in checks)])


def table(rows: Sequence[str]) -> str:
    """Write the table."""
    return "\n".join([_line(HEADER), _line(["---"] * len(HEADER)), *rows])


def written(page: str, text: str) -> str:
    """Put the table into the page."""
    head, _, rest = page.partition(BEGIN)
    return f"{head}{BEGIN}\n\n{text}\n\n{END}{rest.partition(END)[2]}"


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(each.replace('|', chr(92) + '|') for each in cells)} |"
