"""A place in a decoded object: its path, its value, and where to note what is wrong with it.

Rule: a read never raises. It notes a problem and gives None or a stand-in, so that reading goes on and finds the
other problems; whoever collects the findings throws the result away if there is any problem.
"""

import json
import re
from collections.abc import Iterator
from enum import StrEnum
from typing import TypeVar

import msgspec

from nqosd.api.problems import Problem

Choice = TypeVar("Choice", bound=StrEnum)

_SHOWN_LENGTH = 80
_TYPES = {str: "a string", bool: "a boolean", int: "a number", float: "a number"}
_PLAIN = re.compile(r"[\x21-\x7e]+")


class Findings(msgspec.Struct, frozen=True):
    """What was found so far, in reading order."""

    problems: list[Problem] = []
    warnings: list[str] = []


class Field(msgspec.Struct, frozen=True):
    """One field of an object. Absent and null are the same, as in Kubernetes: `value` is None."""

    path: str
    value: object
    findings: Findings

    @property
    def present(self) -> bool:
        """Whether there is a value."""
        return self.value is not None

    def problem(self, message: str) -> None:
        """Note what is wrong with this field."""
        self.findings.problems.append(Problem(self.path, message))

    def warn(self, message: str) -> None:
        """Note what is valid here, but may surprise."""
        self.findings.warnings.append(f"{self.path}: {message}")

    def parts(self, *names: str) -> "tuple[Field, ...] | None":
        """Give these fields of an object, in this order; None, and a problem, if it isn't one.

        Other fields get a warning: an API server drops them, so they are no reason to refuse.
        """
        if not isinstance(self.value, dict):
            self.problem("required: an object" if self.value is None else f"{shown(self.value)} is not an object")
            return None
        for name in self.value:
            if name not in names:
                Field(f"{self.path}.{shown(name)}", None, self.findings).warn("unknown field, ignored")
        return tuple(Field(f"{self.path}.{name}", self.value.get(name), self.findings) for name in names)

    def entries(self) -> "Iterator[tuple[str, Field]]":
        """Give the entries of a map with free keys; absent is empty."""
        if isinstance(self.value, dict):
            for key, value in self.value.items():
                yield key, Field(f"{self.path}[{shown(key)}]", value, self.findings)
        elif self.present:
            self.problem(f"{shown(self.value)} is not an object")

    def items(self) -> "list[Field]":
        """Give the items of a list; absent is empty."""
        if isinstance(self.value, list):
            return [Field(f"{self.path}[{index}]", item, self.findings) for index, item in enumerate(self.value)]
        if self.present:
            self.problem(f"{shown(self.value)} is not a list")
        return []

    def integer(self, low: int, high: int) -> int | None:
        """Give an integer in a range. JSON's 1.0 is one, as it is for the API server; true is none."""
        value = self.value
        if isinstance(value, int | float) and not isinstance(value, bool) and low <= value <= high and not value % 1:
            return int(value)
        self._unfit(f"an integer from {low} to {high}", int, float)
        return None

    def text(self) -> str | None:
        """Give a text."""
        if isinstance(self.value, str):
            return self.value
        self._unfit("a text", str)
        return None

    def choice(self, choices: type[Choice]) -> Choice | None:
        """Give one of some texts."""
        names = [str(each) for each in choices]
        if isinstance(self.value, str) and self.value in names:
            return choices(self.value)
        self._unfit(f"one of {', '.join(names)}", str)
        return None

    def _unfit(self, wanted: str, *types: type) -> None:
        """Note that this isn't what is wanted; a value of another type than these is quoted with its own."""
        if not self.present:
            self.problem(f"required: {wanted}")
        elif type(self.value) in types or type(self.value) not in _TYPES:
            self.problem(f"{shown(self.value)} is not {wanted}")
        else:
            self.problem(f"{quoted(self.value)} is {_TYPES[type(self.value)]}, not {wanted}")


def shown(value: object) -> str:
    """Show a value within a message: what is plain text as it is, everything else as JSON, and long things briefly."""
    if isinstance(value, dict):
        return "an object"
    if isinstance(value, list):
        return "a list"
    if isinstance(value, str) and _PLAIN.fullmatch(value):
        return brief(value)
    return quoted(value)


def quoted(value: object) -> str:
    """Show a value as JSON, a long one briefly."""
    return brief(json.dumps(value))


def brief(text: str) -> str:
    """Cut a text to a length that a message bears."""
    return text if len(text) <= _SHOWN_LENGTH else f"{text[:_SHOWN_LENGTH]}…"
