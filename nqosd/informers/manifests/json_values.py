"""The values of a JSON text that holds one or several, one after the other.

In: bytes. Out: documents, as from YAML. Rule: a key that stands twice in an object is an error at its line, as in YAML.
"""

import json
import re
from collections.abc import Iterator
from json import scanner
from json.decoder import JSONObject  # type: ignore[attr-defined]  # the stubs leave it out
from typing import NoReturn

from nqosd.api.text import visible
from nqosd.informers.manifests.yaml_documents import DEEPEST, MOST_VALUES, YamlDocument
from nqosd.informers.manifests.yaml_scalars import EXCERPT, LONGEST_NUMBER, TextError

_STRING = r'"(?:[^"\\]|\\.)*"'
_TOKEN = re.compile(rf"{_STRING}|[{{}}\[\]:]")
_NO_NUMBER = re.compile(rf"{_STRING}|(?P<it>NaN|-?Infinity|[-\d.eE+]{{{LONGEST_NUMBER + 1},}})")


def json_documents(text: bytes) -> Iterator[YamlDocument]:
    """Give the documents one by one.

    Raises:
        TextError: the text isn't JSON from here on.
    """
    if sum(map(text.count, (b",", b"[", b"{"))) > MOST_VALUES:  # some may stand in texts, which are rarely so many
        raise TextError(f"more than {MOST_VALUES} keys and values; split it into several files")
    try:
        source = text.decode("utf-8-sig")
        decoder = _Decoder()
        position, number = _after_space(source, 0), 0
        while position < len(source):
            number += 1
            content, end = decoder.raw_decode(source, position)
            yield YamlDocument(number, source.count("\n", 0, position) + 1, content)
            position = _after_space(source, end)
    except _NumberError as error:
        found = next(match for match in _NO_NUMBER.finditer(source, position) if match["it"])
        raise TextError(str(error), source.count("\n", 0, found.start()) + 1) from error
    except UnicodeDecodeError as error:
        raise TextError(f"not JSON: {error.reason}", text.count(b"\n", 0, error.start) + 1) from error
    except json.JSONDecodeError as error:
        raise TextError(f"not JSON: {error.msg}", error.lineno) from error
    except RecursionError as error:
        raise TextError(f"more than {DEEPEST} lists and objects within each other; no object needs so many") from error


def _after_space(source: str, position: int) -> int:
    while position < len(source) and source[position].isspace():
        position += 1
    return position


class _Decoder(json.JSONDecoder):
    """Python's decoder, where the one in Python code: that in C would hold all threads up for a whole document."""

    def __init__(self) -> None:
        super().__init__(object_pairs_hook=_once, parse_int=_int, parse_float=_float, parse_constant=_constant)
        self.parse_object = self._object
        self.scan_once = scanner.py_make_scanner(self)  # type: ignore[attr-defined]  # the same

    @staticmethod
    def _object(begin: tuple[str, int], *arguments: object) -> object:
        try:
            return JSONObject(begin, *arguments)
        except _TwiceError as error:
            source, start = begin
            line = source.count("\n", 0, _second(source, start, error.key)) + 1
            first = source.count("\n", 0, start) + 1
            shown = visible(error.key[:EXCERPT])
            raise TextError(f"the key {shown} stands twice in the map that begins at line {first}", line) from error


class _NumberError(Exception):
    """A number isn't usable."""


class _TwiceError(Exception):
    """A key stands twice in an object."""

    def __init__(self, key: str) -> None:
        super().__init__(key)
        self.key = key


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found: dict[str, object] = {}
    for key, value in pairs:
        if key in found:
            raise _TwiceError(key)
        found[key] = value
    return found


def _second(source: str, start: int, wanted: str) -> int:
    """Find a key for the second time in the object whose content begins at a position."""
    depth, seen, text, at = 0, 0, "", start
    for token in _TOKEN.finditer(source, start):
        match token[0]:
            case "{" | "[":
                depth += 1
            case "}" | "]":
                depth -= 1
            case ":" if depth == 0:
                seen += text == wanted
                if seen > 1:
                    break
            case string if depth == 0 and string != ":":
                text, at = json.loads(string), token.start()
    return at


def _int(digits: str) -> int:
    return int(_usable(digits))


def _float(digits: str) -> float:
    return float(_usable(digits))


def _usable(digits: str) -> str:
    if len(digits) > LONGEST_NUMBER:
        raise _NumberError(f"{digits[:EXCERPT]}… is a number of {len(digits)} digits; if it is a text, quote it")
    return digits


def _constant(name: str) -> NoReturn:
    raise _NumberError(f"{name} is no number in JSON; if it is a text, quote it")
