"""The table of `docs/defects.md` names tests that exist."""

import ast
import re

from tests.checkout import ROOT

DEFECTS = 12
ROWS = re.findall(r"^\| (\d+) \|.*\| ([^|]*) \|$", (ROOT / "docs/defects.md").read_text(), re.MULTILINE)
TEST = re.compile(r"`(tests/[\w/]+\.py)::(test_\w+)`")


def test_every_defect_is_in_the_table() -> None:
    """All of them are there, in order, each with at least one test."""
    assert [int(number) for number, _tests in ROWS] == list(range(1, DEFECTS + 1))
    assert all(TEST.search(tests) for _number, tests in ROWS)


def test_every_test_that_is_named_exists() -> None:
    """What the table names is a test function of that file."""
    for _number, tests in ROWS:
        for file, name in TEST.findall(tests):
            tree = ast.parse((ROOT / file).read_text())
            functions = {each.name for each in tree.body if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef)}
            assert name in functions, f"{file}::{name}"
        assert tests == " ".join(f"`{file}::{name}`" for file, name in TEST.findall(tests))
