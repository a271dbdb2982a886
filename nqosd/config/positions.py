"""Where a key stands in a TOML text, for messages; the standard library's parser doesn't say.

In: a text. Out: the line, counted from 1, of each table header and each key, under its full path; and how many parts a
key has. Rule: a text that it doesn't follow gives fewer lines, never a wrong value and never an error.
"""

import contextlib
import re
import tomllib
from collections.abc import Callable, Iterator

import msgspec

Path = tuple[str, ...]

_TOKENS = re.compile(
    r"""
      (?P<string> \"{3} (?:\\.|[^\\])*? \"{3}(?!\") | '{3} .*? '{3}(?!') | " (?:\\.|[^"\\\n])* " | '[^'\n]*' )
    | (?P<mark>   [\[\]{}=,.\n] )
    | (?P<bare>   [^\s\[\]{}=,."'#]+ )
    | (?P<skip>   \#[^\n]* | [ \t\r]+ )
    """,
    re.VERBOSE | re.DOTALL,
)


class _Token(msgspec.Struct, frozen=True):
    text: str
    line: int


class _ScanError(Exception):
    """The text is not what the scanner expected; what it has found so far stands."""


def find(text: str) -> dict[Path, int]:
    """Give the line of every table and key; the line of a table of an array is that of its last header."""
    scanner = _Scanner(list(_tokens(text)))
    with contextlib.suppress(_ScanError, IndexError, RecursionError):
        scanner.document()
    return scanner.lines


def dotted(text: str) -> Iterator[tuple[int, int]]:
    """Give, for each word between two other marks, its line and the number of its parts between dots."""
    parts = 1
    for token in _tokens(text):
        if token.text == ".":
            parts += 1
        elif token.text in "[]{}=,\n":
            yield token.line, parts
            parts = 1


def _tokens(text: str) -> Iterator[_Token]:
    line = 1
    for match in _TOKENS.finditer(text):
        if match.lastgroup != "skip":
            yield _Token(match.group(), line)
        line += match.group().count("\n")
    yield _Token("\n", line)


class _Scanner:
    """A recursive descent over tokens; the end of the text shows as an IndexError."""

    def __init__(self, tokens: list[_Token]) -> None:
        self.tokens = tokens
        self.at = 0
        self.lines: dict[Path, int] = {}

    def document(self) -> None:
        table: Path = ()
        while self.at < len(self.tokens):
            if self._take("\n"):
                continue
            if self._take("["):
                double = self._take("[")
                table = self._key(())
                self._expect("]")
                if double:
                    self._expect("]")
            else:
                self._pair(table)
            self._expect("\n")

    def _pair(self, table: Path) -> None:
        path = self._key(table)
        self._expect("=")
        self._value(path)

    def _key(self, table: Path) -> Path:
        """Read a key of dotted parts and note the line of each path that it opens."""
        path = table
        while True:
            token = self._next()
            path = (*path, _plain(token.text))
            if self._take("."):
                self.lines.setdefault(path, token.line)
            else:
                self.lines[path] = token.line
                return path

    def _value(self, path: Path) -> None:
        if self._take("{"):
            self._until("}", lambda: self._pair(path))
        elif self._take("["):
            self._until("]", lambda: self._value(path))
        else:
            self._next()
            while self._take(".") or self._bare():  # 1.5 and 1979-05-27 07:32:00 are several tokens
                pass

    def _until(self, end: str, item: Callable[[], None]) -> None:
        while not self._take(end):
            if not (self._take(",") or self._take("\n")):
                item()

    def _bare(self) -> bool:
        if self.tokens[self.at].text[0] in "[]{}=,.\n\"'":
            return False
        self.at += 1
        return True

    def _next(self) -> _Token:
        token = self.tokens[self.at]
        self.at += 1
        return token

    def _take(self, text: str) -> bool:
        if self.tokens[self.at].text != text:
            return False
        self.at += 1
        return True

    def _expect(self, text: str) -> None:
        if not self._take(text):
            raise _ScanError


def _plain(key: str) -> str:
    """Give the name that a quoted key stands for."""
    if key[0] not in "\"'":
        return key
    try:
        return str(tomllib.loads(f"key = {key}")["key"])
    except tomllib.TOMLDecodeError as error:
        raise _ScanError from error
