"""What a reflector does next, as one table: how far it is, what happened, where it goes, whether it pauses first.

```
              ┌────────── anchored anew (start, 410, error, 404, silence from the first byte) ◄─────────┐
              ▼                                                                                         │
        STREAMED_LIST ──all told──────────────────────────────────► WATCH ──ended, broken, refused──┐   │
              │                                                     ▲  ▲ ◄──────────────────────────┘   │
              └─not supported, or never finished──► PAGED_LIST ─────┘  └──────────────► error, 410 ─────┘
```

A list can be streamed (WatchList: a watch that begins with every object and says where they end) or paged (LIST with
`limit` and `continue`). Streaming is preferred: the server needn't hold the list, and it goes on as the watch.

Rule: everything that decides where a reflector goes lives in this table.
"""

from collections.abc import Mapping
from enum import Enum, StrEnum, auto


class Phase(StrEnum):
    """What a reflector asks for when it doesn't pause."""

    STREAMED_LIST = "streamed list"
    PAGED_LIST = "paged list"
    WATCH = "watch"


class Outcome(StrEnum):
    """What came of a request; the values are what logs and metrics show."""

    PAGE = "page"
    """A page that isn't the last one."""
    COMPLETE = "complete"
    """The last page, or the bookmark that ends the first part of a streamed list."""
    ENDED = "ended"
    """The server ended a stream properly."""
    BROKEN = "broken"
    """A stream broke, or what came isn't a watch event."""
    SILENT = "silent"
    """Something came, but then nothing for too long."""
    MUTE = "mute"
    """Nothing came at all, not even the bookmark that a server sends each minute or two.

    Either the connection never worked, or the server is behind us: an etcd restored from a backup counts on from an
    older resource version and has nothing to say to a watch of a newer one.
    """
    UNREACHABLE = "unreachable"
    """No answer."""
    REFUSED = "refused"
    """An answer that may be another one later: 401, 403, 429, 5xx."""
    UNSUPPORTED = "unsupported"
    """An answer that blames the request: 400, 422."""
    ERROR = "error"
    """An ERROR event in a stream that isn't about its resource version."""
    EXPIRED = "expired"
    """The resource version or the continue token is too old: 410."""
    MISSING = "missing"
    """The resource's CustomResourceDefinition isn't installed."""


class Target(Enum):
    """Where to go next; ANCHOR begins a list anew, streamed if the server can, and the others keep their place."""

    ANCHOR = auto()
    PAGED_LIST = auto()
    SAME = auto()
    WATCH = auto()


class Pause(Enum):
    """How long to wait first."""

    NONE = auto()
    BACK_OFF = auto()
    """By the failures since the server last gave an object, a bookmark or a page."""
    UNLESS_LIVED = auto()
    """As BACK_OFF, if the stream was short; else not at all."""
    BEFORE_LIST = auto()
    """By the lists begun anew since a watch last lived: a list is dear, and a server that answers well but lets every
    watch expire must not be asked for one over and over."""
    ABSENCE = auto()
    """Until it is time to look for a CustomResourceDefinition again."""


_ANCHOR_LATER = (Target.ANCHOR, Pause.BEFORE_LIST)
_AGAIN_LATER = (Target.SAME, Pause.BACK_OFF)
_BY_PAGES = (Target.PAGED_LIST, Pause.BACK_OFF)

TRANSITIONS: Mapping[tuple[Phase, Outcome], tuple[Target, Pause]] = {
    (Phase.STREAMED_LIST, Outcome.COMPLETE): (Target.WATCH, Pause.NONE),
    (Phase.STREAMED_LIST, Outcome.ENDED): _BY_PAGES,
    (Phase.STREAMED_LIST, Outcome.BROKEN): _BY_PAGES,
    (Phase.STREAMED_LIST, Outcome.SILENT): _BY_PAGES,
    (Phase.STREAMED_LIST, Outcome.MUTE): _BY_PAGES,
    (Phase.STREAMED_LIST, Outcome.UNREACHABLE): _AGAIN_LATER,
    (Phase.STREAMED_LIST, Outcome.REFUSED): _AGAIN_LATER,
    (Phase.STREAMED_LIST, Outcome.UNSUPPORTED): _BY_PAGES,
    (Phase.STREAMED_LIST, Outcome.ERROR): _BY_PAGES,
    (Phase.STREAMED_LIST, Outcome.EXPIRED): _ANCHOR_LATER,
    (Phase.STREAMED_LIST, Outcome.MISSING): (Target.ANCHOR, Pause.ABSENCE),
    (Phase.PAGED_LIST, Outcome.PAGE): (Target.SAME, Pause.NONE),
    (Phase.PAGED_LIST, Outcome.COMPLETE): (Target.WATCH, Pause.NONE),
    (Phase.PAGED_LIST, Outcome.UNREACHABLE): _AGAIN_LATER,
    (Phase.PAGED_LIST, Outcome.REFUSED): _AGAIN_LATER,
    (Phase.PAGED_LIST, Outcome.UNSUPPORTED): _ANCHOR_LATER,
    (Phase.PAGED_LIST, Outcome.EXPIRED): _ANCHOR_LATER,
    (Phase.PAGED_LIST, Outcome.MISSING): (Target.ANCHOR, Pause.ABSENCE),
    (Phase.WATCH, Outcome.ENDED): (Target.SAME, Pause.UNLESS_LIVED),
    (Phase.WATCH, Outcome.BROKEN): _AGAIN_LATER,
    (Phase.WATCH, Outcome.SILENT): _AGAIN_LATER,
    (Phase.WATCH, Outcome.MUTE): _ANCHOR_LATER,
    (Phase.WATCH, Outcome.UNREACHABLE): _AGAIN_LATER,
    (Phase.WATCH, Outcome.REFUSED): _AGAIN_LATER,
    (Phase.WATCH, Outcome.UNSUPPORTED): _ANCHOR_LATER,
    (Phase.WATCH, Outcome.ERROR): _ANCHOR_LATER,
    (Phase.WATCH, Outcome.EXPIRED): _ANCHOR_LATER,
    (Phase.WATCH, Outcome.MISSING): (Target.ANCHOR, Pause.ABSENCE),
}
