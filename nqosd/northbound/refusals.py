"""Rows, sets and switches that can't be written as they are: left alone for a while, then tried again.

In: who is to blame for a transaction that was refused, in the server's words. Out: what a plan leaves out, and when to
try again. The rules: the back-off doubles with each refusal, from 1 s up to 5 min, and ends with the connection, since
another server, or another schema, may accept what was refused; an object that changed is new; one round tries few
objects again, however many were refused, so that they delay nothing else.
"""

from collections import Counter
from collections.abc import Iterable, Mapping

import msgspec
import structlog
from msgspec.structs import replace

from nqosd.northbound.plan.operations import Subject, describe, kind_of

FIRST_DELAY = 1.0
LAST_DELAY = 300.0
AT_ONCE = 8
"""How many objects a round tries again; each one that is refused once more costs a transaction."""

log = structlog.get_logger(__name__)


class _Refusal(msgspec.Struct, frozen=True):
    """Why an object was refused, how often in a row, and when it may be tried again."""

    words: str
    times: int
    until: float
    is_answered: bool


class Refusals:
    """What was refused, by object; times are in seconds of whatever clock the caller uses."""

    def __init__(self) -> None:
        self._known: dict[Subject, _Refusal] = {}
        self._trying: set[Subject] = set()

    @property
    def words(self) -> Mapping[Subject, str]:
        """Every object that was refused and not accepted since, with the server's words."""
        return {subject: refusal.words for subject, refusal in self._known.items()}

    @property
    def counts(self) -> Mapping[str, int]:
        """The number of these objects by kind."""
        return Counter(map(kind_of, self._known)) if self._known else {}

    @property
    def next_try(self) -> float | None:
        """When the next object may be tried again; None if there is none."""
        return min((refusal.until for refusal in self._known.values()), default=None)

    def add(self, subject: Subject, words: str, now: float, *, is_answered: bool = True) -> None:
        """Leave an object alone from now on; not `is_answered`: the server never said why."""
        before = self._known.get(subject)
        times = before.times + 1 if before is not None else 1
        delay = min(FIRST_DELAY * 2.0 ** min(times - 1, 16), LAST_DELAY)
        self._known[subject] = _Refusal(words, times, now + delay, is_answered)
        self._trying.discard(subject)
        log.warning("northbound: blocked", object=describe(subject), reason=words, again_in=delay)

    @property
    def left_out(self) -> Mapping[Subject, str]:
        """What may not be tried in this round, with the server's words."""
        return {subject: words for subject, words in self.words.items() if subject not in self._trying}

    def begin(self, now: float) -> list[Subject]:
        """Begin a round; return what is tried again in it: those that have waited longest."""
        due = [subject for subject, refusal in self._known.items() if refusal.until <= now]
        found = sorted(due, key=lambda subject: self._known[subject].until)[:AT_ONCE]
        self._trying = set(found)
        return found

    def accepted(self) -> None:
        """Note that the round is over; what was tried again in it, and not refused, was accepted."""
        self.forget(self._trying)
        self._trying = set()

    def hasten(self, now: float) -> None:
        """Let everything be tried again at once, but for what may have ended the connection."""
        for subject, refusal in self._known.items():
            if refusal.is_answered:
                self._known[subject] = replace(refusal, until=min(refusal.until, now))

    def forget(self, subjects: Iterable[Subject]) -> list[Subject]:
        """Treat objects as new, because they changed or were accepted; return those that were refused before."""
        found = [subject for subject in subjects if self._known.pop(subject, None) is not None]
        for subject in found:
            log.info("northbound: not blocked any more", object=describe(subject))
        return found

    def __bool__(self) -> bool:
        return bool(self._known)
