"""What a reflector is told at the start, asks for and gives back: options, actions, and the steps it takes.

Rule: these are values; what they lead to is decided in `reflector` and carried out in `api_server`.
"""

from collections.abc import Mapping
from typing import TypeAlias

import msgspec

from nqosd.api.changes import Change
from nqosd.informers.transitions import Phase, RequestOutcome


class ReflectorOptions(msgspec.Struct, frozen=True):
    """Sizes and times; all times are in seconds."""

    page_size: int = 500
    watch_time: float = 5.0
    """How long the server is asked to keep a watch. Its end in time is the sign that server, line and rights are good;
    the next one goes on where it ended."""
    grace: float = 3.0
    """How much later a watch may end, and how long an answer may be awaited, before changes count as missed."""
    list_time: float = 60.0
    """How long a streamed list may take until it is complete."""
    list_silence: float = 10.0
    """How long it may stall."""
    list_interval: float = 1800.0
    """How often a list is repeated although nothing is known to have been missed; up to a fifth more."""
    streaming_retry: float = 3600.0
    """How long lists are paged after a server couldn't stream one."""
    absence: float = 30.0
    """How often a CustomResourceDefinition that isn't installed is looked for."""


class Wait(msgspec.Struct, frozen=True):
    """Pause for so many seconds, then call `waited`; if the server was `unreachable`, less, as soon as it answers."""

    seconds: float
    unreachable: bool = False


class GetPage(msgspec.Struct, frozen=True):
    """GET the resource with this query and report the whole answer."""

    query: Mapping[str, str]


class GetStream(msgspec.Struct, frozen=True):
    """GET the resource with this query and report lines as they arrive, until a step has a move.

    A stream that hasn't ended `limit` seconds after it began is lost, and so is one that stalls for `silence` seconds.
    """

    query: Mapping[str, str]
    limit: float
    silence: float | None = None


Action: TypeAlias = Wait | GetPage | GetStream


class Move(msgspec.Struct, frozen=True):
    """The reflector went on: what happened in which phase, and how long it pauses now.

    `failures` counts failures in a row. `seconds` is the time since the list was begun, or begun anew. `synced` is true
    for the one move with which all objects had been told for the first time.
    """

    phase: Phase
    outcome: RequestOutcome
    detail: str
    pause: float
    failures: int
    seconds: float
    synced: bool


class Step(msgspec.Struct, frozen=True):
    """What follows from a report: changes, moves, how many events (bookmarks too) arrived, and what were no objects."""

    changes: list[Change] = []
    moves: list[Move] = []
    events: int = 0
    undecodable: int = 0
