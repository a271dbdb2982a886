"""The table of attacks in `docs/security.md` names tests that exist."""

import re

from tests.docs.generate import ROOT

TEST = re.compile(r"`(tests/[\w/]+\.py)::(test_\w+)`")
ROWS = re.findall(r"^\|(.*)\|$", (ROOT / "docs/security.md").read_text().partition("## Attacks")[2], re.MULTILINE)[2:]


def test_every_attack_names_a_test_that_exists() -> None:
    """Each row ends in at least one test, and each of them is there."""
    assert len(ROWS) >= 10
    for row in ROWS:
        named = TEST.findall(row.rpartition("|")[2])
        assert named, row
        for file, name in named:
            assert re.search(rf"^(async )?def {name}\(", (ROOT / file).read_text(), re.MULTILINE), f"{file}::{name}"
