"""Answers of an API server, mutated: whatever comes in place of a page of a list or of lines of a watch.

What must never be: an exception; an object deleted by anything but its DELETED event or its absence from a whole list;
a reflector that doesn't end with the server's objects once the server answers as it should.
"""

import json
from collections import Counter

from nqosd.informers.reflector import Reflector
from nqosd.informers.reflector_steps import GetPage, GetStream, ReflectorOptions, Wait
from tests.informers import wire

NAMES = ("a", "b", "c")
OPTIONS = ReflectorOptions(page_size=2)
TRIES = 60
"""So many requests are more than enough to come into step again, mutated resource versions included."""
PAGE, LINE, REFUSAL = range(3)


class Watches:
    """The first byte of an input says what it stands for: a page, a line or a refusal, and when it comes."""

    def __init__(self) -> None:
        self.seen: Counter[str] = Counter()
        networks = [wire.network(name, place) for place, name in enumerate(NAMES, 3)]
        lines = [
            *(wire.event(kind, networks[1]) for kind in ("ADDED", "MODIFIED", "DELETED")),
            wire.bookmark(12),
            wire.bookmark(12, end=True),
            wire.error(410, "too old", "Expired"),
            wire.error(500, "no", "InternalError", retry_after=3),
        ]
        pages = [wire.page(networks, 12), wire.page(networks[:2], 12, "next", 1), wire.page([], 12)]
        refusals = [wire.refusal(code) for code in (401, 410, 422, 429, 503)]
        self.seeds = [
            bytes([what + 3 * moment]) + text
            for what, texts in ((PAGE, pages), (LINE, lines), (REFUSAL, refusals))
            for text in texts
            for moment in range(3)
        ]

    def take(self, data: bytes) -> None:
        """Give the input in place of an answer, then the truth until the reflector watches."""
        what, moment = (data[0] % 3, data[0] // 3 % 3) if data else (LINE, 0)
        reflector, now = Reflector(wire.NETWORKS, 0.0, OPTIONS, uniform=lambda: 0.5), 1.0
        if what == PAGE or moment == 1:
            reflector.refused(422, wire.refusal(422), now)  # lists are paged from here on
            now = _wait(reflector, now)
        if moment == 2:
            now = _answer(reflector, now)
            if what == PAGE:
                reflector.lines([wire.error(410, "too old", "Expired")], now)
                now = _wait(reflector, now)
        before = set(reflector.objects())
        now = self._lie(reflector, what, data[1:], now, before)
        now = _come_into_step(reflector, now, lists=1)
        reflector.list_again("what was told may have been a lie that nobody can tell", now)
        _come_into_step(reflector, now, lists=reflector.lists + 1)
        if set(reflector.objects()) != {wire.key(name) for name in NAMES}:
            raise AssertionError(f"told {sorted(reflector.objects())} in the end")

    def _lie(self, reflector: Reflector, what: int, text: bytes, now: float, before: set[str]) -> float:
        """Give the input once, if what is asked for can be answered so."""
        action = reflector.action
        if what == REFUSAL:
            step = reflector.refused(503, text, now, retry_after=1e9)
        elif isinstance(action, GetPage):
            step = reflector.page(text, now)
        elif isinstance(action, GetStream):
            step = reflector.lines([text], now)
        else:
            raise AssertionError(f"{action} at the beginning")
        self.seen.update(str(move.outcome.value) for move in step.moves)
        self.seen["events"] += step.events
        if gone := before - set(reflector.objects()):
            _check_deletion(text, gone)
            self.seen["deleted"] += 1
        return now


def _check_deletion(text: bytes, gone: set[str]) -> None:
    """Check that the input says by itself that these objects have gone."""
    said = json.loads(text.decode(errors="replace"))  # nqosd reads past what it doesn't need
    metadata = said.get("metadata") if isinstance(said.get("metadata"), dict) else {}
    kind = f"{wire.NETWORKS.kind}List"
    is_list = said.get("kind") == kind and isinstance(said.get("items"), list) and metadata.get("resourceVersion")
    if not is_list and not (said.get("type") == "DELETED" and len(gone) == 1):
        raise AssertionError(f"{sorted(gone)} deleted")


def _come_into_step(reflector: Reflector, now: float, *, lists: int) -> float:
    """Answer until so many lists are complete, and nothing may have been missed; return the time."""
    for _ in range(TRIES):
        if reflector.lists >= lists and not reflector.doubt:
            return now
        now = _answer(reflector, now) + 10
    raise AssertionError(f"not in step after {TRIES} true answers: {reflector.action}, {reflector.doubt}")


def _answer(reflector: Reflector, now: float) -> float:
    """Answer a request as a server that holds `NAMES` would; a watch tells nothing and ends in time."""
    networks = [wire.network(name, place) for place, name in enumerate(NAMES, 3)]
    action = reflector.action
    if isinstance(action, Wait):
        return _wait(reflector, now)
    if isinstance(action, GetPage):
        reflector.page(wire.page(networks, 20), now)
    elif "sendInitialEvents" in action.query:
        reflector.lines([*(wire.event("ADDED", each) for each in networks), wire.bookmark(20, end=True)], now)
    else:
        now += float(action.query["timeoutSeconds"])
        reflector.ended(now)
    return now


def _wait(reflector: Reflector, now: float) -> float:
    if isinstance(reflector.action, Wait):
        now += reflector.action.seconds
        reflector.waited(now)
    return now
