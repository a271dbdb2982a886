"""From the text of a configuration file to a `Config`, or to every mistake in it at once.

Rule: a key that no option has, a value of the wrong type and a value out of bounds are all mistakes; nothing in the
file is ignored. `parse` looks at the text and at what is given beside it, `load` also at the environment and at whether
the files that are named are there. An argument goes before the environment, and that before the file.
"""

import difflib
import json
import math
import os
from collections.abc import Container, Iterable, Mapping
from pathlib import Path
from typing import Literal, TypeAlias, TypeVar, get_args, get_origin

import attrs
import msgspec

from nqosd.config import positions, toml
from nqosd.config.combinations import contradictions
from nqosd.config.given import Given, Loc, from_environment, unknown
from nqosd.config.options import (
    AUTO,
    AWAITED,
    CHECK,
    FILE,
    NEEDED,
    SECTIONS,
    Config,
    DaemonSection,
    HttpSection,
    KubernetesSection,
    Limits,
    LogSection,
    NorthboundSection,
    StatsSection,
    StatusSection,
)
from nqosd.runtime.small_files import read_small

Values: TypeAlias = dict[str, dict[str, object]]
S = TypeVar("S", bound=attrs.AttrsInstance)

NOTHING: Mapping[Loc, Given] = {}
MOST_TOLD = 50
"""Mistakes in a message."""
LONGEST = 200
"""Characters of a value that a message shows."""


class Mistake(msgspec.Struct, frozen=True):
    """One thing wrong; `line` is None where the key doesn't stand in the file, `key` empty for the whole file."""

    file: str
    line: int | None
    key: str
    message: str

    def __str__(self) -> str:
        place = self.file if self.line is None else f"{self.file}:{self.line}"
        return f"{place}: {self.key}: {self.message}" if self.key else f"{place}: {self.message}"


class ConfigError(Exception):
    """The configuration is not usable; `str()` has one line for each mistake, up to MOST_TOLD."""

    def __init__(self, mistakes: Iterable[Mistake]) -> None:
        self.mistakes = tuple(mistakes)
        left = len(self.mistakes) - MOST_TOLD
        more = [f"and {left} more"] if left > 0 else []
        super().__init__("\n".join([*map(str, self.mistakes[:MOST_TOLD]), *more]))


def load(path: Path | None, *, awaits: bool = False, arguments: Mapping[Loc, Given] = NOTHING) -> Config:
    """Read a file (None: an empty one) and the environment, and see that the files which they name exist.

    With `awaits`, those alone must exist that can't be awaited.

    Raises:
        ConfigError: the file can't be read or is not a correct configuration, or a file that it names is missing.
    """
    text = "" if path is None else _text(path)
    given, strangers = from_environment(os.environ)
    if strangers:
        raise ConfigError([Mistake("environment", None, name, unknown(name)) for name in strangers])
    given |= arguments
    config = parse(text, file=str(path), given=given)
    kinds = (NEEDED,) if awaits else (NEEDED, AWAITED)
    missing = [(key, f"{_shown(name)} is not a file that exists") for key, name in _missing_files(config, kinds)]
    if missing:
        raise ConfigError(_mistakes(missing, positions.find(text), str(path), given))
    return config


def _text(path: Path) -> str:
    try:
        return read_small(path).decode()
    except OSError as error:
        message = f"cannot be read: {error.strerror}; --config names a TOML file"
        raise ConfigError([Mistake(str(path), None, "", message)]) from error
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise ConfigError([Mistake(str(path), line, "", "is not UTF-8 text, as TOML must be")]) from error


def parse(text: str, *, file: str = "nqosd.toml", given: Mapping[Loc, Given] = NOTHING) -> Config:
    """Read a configuration; `file` is how messages name it, and what is `given` goes before what it says.

    Raises:
        ConfigError: it is not TOML, or an option is unknown, of the wrong type, out of bounds or at odds with another.
    """
    try:
        document = toml.read(text)
    except toml.TomlError as error:
        raise ConfigError([Mistake(file, error.line, "", str(error))]) from error
    for (section, key), each in given.items():
        options = document.setdefault(section, {})
        if isinstance(options, dict):
            options[key] = each.value
    values, wrong = _values(document)
    config = _build(values)
    doubtful = {path[0] for path, _ in wrong}
    for key, message in contradictions(config):
        path = tuple(key.split("."))
        if path[0] not in doubtful:  # beside a mistake in the same section it may be nothing but its consequence
            wrong.append((path, message))
    if wrong:
        raise ConfigError(_mistakes(wrong, positions.find(text), file, given))
    return config


def _mistakes(
    wrong: Iterable[tuple[Loc, str]], found: Mapping[Loc, int], file: str, given: Mapping[Loc, Given]
) -> list[Mistake]:
    """Give mistakes their lines, in the order of the file, or the names of the variables and arguments."""
    mistakes = [
        Mistake(given[path].name, None, ".".join(path), message)
        if path in given
        else Mistake(file, found.get(path), ".".join(path), message)
        for path, message in wrong
    ]
    return sorted(mistakes, key=lambda each: (each.line is None, each.line or 0))


def _values(document: Mapping[str, object]) -> tuple[Values, list[tuple[Loc, str]]]:
    """Sort a document into good values and mistakes."""
    good: Values = {}
    wrong: list[tuple[Loc, str]] = []
    for section, content in document.items():
        options = SECTIONS.get(section)
        if options is None:
            wrong.append(((section,), _unknown_section(section)))
        elif not isinstance(content, dict):
            wrong.append(((section,), f"is a section; write [{section}] and its options below"))
        else:
            fields = attrs.fields_dict(options)
            for key, value in content.items():
                if key in fields and value == AUTO[0] and fields[key].default == AUTO:
                    value = list(AUTO)  # noqa: PLW2901 - one word for a list
                message = _complaint(fields[key], value) if key in fields else _unknown_option(section, key)
                if message:
                    wrong.append(((section, key), message))
                else:
                    good.setdefault(section, {})[key] = _converted(fields[key], value)
    return good, wrong


def _converted(field: "attrs.Attribute[object]", value: object) -> object:
    """Give a good value the type of its option: a list becomes a tuple, and a whole number of seconds a float."""
    if isinstance(value, list):
        return tuple(value)
    return float(value) if field.type is float and isinstance(value, int) else value


def _build(values: Values) -> Config:
    """Put good values over the defaults."""

    def section(kind: type[S], name: str) -> S:
        return kind(**values.get(name, {}))

    return Config(
        daemon=section(DaemonSection, "daemon"),
        kubernetes=section(KubernetesSection, "kubernetes"),
        northbound=section(NorthboundSection, "northbound"),
        status=section(StatusSection, "status"),
        limits=section(Limits, "limits"),
        http=section(HttpSection, "http"),
        stats=section(StatsSection, "stats"),
        log=section(LogSection, "log"),
    )


def _complaint(field: "attrs.Attribute[object]", value: object) -> str | None:
    """Say what is wrong with a value of an option, if anything."""
    wanted = _type_complaint(field.type, value)
    if wanted:
        return f"{_shown(value)} {wanted}"
    if any("\0" in each for each in (value if isinstance(value, list) else [value]) if isinstance(each, str)):
        return f"{_shown(value)} has a character NUL, as no name can"
    check = field.metadata[CHECK]
    message = check(tuple(value) if isinstance(value, list) else value) if check else None
    return f"{_shown(value)} {message}" if message else None


def _type_complaint(kind: object, value: object) -> str | None:
    if get_origin(kind) is Literal:
        allowed = get_args(kind)
        return None if value in allowed else f"is none of {', '.join(map(_shown, allowed))}{_meant(value, allowed)}"
    if get_origin(kind) is tuple:
        if isinstance(value, list) and all(isinstance(each, str) for each in value):
            return None
        return f"is not a list of strings{'; write it in [ ]' if isinstance(value, str) else ''}"
    if kind is str:
        return None if isinstance(value, str) else "is not a string; write it in quotes"
    if kind is bool:
        return None if isinstance(value, bool) else "is not true or false"
    return _number_complaint(kind, value)


def _number_complaint(kind: object, value: object) -> str | None:
    whole = isinstance(value, int) and not isinstance(value, bool)
    finite = kind is float and isinstance(value, float) and math.isfinite(value)
    if whole or finite:
        return None
    hint = "; write it without quotes" if isinstance(value, str) and value.strip().isdigit() else ""
    return f"is not a {'whole ' if kind is int else ''}number{hint}"


def _shown(value: object) -> str:
    """Show a value as it is written in TOML, its beginning if it is long."""
    try:
        text = json.dumps(value, ensure_ascii=False, default=str)
    except (ValueError, RecursionError):  # digits and lists beyond what Python writes out, though it has read them
        return "the value"
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"


def _unknown_section(section: str) -> str:
    return f"there is no such section{_meant(section, SECTIONS)}; there are {', '.join(SECTIONS)}"


def _unknown_option(section: str, key: str) -> str:
    fields = attrs.fields_dict(SECTIONS[section])
    elsewhere = [f"{name}.{key}" for name, options in SECTIONS.items() if key in attrs.fields_dict(options)]
    close = difflib.get_close_matches(key, fields, n=1)
    if not close and elsewhere:
        return f"there is no such option; did you mean {' or '.join(elsewhere)}?"
    return f"there is no such option{_meant(key, fields)}"


def _meant(word: object, known: Iterable[str]) -> str:
    """Suggest what a misspelt word may have been."""
    close = difflib.get_close_matches(word, list(known), n=1) if isinstance(word, str) else []
    return f"; did you mean {close[0]}?" if close else ""


def _missing_files(config: Config, kinds: Container[object]) -> Iterable[tuple[Loc, str]]:
    for section, options in SECTIONS.items():
        values = getattr(config, section)
        for field in attrs.fields(options):
            name = getattr(values, field.name) if field.metadata[FILE] in kinds else ""
            if name and not os.path.isfile(name):  # noqa: PTH113 - it says no where `Path.is_file` raises
                yield (section, field.name), name
