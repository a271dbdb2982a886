"""The tables of attacks in `docs/security.md` name tests that exist, and leave out no attack that is tried."""

import re

from tests.checkout import ROOT
from tests.tenants.attacks import ATTACKS
from tests.tenants.table import holders, rows, texts

TEST = re.compile(r"`(tests/[\w/]+\.py)::(test_\w+)`")
PAGE = (ROOT / "docs/security.md").read_text()
NAMED = re.findall(r"^\|.*\|(.*::.*)\|$", PAGE.partition("## Attacks")[2], re.MULTILINE)


def test_every_attack_that_is_tried_has_its_row() -> None:
    """What an attack is, what it did and does, and its tests stand there as in the list; figures are those of a run."""
    found = [(*cells[:4], cells[-1]) for cells in rows(PAGE)]
    assert found == [(*texts(attack), holders(attack)) for attack in ATTACKS]


def test_every_attack_names_a_test_that_exists() -> None:
    """Each row ends in at least one test, and each of them is there."""
    assert len(NAMED) > len(ATTACKS)
    for cell in NAMED:
        named = TEST.findall(cell)
        assert cell.split() == [f"`{file}::{name}`" for file, name in named]
        for file, name in named:
            assert re.search(rf"^(async )?def {name}\(", (ROOT / file).read_text(), re.MULTILINE), f"{file}::{name}"
