"""What the scalars of a YAML text are, as the values that JSON has.

In: a scalar as it is written, and its tag. Out: a text, a number, a truth value or None; of a key, a text. Rule: it is
what go-yaml takes it for, with which kubectl reads manifests (neither times nor numbers to the base of sixty; `2e4`,
`08` and `0o17` are numbers, `1e400` is none).
"""

import math
import re

import yaml

from nqosd.api.text import visible

LONGEST_NUMBER = 400
"""Digits; the largest float has 309."""
EXCERPT = 60

if yaml.__with_libyaml__:
    from yaml import CSafeLoader as _SafeLoader
else:  # slower, the same result
    from yaml import SafeLoader as _SafeLoader  # type: ignore[assignment]

_PREFIX = "tag:yaml.org,2002:"
_TEXT, _TIME, _VALUE, _NULL = (f"{_PREFIX}{name}" for name in ("str", "timestamp", "value", "null"))
_BOOL, _INT, _FLOAT = (f"{_PREFIX}{name}" for name in ("bool", "int", "float"))
LIST, MAP, MERGE = (f"{_PREFIX}{name}" for name in ("seq", "map", "merge"))
_WHOLE = re.compile(r"[-+]?0([xX][0-9a-fA-F]+|[oO][0-7]+|[bB][01]+)")
_NUMBER = re.compile(r"[-+]?(\.[0-9]+|[0-9][0-9_]*(\.[0-9_]*)?)([eE][-+]?[0-9][0-9_]*)?")
"""What is a number beside those of YAML 1.1."""


class TextError(ValueError):
    """A text isn't a manifest; `line` counts from 1, 0 where there is none."""

    def __init__(self, message: str, line: int = 0) -> None:
        super().__init__(message)
        self.line = line


class ScalarLoader(_SafeLoader):
    """Knows what scalars are."""

    def tag_of(self, event: yaml.ScalarEvent) -> str:
        """Give the tag of a scalar, which is what its text makes of it where none is written."""
        return self._resolved(event) if event.tag in (None, "!") else str(event.tag)

    def _resolved(self, event: yaml.ScalarEvent) -> str:
        value: str = event.value
        tag = str(self.resolve(yaml.ScalarNode, value, event.implicit))  # type: ignore[no-untyped-call]
        if tag in (_TIME, _VALUE) or (tag in (_INT, _FLOAT) and ":" in value):
            return _TEXT
        if tag == _TEXT and event.implicit[0]:
            if _WHOLE.fullmatch(value):
                return _INT
            tag = _FLOAT if _NUMBER.fullmatch(value) else _TEXT
        if tag == _FLOAT and "e" in value.lower() and math.isinf(float(value.replace("_", ""))):
            return _TEXT
        return tag


def scalar(loader: ScalarLoader, tag: str, value: str, line: int) -> object:
    """Give the value of a scalar.

    Raises:
        TextError: it has none in JSON.
    """
    if tag == _TEXT:
        return value
    if tag == _NULL:
        return None
    shown = visible(value[:EXCERPT])
    try:
        if tag == _BOOL:
            return loader.bool_values[value.lower()]
        if tag in (_INT, _FLOAT) and len(value) <= LONGEST_NUMBER:
            node = yaml.ScalarNode(tag, value.lower())
            return loader.construct_yaml_int(node) if tag == _INT else loader.construct_yaml_float(node)
    except (ValueError, LookupError) as error:
        raise TextError(f"{shown} can't be read as !!{tag.removeprefix(_PREFIX)}; remove the tag", line) from error
    if tag in (_INT, _FLOAT):
        raise TextError(f"{shown}… is a number of {len(value)} digits; if it is a text, quote it", line)
    raise foreign(tag, line)


def key_text(value: object, line: int) -> str:
    """Make a key the text that it is in JSON.

    Raises:
        TextError: it has none.
    """
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return f"{value:.0f}" if value.is_integer() else str(value)
    raise TextError("a key must be a text; quote it", line)


def foreign(tag: str, line: int) -> TextError:
    """Say that a tag is none of JSON's."""
    shown = visible(tag.replace(_PREFIX, "!!")[:EXCERPT])
    return TextError(f"the tag {shown} says what no object of Kubernetes can hold; remove it", line)
