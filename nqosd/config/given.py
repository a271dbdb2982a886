"""Options from elsewhere than the file: environment variables, and arguments of a command.

In: the environment, as names and texts. Out: values by section and option, of the types that TOML would give, each with
the name under which a message can speak of it. Rule: every option has its variable, `NQOSD_<SECTION>_<OPTION>`, and
any other name that begins with `NQOSD_` is a mistake, as an unknown option in the file is one.
"""

import contextlib
import difflib
from collections.abc import Mapping
from typing import TypeAlias, get_origin

import attrs
import msgspec

from nqosd.config.options import SECTIONS

Loc: TypeAlias = tuple[str, ...]
"""Section and option."""

PREFIX = "NQOSD_"
SWITCHES = {"true": True, "false": False}

VARIABLES: dict[str, Loc] = {
    f"{PREFIX}{section}_{field.name}".upper(): (section, field.name)
    for section, options in SECTIONS.items()
    for field in attrs.fields(options)
}
"""Every variable, and the option that it sets."""


class Given(msgspec.Struct, frozen=True):
    """A value that goes before the file's; `name` is the variable or the argument."""

    name: str
    value: object


def from_environment(environment: Mapping[str, str]) -> tuple[dict[Loc, Given], list[str]]:
    """Give what the environment sets, and those of its names that set nothing though they should."""
    ours = {name: text for name, text in environment.items() if name.startswith(PREFIX)}
    known = {VARIABLES[name]: Given(name, _value(VARIABLES[name], ours[name])) for name in ours if name in VARIABLES}
    return known, sorted(set(ours) - set(VARIABLES))


def unknown(name: str) -> str:
    """Say what is wrong with a name."""
    close = difflib.get_close_matches(name, VARIABLES, n=1)
    meant = f"; did you mean {close[0]}?" if close else f"; a name is {PREFIX}<SECTION>_<OPTION>"
    return f"there is no such option{meant} (in a pod, enableServiceLinks: false keeps names of Services away)"


def _value(place: Loc, text: str) -> object:
    """Read a text as its option wants it: lists with commas, numbers and switches without quotes, as in TOML."""
    kind: object = attrs.fields_dict(SECTIONS[place[0]])[place[1]].type
    if get_origin(kind) is tuple:
        return [part.strip() for part in text.split(",") if part.strip()]
    if kind is bool:
        return SWITCHES.get(text, text)
    if kind in (int, float):
        with contextlib.suppress(ValueError):
            return float(text) if kind is float else int(text)
    return text
