"""Values of RFC 7047 as JSON, to and from plain Python values.

In: what a message holds for one column. Out: `str`, `int`, sets and dicts. The rules: nothing here knows a table, and
what isn't of the form that RFC 7047 gives it raises TypeError, ValueError or IndexError.
"""

import reprlib
from collections.abc import Iterable, Mapping
from sys import intern
from typing import TypeVar, cast

import msgspec

T = TypeVar("T", str, int)

_NUL = rb"\u0000"
"""How JSON writes it; the six characters themselves, with another backslash, have it in them, too."""


class UnfitError(ValueError):
    """A text can't stand in any database: it has a NUL, or half of a surrogate pair. The message names the column."""


class UpdateError(Exception):
    """An update doesn't fit what is known of the database: everything must be asked for again."""


def checked(columns: Mapping[str, object]) -> dict[str, object]:
    """Return columns that are about to be written.

    Raises:
        UnfitError: a server would close the connection on one of them.
    """
    try:
        may_be_unfit = _NUL in msgspec.json.encode(columns)
    except UnicodeEncodeError:
        may_be_unfit = True
    if may_be_unfit:
        _refuse_unfit(columns)
    return dict(columns)


def _refuse_unfit(columns: Mapping[str, object]) -> None:
    for column, value in columns.items():
        for text in _texts(value):
            if "\0" in text or any("\ud800" <= each <= "\udfff" for each in text):
                raise UnfitError(f"{column} {text!r:.200} has a character that OVSDB can't hold (NUL or a surrogate)")


def _texts(value: object) -> Iterable[str]:
    """Yield every string in an encoded value."""
    values = [value]
    while values:
        each = values.pop()
        if isinstance(each, str):
            yield each
        elif isinstance(each, list | tuple):
            values.extend(each)


def strings(value: object) -> list[str]:
    """Decode a set of strings; a set with one member may come without the word `set`."""
    return _all(str, value[1] if isinstance(value, list) else [value])


def uuids(value: object) -> list[str]:
    """Decode a set of uuids; one alone may come without the word `set`."""
    tag, content = cast("list[object]", value)
    if tag == "uuid":
        return _all(str, [content])
    return _all(str, [pair[1] for pair in cast("list[list[object]]", content)])


def mapping(value: object) -> dict[str, str]:
    """Decode a map of strings to strings; most are the same in thousands of rows, and so one value in memory."""
    return {key: intern(each) for key, each in _pairs(str, value).items()}


def numbers(value: object) -> dict[str, int]:
    """Decode a map of strings to integers."""
    return _pairs(int, value)


def uuid(value: str) -> list[str]:
    """Encode a uuid."""
    return ["uuid", value]


def string_map(values: Mapping[str, T]) -> list[object]:
    """Encode a map in a fixed order."""
    return ["map", [[key, values[key]] for key in sorted(values)]]


def string_set(members: Iterable[str]) -> list[object]:
    """Encode a set of strings in a fixed order."""
    return ["set", sorted(members)]


def uuid_set(members: Iterable[str]) -> list[object]:
    """Encode a set of uuids in a fixed order."""
    return ["set", list(map(uuid, sorted(members)))]


def toggle(members: set[str], changed: Iterable[str]) -> None:
    """Apply a change of a set column: a member that is there goes, one that isn't comes (ovsdb-server(7), update2)."""
    members.symmetric_difference_update(changed)


def amend(values: dict[str, T], changed: Mapping[str, T]) -> None:
    """Apply a change of a map column: the pair that is there already goes, any other one is set (update2)."""
    for key, value in changed.items():
        if values.get(key) == value:
            del values[key]
        else:
            values[key] = value


def _pairs(kind: type[T], value: object) -> dict[str, T]:
    pairs = dict(cast("list[tuple[str, T]]", cast("list[object]", value)[1]))
    _all(str, list(pairs))
    _all(kind, list(pairs.values()))
    return {intern(key): each for key, each in pairs.items()}


def _all(kind: type[T], values: object) -> list[T]:
    """Return values of which each is of that type."""
    found = cast("list[T]", values)
    if not set(map(type, found)) <= {kind}:
        raise TypeError(f"expected nothing but {kind.__name__}, got {reprlib.repr(values)}")
    return found
