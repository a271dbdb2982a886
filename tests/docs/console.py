"""The commands of the documentation: read from a page, run in a shell, compared with what the page shows.

In: a page's fenced blocks ```console: lines that begin with `$ ` are commands (`> ` goes on with one), the lines after
them what they print. Out: transcripts. Rule: `…` stands for any text within a line, and alone on a line for any number
of lines; everything else must be as shown.
"""

import re
import shlex
import subprocess
import textwrap
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import attrs

BLOCK = re.compile(r"^( *)```(\w+)\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
LOOKS = re.compile(r"curl |kubectl (get|describe) |ovn-nbctl (-\S+ )*(list|find|qos-list) ")
TIMEOUT = 120.0
"""Seconds in which a command that only looks must come to show what the page says: what it looks at is on its way."""
COMMAND_TIMEOUT = 120


@attrs.frozen
class Step:
    """A command of a page, the line that it stands on, and the lines that it prints there."""

    line: int
    command: str
    shown: tuple[str, ...]

    @property
    def in_background(self) -> bool:
        """Say whether it goes on while the page does."""
        return self.command.endswith(" &")


def blocks(page: Path, language: str) -> Iterator[tuple[int, str]]:
    """Give the fenced blocks of a language, each with the line of its first line."""
    text = page.read_text()
    for found in BLOCK.finditer(text):
        if found[2] == language:
            yield text.count("\n", 0, found.start()) + 2, textwrap.dedent(found[3])


def steps(page: Path) -> list[Step]:
    """Read the commands of a page, in order."""
    return [step for first, block in blocks(page, "console") for step in _steps(first, block)]


def _steps(first: int, block: str) -> Iterator[Step]:
    command: list[str] = []
    shown: list[str] = []
    begun = first
    for number, line in enumerate(block.splitlines(), first):
        if line.startswith("$ "):
            if command:
                yield Step(begun, "\n".join(command), tuple(shown))
            command, shown, begun = [line[2:]], [], number
        elif line.startswith(">") and not shown:
            command.append(line[2:])
        else:
            shown.append(line)
    yield Step(begun, "\n".join(command), tuple(shown))


def matches(shown: tuple[str, ...], printed: str) -> bool:
    """Say whether a command printed what the page shows."""
    lines = [_line(line) for line in shown]
    return re.fullmatch("".join(lines), "".join(f"{line.rstrip()}\n" for line in printed.splitlines())) is not None


def _line(line: str) -> str:
    if line == "…":
        return r"(?:.*\n)*"
    return ".*".join(re.escape(part) for part in line.rstrip().split("…")) + r"\n"


@attrs.frozen
class Shell:
    """Where commands run: a folder, an environment, and addresses of the page with those that stand in for them."""

    folder: Path
    environment: Mapping[str, str]
    instead: Mapping[str, str]
    background: list[subprocess.Popen[bytes]] = attrs.field(factory=list)

    def run(self, step: Step) -> str:
        """Run a step, and give what it prints, with the page's own addresses.

        A step that only looks is run again until it prints what the page shows, or too much time has passed.
        """
        end = time.monotonic() + TIMEOUT
        while True:
            printed = self._run(step)
            if matches(step.shown, printed) or not LOOKS.match(step.command) or time.monotonic() > end:
                return printed
            time.sleep(0.1)

    def start(self, step: Step) -> None:
        """Run a step in the background; `close` ends it."""
        command = shlex.split(self._here(step.command.removesuffix(" &")))
        with (self.folder / "background.log").open("ab") as log:
            self.background.append(
                subprocess.Popen(command, cwd=self.folder, env=self.environment, stdout=log, stderr=log)
            )

    def said_in_background(self) -> str:
        """Give what the commands in the background have written."""
        log = self.folder / "background.log"
        return log.read_text() if log.exists() else ""

    def close(self) -> None:
        """End what runs in the background."""
        for process in self.background:
            process.terminate()
        for process in self.background:
            process.wait(timeout=60)

    def _run(self, step: Step) -> str:
        command = ["bash", "-c", self._here(step.command)]
        done = subprocess.run(
            command, cwd=self.folder, env=self.environment, check=False, timeout=COMMAND_TIMEOUT,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip
        text = done.stdout
        for theirs, ours in self.instead.items():
            text = text.replace(ours, theirs)
        return text

    def _here(self, command: str) -> str:
        for theirs, ours in self.instead.items():
            command = command.replace(theirs, ours)
        return command
