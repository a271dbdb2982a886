"""The documents of a YAML text, as the values that JSON has.

In: bytes. Out: for each document its number, line and content. Rules: it is YAML as Kubernetes reads it (keys are
texts, no key twice, `<<` merges); time and memory grow with the length of the text, whatever it holds, since what
aliases stand for is counted as if it were written out.
"""

from collections.abc import Iterator

import msgspec
import yaml

from nqosd.api.text import visible
from nqosd.informers.manifests.yaml_scalars import (
    EXCERPT,
    LIST,
    MAP,
    MERGE,
    ScalarLoader,
    TextError,
    foreign,
    key_text,
    scalar,
)

DEEPEST = 100
"""Collections within each other."""
MOST_ALIASED = 1 << 20
"""Characters and values of a document that its aliases stand for, all together."""
MOST_VALUES = 1_000_000
"""Keys and values of a document: to forget them holds up all threads, 40 ms for so many."""


class YamlDocument(msgspec.Struct, frozen=True):
    """One document; `line` is where its content begins."""

    number: int
    line: int
    content: object


def yaml_documents(text: bytes) -> Iterator[YamlDocument]:
    """Give the documents one by one; an empty one has the content None.

    Raises:
        TextError: the text isn't YAML from here on, or says what JSON can't.
    """
    loader = None
    try:
        loader = _Loader(text)
        number = 0
        while not isinstance(event := loader.get_event(), yaml.StreamEndEvent):
            if isinstance(event, yaml.DocumentStartEvent):
                number += 1
                yield _Builder(loader).build(number)
    except yaml.MarkedYAMLError as error:
        # the end of a file that breaks off counts as a line of its own
        line = min(error.problem_mark.line + 1, len(text.splitlines())) if error.problem_mark else 0
        said = ", ".join(part for part in (error.context, error.problem) if part)
        raise TextError(f"not YAML: {said}", line) from error
    except yaml.reader.ReaderError as error:
        line = text.count(b"\n", 0, error.position) + 1
        raise TextError(f"not YAML: {error.reason}: #x{error.character:04x}", line) from error
    finally:
        if loader is not None:
            loader.dispose()


class _Loader(ScalarLoader):
    """Parses, and knows what scalars are."""

    def read(self) -> tuple[yaml.Event, int]:
        """Give the next event, and the line at which it begins."""
        event = self.get_event()
        if event is None or event.start_mark is None:
            raise TextError("it ends where more is to come")
        return event, event.start_mark.line + 1


class _Open(msgspec.Struct):
    """A collection whose end hasn't come; `began` is how much had been read before it."""

    line: int
    anchor: str | None
    began: int
    items: list[object] = []
    fields: dict[str, object] | None = None
    key: str | None = None
    awaits_value: bool = False
    merges: list[object] = []


class _Builder:
    """Puts the events of one document together, without recursion."""

    def __init__(self, loader: _Loader) -> None:
        self._loader = loader
        self._open: list[_Open] = []
        self._anchors: dict[str, tuple[object, int]] = {}
        self._read = 0
        self._values = 0
        self._aliased = 0

    def build(self, number: int) -> YamlDocument:
        """Read a document to its end."""
        event, line = self._loader.read()
        first = line
        while True:
            self._values += 1
            if self._values > MOST_VALUES:
                raise TextError(f"more than {MOST_VALUES} keys and values; split it into several documents", line)
            if isinstance(event, yaml.CollectionStartEvent):
                self._begin(event, line)
            else:
                value = self._value(event, line)
                if not self._open:
                    return YamlDocument(number, first, value)
                self._add(self._open[-1], value, line)
            event, line = self._loader.read()

    def _begin(self, event: yaml.CollectionStartEvent, line: int) -> None:
        if len(self._open) >= DEEPEST:
            raise TextError(f"more than {DEEPEST} lists and maps within each other; no object needs so many", line)
        is_map = isinstance(event, yaml.MappingStartEvent)
        if event.tag not in (None, "!", MAP if is_map else LIST):
            raise foreign(str(event.tag), line)
        self._open.append(_Open(line, event.anchor, self._read, fields={} if is_map else None))
        self._read += 1

    def _value(self, event: yaml.Event, line: int) -> object:
        """Give the value that is complete with this event."""
        if isinstance(event, yaml.AliasEvent):
            return self._alias(event.anchor or "", line)
        if isinstance(event, yaml.ScalarEvent):
            began = self._read
            self._read += 1 + len(event.value)
            value, anchor = self._scalar(event, line), event.anchor
        else:
            closed = self._open.pop()
            value, anchor, began = _closed(closed), closed.anchor, closed.began
        if anchor is not None:
            self._anchors[anchor] = (value, self._read - began)
        return value

    def _alias(self, anchor: str, line: int) -> object:
        shown = visible(anchor[:EXCERPT])
        if anchor not in self._anchors:
            raise TextError(f"*{shown}: no anchor &{shown} with a complete value stands before it", line)
        value, size = self._anchors[anchor]
        self._read += size
        self._aliased += size
        if self._aliased > MOST_ALIASED:
            message = f"*{shown}: the aliases of this document stand for more than {MOST_ALIASED} characters"
            raise TextError(f"{message}; write out what is meant, in several files", line)
        return value

    def _scalar(self, event: yaml.ScalarEvent, line: int) -> object:
        tag = self._loader.tag_of(event)
        if tag == MERGE and event.tag is None:
            return _MERGING if self._awaits_key() else event.value
        return scalar(self._loader, tag, event.value, line)

    def _awaits_key(self) -> bool:
        return bool(self._open) and self._open[-1].fields is not None and not self._open[-1].awaits_value

    def _add(self, collection: _Open, value: object, line: int) -> None:
        if collection.fields is None:
            collection.items.append(value)
        elif not collection.awaits_value:
            collection.key, collection.awaits_value = None if value is _MERGING else key_text(value, line), True
            if collection.key is not None and collection.key in collection.fields:
                shown = visible(collection.key[:EXCERPT])
                raise TextError(f"the key {shown} stands twice in the map that begins at line {collection.line}", line)
        else:
            collection.awaits_value = False
            if collection.key is None:
                collection.merges += _merged(value, line)
            else:
                collection.fields[collection.key] = value


_MERGING = object()


def _closed(collection: _Open) -> object:
    """Give the value of a collection; what a map says itself goes before what it merges, and earlier ones first."""
    if collection.fields is None:
        return collection.items
    for each in collection.merges:
        if isinstance(each, dict):
            for key, value in each.items():
                collection.fields.setdefault(key, value)
    return collection.fields


def _merged(value: object, line: int) -> list[object]:
    values = value if isinstance(value, list) else [value]
    if not all(isinstance(each, dict) for each in values):
        raise TextError("<< merges a map, or a list of maps, and this is neither", line)
    return values
