"""The commands of the documentation work, and print what the pages show."""

import re
import shlex
import subprocess
from pathlib import Path

import pytest

from nqosd.cli import parser as cli_parser
from tests.checkout import ROOT
from tests.docs.conftest import OpenShell
from tests.docs.console import blocks, matches, steps

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
LANGUAGES = {"", "console", "sh", "yaml", "toml", "json", "promql", "text", "python"}
RUN_ELSEWHERE = {"meaning.md", "transcript.md"}
"""Pages whose commands are run by tests/docs/test_examples.py, and by tests/statistics/test_show.py."""
IN_CHECKOUT = re.compile(r"(?<![\w/.-])(?:config|systemd|docs|tests|nqosd)/[\w./-]*\w")


@pytest.mark.parametrize("page", [page for page in PAGES if steps(page)], ids=lambda page: page.stem)
def test_the_page_is_true(page: Path, open_shell: OpenShell) -> None:
    """Every console block of the page, run in order, prints what the page shows."""
    todo = steps(page)
    shell = open_shell("\n".join(step.command for step in todo))
    for step in todo:
        if step.in_background:
            shell.start(step)
            continue
        printed = shell.run(step)
        where = f"{page.name}:{step.line}: $ {step.command}"
        told = f"{where}\nprints\n{printed}\nthe page shows\n{chr(10).join(step.shown)}\n{shell.said_in_background()}"
        assert matches(step.shown, printed), told


@pytest.mark.parametrize(
    ("shown", "printed", "same"),
    [
        (("a…c", "…", "z"), "abc\n1\n2\nz\n", True),
        (("a…c", "…", "z"), "abc\nz\n", True),
        (("a…c",), "abc\nmore\n", False),
        (("abc",), "abd\n", False),
        ((), "", True),
        ((), "unexpected\n", False),
    ],
)
def test_what_counts_as_the_same(shown: tuple[str, ...], printed: str, *, same: bool) -> None:
    """Only what the page leaves open may differ."""
    assert matches(shown, printed) is same


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_commands_for_real_machines_are_sound(page: Path) -> None:
    """A block `sh`, for what can't run in a test, is valid shell, and each nqosd command in it has valid arguments."""
    for line, block in blocks(page, "sh"):
        done = subprocess.run(["bash", "-n"], input=block, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{page.name}:{line}: {done.stderr}"
        for arguments in re.findall(r"^\s*nqosd ([^|;&>\n]*)", block, flags=re.MULTILINE):
            cli_parser().parse_args(shlex.split(arguments))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_files_that_a_page_names_are_there(page: Path) -> None:
    """A path of the checkout in a command or in a sentence exists."""
    text = page.read_text()
    commands = [block for language in ("sh", "console") for _line, block in blocks(page, language)]
    names = [*re.findall(r"`([^`\n]+)`", text), *commands]
    found = {path for name in names for path in IN_CHECKOUT.findall(name)}
    assert sorted(path for path in found if not (ROOT / path).exists() and not path.endswith("/...")) == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_no_command_escapes_the_tests(page: Path) -> None:
    """A command with its prompt stands in a console block, and no block has a language that is misspelt."""
    prompts = re.findall(r"^\$ ", page.read_text(), flags=re.MULTILINE)
    assert len(prompts) == len(steps(page)) or page.name in RUN_ELSEWHERE
    opened = re.findall(r"^ *```(\S*)$", page.read_text(), flags=re.MULTILINE)[::2]
    assert set(opened) <= LANGUAGES
