"""A list/watch server of one resource in memory, that can fail in the middle of anything.

It is a fake because a real API server can't be made to fail at every line of every answer, thousands of times. What it
answers was measured on a real one (1.36): pages are snapshots, a watch of a version that was compacted away gets
status 200 and an ERROR event 410, an expired token gets status 410, a removed definition first deletes its objects and
ends the watches, then gets 404.
"""

from collections.abc import Mapping

import attrs

from tests.informers import wire

OK, GONE, MISSING = 200, 410, 404


@attrs.frozen
class Answer:
    """A status and a body."""

    status: int
    body: bytes = b""


@attrs.define
class FakeWatch:
    """A stream: the lines of its first part that were not read yet, and where it is in the log."""

    lines: list[bytes]
    version: int


class FakeServer:
    """Networks by name with a version, and the log of all events that were not compacted away."""

    def __init__(self) -> None:
        self.version = 10
        self.networks: dict[str, tuple[int, str]] = {}
        self.installed = True
        self.can_stream_lists = True
        self._log: list[tuple[int, bytes]] = []
        self._compacted = 0
        self._snapshots: dict[str, tuple[int, list[tuple[str, int, str]]]] = {}
        self.back_up()

    def put(self, name: str, color: str) -> None:
        """Create or change a network; a removed definition is installed first."""
        if not self.installed:
            self.installed = True
            self.compact()  # a new definition's watches know no older version
        kind = "MODIFIED" if name in self.networks else "ADDED"
        self.version += 1
        self.networks[name] = (self.version, color)
        self._log.append((self.version, wire.event(kind, wire.network(name, self.version, color))))

    def delete(self, name: str) -> None:
        """Delete a network if it is there."""
        if name in self.networks:
            _, color = self.networks.pop(name)
            self.version += 1
            self._log.append((self.version, wire.event("DELETED", wire.network(name, self.version, color))))

    def note_something_else(self) -> None:
        """Let something of another resource change: the version moves on."""
        self.version += 1

    def uninstall(self) -> None:
        """Remove the definition, with its objects."""
        for name in list(self.networks):
            self.delete(name)
        self.installed = False

    def compact(self) -> None:
        """Forget all events and snapshots."""
        self._log.clear()
        self._snapshots.clear()
        self._compacted = self.version

    def back_up(self) -> None:
        """Keep what is there now."""
        self._backup = self.version, dict(self.networks), self.installed

    def restore(self) -> None:
        """Restart with what was kept last: versions go back, and nobody is told what was lost."""
        self.version, networks, self.installed = self._backup
        self.networks = dict(networks)
        self.compact()

    def get_page(self, query: Mapping[str, str]) -> Answer:
        """Answer a request for a page."""
        if not self.installed:
            return Answer(MISSING, b"404 page not found")
        token = query.get("continue", "")
        if token and token not in self._snapshots:
            return Answer(GONE, wire.refusal(GONE, "token expired"))
        everything = [(name, version, color) for name, (version, color) in sorted(self.networks.items())]
        version, items = self._snapshots.get(token, (self.version, everything))
        limit = int(query["limit"])
        more = ""
        if len(items) > limit:
            more = f"{version}-{items[limit][0]}"
            self._snapshots[more] = (version, items[limit:])
        shown = [wire.network(*item) for item in items[:limit]]
        return Answer(OK, wire.page(shown, version, more, len(items) - limit))

    def get_stream(self, query: Mapping[str, str]) -> FakeWatch | Answer:
        """Answer a request for a stream."""
        if not self.installed:
            return Answer(MISSING, b"404 page not found")
        if "sendInitialEvents" not in query:
            return FakeWatch([], int(query["resourceVersion"]))
        if not self.can_stream_lists:
            return Answer(422, wire.refusal(422, "sendInitialEvents is forbidden"))
        first = [wire.event("ADDED", wire.network(name, *item)) for name, item in self.networks.items()]
        return FakeWatch([*first, wire.bookmark(self.version, end=True)], self.version)

    def read(self, watch: FakeWatch, number: int) -> list[bytes]:
        """Give at most so many lines of a stream that are there now."""
        if not watch.lines:
            if watch.version < self._compacted:
                return [wire.error(GONE, "too old resource version")]
            watch.lines = [line for version, line in self._log if version > watch.version]
            watch.version = self.version
        lines, watch.lines = watch.lines[:number], watch.lines[number:]
        return lines

    def bookmark(self, watch: FakeWatch) -> list[bytes]:
        """Give a bookmark: how far the stream has been read."""
        return [] if watch.lines else [wire.bookmark(watch.version)]
