"""The examples of `docs/meaning.md` compile to what the page shows under them, to the letter.

A block `yaml` is a file, whose name is in its first line; a block `text` is a command and what it prints.
"""

import re
import shlex
from pathlib import Path

import pytest

from nqosd.cli import FAILED, OK, main
from tests.checkout import ROOT
from tests.docs.console import blocks

PAGE = ROOT / "docs/meaning.md"
FILES = {block.partition("\n")[0].removeprefix("# "): block for _line, block in blocks(PAGE, "yaml")}
EXAMPLES = [block.partition("\n")[::2] for _line, block in blocks(PAGE, "text")]


@pytest.mark.parametrize(("command", "shown"), EXAMPLES, ids=[command.split()[-1] for command, _shown in EXAMPLES])
def test_an_example_prints_what_the_page_shows(
    command: str, shown: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`nqosd compile` on the example's files prints the block below it, and nothing is wrong with the files."""
    for name, content in FILES.items():
        (tmp_path / name).write_text(content)
    monkeypatch.chdir(tmp_path)
    program, *arguments = shlex.split(command.removeprefix("$ "))
    assert program == "nqosd"
    code = main(arguments)
    printed = capsys.readouterr()
    assert (printed.out, printed.err) == (shown, "")
    assert code == (FAILED if re.search(r"^\S+/\S+ +no ", shown, re.MULTILINE) else OK)


def test_every_example_is_compiled() -> None:
    """Each file of the page is named in a command, so that none is only read."""
    commands = " ".join(command for command, _shown in EXAMPLES)
    assert all(name.endswith(".yaml") and name in commands for name in FILES)
    assert len(EXAMPLES) >= len(FILES) - 1
