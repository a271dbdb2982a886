"""What a reflector does next, as one table: how far it is, what happened, where it goes, whether it pauses first.

```
              ┌───────────── anchored anew (start, 410, error, 404, behind, differs, or a list is due) ◄──┐
              ▼                                                                                           │
        STREAMED_LIST ──all told──────────────────────────────► WATCH ──ended, broken, silent, refused──┐ │
              │                                                 ▲  ▲ ◄──────────────────────────────────┘ │
              └─not supported, or never finished──► PAGED_LIST ─┘  └──ended without a word──► COUNT ──────┘
```

A list can be streamed (WatchList: a watch that begins with every object and says where they end) or paged (LIST with
`limit` and `continue`). Streaming is preferred: the server needn't hold the list. A count is a LIST of one object: it
says how many there are and what the newest resource version is.

Rule: everything that decides where a reflector goes lives in this table, but for one thing: a watch that would go on
becomes a list when one is due (`trust`), and a count when it is time for one.
"""

from collections.abc import Mapping
from enum import Enum, StrEnum, auto


class Phase(StrEnum):
    """What a reflector asks for when it doesn't pause."""

    STREAMED_LIST = "streamed list"
    PAGED_LIST = "paged list"
    WATCH = "watch"
    COUNT = "count"


class RequestOutcome(StrEnum):
    """What came of a request; the values are what logs and metrics show."""

    PAGE = "page"
    """A page that isn't the last one."""
    COMPLETE = "complete"
    """The last page, the bookmark that ends a streamed list, or a count that agrees."""
    ENDED = "ended"
    """The server ended a watch in its time."""
    EARLY = "ended early"
    """The server ended a stream before its time: it restarts, or somebody else ended it."""
    BROKEN = "broken"
    """A stream broke, or what came isn't a watch event of that kind."""
    SILENT = "silent"
    """A stream didn't end in its time: server or line hang."""
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
    WRONG = "wrong answer"
    """Status 200, but not what was asked for."""
    DOUBTED = "doubted"
    """A list or a 404 by which so much would vanish that only a second one is believed."""
    BEHIND = "behind"
    """A resource version older than one that was seen: the server's store was restored from a backup."""
    DIFFERS = "differs"
    """Another number of objects than were told."""


class NextPhase(Enum):
    """Where to go next; ANCHOR begins a list anew, streamed if the server can, and the others keep their place."""

    ANCHOR = auto()
    PAGED_LIST = auto()
    SAME = auto()
    WATCH = auto()


class Pause(Enum):
    """How long to wait first."""

    NONE = auto()
    BACK_OFF = auto()
    """By the failures since the server last gave an object, a bookmark or a page, or a watch lived for a while."""
    BEFORE_LIST = auto()
    """By the lists begun anew since a watch last lived: a list is dear, and a server that answers well but lets every
    watch expire must not be asked for one over and over."""
    ABSENCE = auto()
    """Until it is time to look for a CustomResourceDefinition again."""
    CONFIRM = auto()
    """Some seconds, until a second list says whether the first one was right."""


_ANCHOR_LATER = (NextPhase.ANCHOR, Pause.BEFORE_LIST)
_AGAIN_LATER = (NextPhase.SAME, Pause.BACK_OFF)
_BY_PAGES = (NextPhase.PAGED_LIST, Pause.BACK_OFF)

_RESUME_LATER = (NextPhase.WATCH, Pause.BACK_OFF)
_CONFIRM = (NextPhase.ANCHOR, Pause.CONFIRM)
_LOOK_AGAIN = (NextPhase.ANCHOR, Pause.ABSENCE)

TRANSITIONS: Mapping[tuple[Phase, RequestOutcome], tuple[NextPhase, Pause]] = {
    (Phase.STREAMED_LIST, RequestOutcome.COMPLETE): (NextPhase.WATCH, Pause.NONE),
    (Phase.STREAMED_LIST, RequestOutcome.EARLY): _BY_PAGES,
    (Phase.STREAMED_LIST, RequestOutcome.BROKEN): _BY_PAGES,
    (Phase.STREAMED_LIST, RequestOutcome.SILENT): _BY_PAGES,
    (Phase.STREAMED_LIST, RequestOutcome.UNREACHABLE): _AGAIN_LATER,
    (Phase.STREAMED_LIST, RequestOutcome.REFUSED): _AGAIN_LATER,
    (Phase.STREAMED_LIST, RequestOutcome.UNSUPPORTED): _BY_PAGES,
    (Phase.STREAMED_LIST, RequestOutcome.ERROR): _BY_PAGES,
    (Phase.STREAMED_LIST, RequestOutcome.EXPIRED): _ANCHOR_LATER,
    (Phase.STREAMED_LIST, RequestOutcome.MISSING): _LOOK_AGAIN,
    (Phase.STREAMED_LIST, RequestOutcome.DOUBTED): _CONFIRM,
    (Phase.PAGED_LIST, RequestOutcome.PAGE): (NextPhase.SAME, Pause.NONE),
    (Phase.PAGED_LIST, RequestOutcome.COMPLETE): (NextPhase.WATCH, Pause.NONE),
    (Phase.PAGED_LIST, RequestOutcome.UNREACHABLE): _AGAIN_LATER,
    (Phase.PAGED_LIST, RequestOutcome.REFUSED): _AGAIN_LATER,
    (Phase.PAGED_LIST, RequestOutcome.WRONG): _ANCHOR_LATER,
    (Phase.PAGED_LIST, RequestOutcome.UNSUPPORTED): _ANCHOR_LATER,
    (Phase.PAGED_LIST, RequestOutcome.EXPIRED): _ANCHOR_LATER,
    (Phase.PAGED_LIST, RequestOutcome.MISSING): _LOOK_AGAIN,
    (Phase.PAGED_LIST, RequestOutcome.DOUBTED): _CONFIRM,
    (Phase.WATCH, RequestOutcome.ENDED): (NextPhase.SAME, Pause.NONE),
    (Phase.WATCH, RequestOutcome.EARLY): _AGAIN_LATER,
    (Phase.WATCH, RequestOutcome.BROKEN): _AGAIN_LATER,
    (Phase.WATCH, RequestOutcome.SILENT): _AGAIN_LATER,
    (Phase.WATCH, RequestOutcome.UNREACHABLE): _AGAIN_LATER,
    (Phase.WATCH, RequestOutcome.REFUSED): _AGAIN_LATER,
    (Phase.WATCH, RequestOutcome.UNSUPPORTED): _ANCHOR_LATER,
    (Phase.WATCH, RequestOutcome.ERROR): _ANCHOR_LATER,
    (Phase.WATCH, RequestOutcome.EXPIRED): _ANCHOR_LATER,
    (Phase.WATCH, RequestOutcome.BEHIND): _ANCHOR_LATER,
    (Phase.WATCH, RequestOutcome.MISSING): _LOOK_AGAIN,
    (Phase.WATCH, RequestOutcome.DOUBTED): _CONFIRM,
    (Phase.COUNT, RequestOutcome.COMPLETE): (NextPhase.WATCH, Pause.NONE),
    (Phase.COUNT, RequestOutcome.UNREACHABLE): _RESUME_LATER,
    (Phase.COUNT, RequestOutcome.REFUSED): _RESUME_LATER,
    (Phase.COUNT, RequestOutcome.WRONG): _RESUME_LATER,
    (Phase.COUNT, RequestOutcome.UNSUPPORTED): _ANCHOR_LATER,
    (Phase.COUNT, RequestOutcome.EXPIRED): _ANCHOR_LATER,
    (Phase.COUNT, RequestOutcome.BEHIND): _ANCHOR_LATER,
    (Phase.COUNT, RequestOutcome.DIFFERS): _ANCHOR_LATER,
    (Phase.COUNT, RequestOutcome.MISSING): _LOOK_AGAIN,
    (Phase.COUNT, RequestOutcome.DOUBTED): _CONFIRM,
}

_EVERYDAY = {RequestOutcome.PAGE, RequestOutcome.COMPLETE, RequestOutcome.ENDED, RequestOutcome.MISSING}
_CANT_STREAM = {(Phase.STREAMED_LIST, RequestOutcome.UNSUPPORTED), (Phase.STREAMED_LIST, RequestOutcome.ERROR)}
FAULTS = {each for each in TRANSITIONS if each[1] not in _EVERYDAY} - _CANT_STREAM
"""What may have hidden a change: until a list has shown that it didn't, the kind is out of touch."""
