"""Types of columns as an OVSDB schema gives them, and values as RFC 7047 writes them.

In: the schema file of a generation of OVN; JSON of an operation. Out: strings, integers, frozensets and dicts. The
rule: what ovsdb-server refuses is refused, with the same error.
"""

import json
import re
from collections.abc import Callable, Mapping
from functools import cache
from typing import cast

import attrs

from tests.services.generation import OvnGeneration

CLOSED = "closed"
"""Stands for no answer at all, because the server closes the connection."""
UNLIMITED = 1 << 62
_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_ID = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")

Names = Callable[[str], str]
"""Gives the uuid that a `named-uuid` stands for."""


class RefusedError(Exception):
    """The transaction was refused; nothing was written. `place`: which operation it was, None when none alone was.

    `done`: the answers to the operations before it.
    """

    def __init__(self, error: str, details: str = "") -> None:
        super().__init__(f"{error}: {details}" if details else error)
        self.error = error
        self.place: int | None = None
        self.done: list[object] = []


@attrs.frozen
class Atom:
    """One value: a string, an integer or a uuid, within bounds."""

    type: str
    enum: frozenset[object] = frozenset()
    least: int = -(1 << 63)
    most: int = (1 << 63) - 1

    @classmethod
    def of(cls, schema: object) -> "Atom":
        """Take a `<base-type>`."""
        if isinstance(schema, str):
            return cls(schema)
        base = cast("Mapping[str, object]", schema)
        enum = cast("list[object]", base.get("enum", ["set", []]))
        return cls(
            str(base["type"]),
            frozenset(cast("list[object]", enum[1]) if isinstance(enum, list) else [enum]),
            int(str(base.get("minInteger", -(1 << 63)))),
            int(str(base.get("maxInteger", (1 << 63) - 1))),
        )

    @property
    def default(self) -> object:
        """What a column holds that nobody set."""
        return 0 if self.type == "integer" else ""

    def decode(self, value: object, names: Names) -> object:
        """Decode a value.

        Raises:
            RefusedError: it isn't of this type, or out of bounds.
        """
        if self.type == "uuid":
            return _uuid(value, names)
        if self.type == "integer":
            if not isinstance(value, int) or isinstance(value, bool) or not -(1 << 63) <= value < 1 << 63:
                raise RefusedError("syntax error", f"expected integer, got {value!r}")
            if not self.least <= value <= self.most:
                raise RefusedError("constraint violation", f"{value} is not in the valid range")
        elif not isinstance(value, str):
            raise RefusedError("syntax error", f"expected string, got {value!r}")
        if self.enum and value not in self.enum:
            raise RefusedError("constraint violation", f"{value!r} is not one of the allowed values")
        return value


@attrs.frozen
class Type:
    """The type of a column: one value, a set (`most` above 1) or a map (`value` is given)."""

    key: Atom
    value: Atom | None = None
    least: int = 1
    most: int = 1

    @classmethod
    def of(cls, schema: object) -> "Type":
        """Take a `<type>`."""
        if isinstance(schema, str):
            return cls(Atom(schema))
        full = cast("Mapping[str, object]", schema)
        most = full.get("max", 1)
        return cls(
            Atom.of(full["key"]),
            Atom.of(full["value"]) if "value" in full else None,
            int(str(full.get("min", 1))),
            UNLIMITED if most == "unlimited" else int(str(most)),
        )

    @property
    def is_scalar(self) -> bool:
        """Whether it holds exactly one value."""
        return self.value is None and self.least == self.most == 1

    @property
    def default(self) -> object:
        """What a column holds that nobody set."""
        if self.value is not None:
            return {}
        return self.key.default if self.is_scalar else frozenset()

    def any_number(self) -> "Type":
        """Return the type of what may be inserted into it, or deleted from it."""
        return attrs.evolve(self, least=0, most=UNLIMITED)

    def decode(self, value: object, names: Names) -> object:
        """Decode a value.

        Raises:
            RefusedError: it isn't of this type, too many or too few, or names one twice.
        """
        if self.value is not None:
            pairs = [_pair(pair) for pair in self._content("map", value)]
            found = [(self.key.decode(key, names), self.value.decode(each, names)) for key, each in pairs]
            if len(dict(found)) != len(found):
                raise RefusedError("ovsdb error", "map contains duplicate key")
            return dict(found)
        is_set = isinstance(value, list) and value[:1] == ["set"]
        members = [self.key.decode(each, names) for each in (self._content("set", value) if is_set else [value])]
        if len(set(members)) != len(members):
            raise RefusedError("ovsdb error", "set contains duplicate")
        return members[0] if self.is_scalar else frozenset(members)

    def _content(self, word: str, value: object) -> list[object]:
        if not isinstance(value, list) or len(value) != 2 or value[0] != word or not isinstance(value[1], list):
            raise RefusedError("syntax error", f"expected a {word}, got {value!r}")
        content = cast("list[object]", value[1])
        if not self.least <= len(content) <= self.most:
            raise RefusedError("syntax error", f"{word} must have {self.least} to {self.most} members")
        return content


@cache
def columns_of(generation: OvnGeneration) -> Mapping[str, Mapping[str, Type]]:
    """Return the types of all columns of a Northbound database, by table."""
    tables = json.loads(generation.schema("nb").read_text())["tables"]
    return {
        table: {name: Type.of(column["type"]) for name, column in schema["columns"].items()}
        for table, schema in tables.items()
    }


def check_text(value: object) -> None:
    """Look for text that no server takes.

    Raises:
        RefusedError: it has a NUL or half of a surrogate pair; a server closes the connection.
    """
    text = json.dumps(value, ensure_ascii=False)
    if "\\u0000" in text or any("\ud800" <= each <= "\udfff" for each in text):
        raise RefusedError(CLOSED)


def is_id(value: object) -> bool:
    """Say whether this can be the name of a row that is inserted."""
    return isinstance(value, str) and _ID.fullmatch(value) is not None


def _pair(value: object) -> list[object]:
    if not isinstance(value, list) or len(value) != 2:
        raise RefusedError("syntax error", f"expected 2-element array, got {value!r}")
    return value


def _uuid(value: object, names: Names) -> str:
    tag, content = _pair(value)
    if tag == "uuid" and isinstance(content, str) and _UUID.fullmatch(content):
        return content
    if tag == "named-uuid" and is_id(content):
        return names(str(content))
    raise RefusedError("syntax error", f"{value!r} is no UUID")
