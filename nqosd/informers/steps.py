"""What a reflector is told at the start, asks for and gives back: options, actions, and the steps it takes.

Rule: these are values; what they lead to is decided in `reflector` and carried out in `api_server`.
"""

from collections.abc import Mapping
from typing import TypeAlias

import attrs

from nqosd.informers.changes import Change
from nqosd.informers.transitions import Outcome, Phase


@attrs.frozen
class ReflectorOptions:
    """Sizes and times; all times are in seconds."""

    page_size: int = 500
    watch_time: float = 300.0
    """How long the server is asked to keep a stream; up to a fifth more, so that streams don't end together."""
    silence: float = 150.0
    """How long a stream may be silent: a server sends a bookmark each minute or two (measured on 1.36)."""
    initial_time: float = 60.0
    """How long a streamed list may take until it is complete."""
    streaming_retry: float = 3600.0
    """How long lists are paged after a server couldn't stream one."""
    absence: float = 30.0
    """How often a CustomResourceDefinition that isn't installed is looked for."""


@attrs.frozen
class Wait:
    """Pause for so many seconds, then call `waited`."""

    seconds: float


@attrs.frozen
class GetPage:
    """GET the resource with this query and report the whole answer."""

    query: Mapping[str, str]


@attrs.frozen
class GetStream:
    """GET the resource with this query and report lines as they arrive, as long as the reflector is `streaming`."""

    query: Mapping[str, str]


Action: TypeAlias = Wait | GetPage | GetStream


@attrs.frozen
class Move:
    """The reflector went on: what happened in which phase, and how long it pauses now.

    `failures` counts failures in a row. `seconds` is the time since the list was begun. `synced` is true for the one
    move with which all objects had been told for the first time.
    """

    phase: Phase
    outcome: Outcome
    detail: str
    pause: float
    failures: int
    seconds: float
    synced: bool


@attrs.frozen
class Step:
    """What follows from a report: changes, moves, what was skipped, and how many events (bookmarks too) arrived."""

    changes: list[Change] = attrs.field(factory=list)
    moves: list[Move] = attrs.field(factory=list)
    undecodable: list[str] = attrs.field(factory=list)
    events: int = 0
