"""The table of per-hop behaviours in docs/choosing.md is right."""

import re

from tests.checkout import ROOT

ROWS = re.findall(
    r"\| ([A-Z]\w+)[^|]* \| (\d+) \| (0x[0-9a-f]{2}) \|$", (ROOT / "docs/choosing.md").read_text(), re.MULTILINE
)
NAMED = {"LE": 1, "VA": 44, "EF": 46}
"""Those whose value doesn't follow from their name (RFC 8622, RFC 5865, RFC 3246)."""


def dscp(name: str) -> int:
    """Give the value of a per-hop behaviour: CSn is 8 n (RFC 2474), AFxy is 8 x + 2 y (RFC 2597)."""
    if name in NAMED:
        return NAMED[name]
    class_, drop = int(name[2]), int(name[3:] or 0)
    return 8 * class_ + 2 * drop


def test_each_behaviour_has_its_value() -> None:
    """All of them are there once, with the value that the standards give them."""
    names = [name for name, _dscp, _tos in ROWS]
    assert sorted(names) == sorted(
        [*NAMED, *(f"CS{n}" for n in range(8)), *(f"AF{x}{y}" for x in "1234" for y in "123")]
    )
    assert [(name, int(value)) for name, value, _tos in ROWS] == [(name, dscp(name)) for name in names]


def test_each_tos_byte_is_that_of_its_value() -> None:
    """The DSCP stands in the upper six bits of the byte."""
    assert [int(tos, 16) for _name, _value, tos in ROWS] == [4 * int(value) for _name, value, _tos in ROWS]
