"""Rows and sets that somebody else changes again as soon as they are written.

In: what was repaired, and when. Out: what a plan leaves alone for now, and why. The rule: ten repairs in a row are made
at once, so that a person with ovn-nbctl, or a script that ran once, meets no delay; from then on each one waits twice
as long as the one before, from 1 s up to 5 min. Such a repair counts when it has lasted for 10 s, so that nobody is
told that all is well between two changes of the other. An object that nobody touches for longer than its delay is
forgotten, and so is one that is desired differently.
"""

from collections.abc import Callable, Iterable, Mapping
from collections.abc import Set as AbstractSet

import msgspec
import structlog

from nqosd.northbound.plan.operations import Subject, describe

AT_ONCE = 10
SOON = 10.0
"""Seconds; a change that comes later has nothing to do with the repair before it."""
LASTING = 10.0
"""Seconds that a delayed repair has to stand before the object counts as well."""
FIRST_DELAY = 1.0
LAST_DELAY = 300.0
_NAMED = 5
"""How many objects a log line names."""

log = structlog.get_logger(__name__)


class _Contest(msgspec.Struct, frozen=True):
    """How often in a row an object was repaired, and when it was written last."""

    times: int
    written: float

    @property
    def delay(self) -> float:
        """How long the next repair has to wait."""
        return 0.0 if self.times < AT_ONCE else min(FIRST_DELAY * 2.0 ** min(self.times - AT_ONCE, 16), LAST_DELAY)

    @property
    def due(self) -> float:
        """When the object may be written again."""
        return self.written + self.delay


class Contested:
    """What others fight for, by object; times are in seconds of whatever clock the caller uses."""

    def __init__(self) -> None:
        self._known: dict[Subject, _Contest] = {}
        self._held: dict[Subject, str] = {}
        self._watched: dict[Subject, float] = {}
        """What was repaired once more, with the moment at which that has lasted."""

    def wrote(self, subjects: AbstractSet[Subject], repaired: AbstractSet[Subject], now: float) -> None:
        """Take what was written; a contest begins with an object that was repaired."""
        for subject in [each for each, contest in self._known.items() if now > contest.due + max(SOON, contest.delay)]:
            del self._known[subject]
        for subject in subjects:
            before = self._known.get(subject)
            if before is not None or subject in repaired:
                contest = self._known[subject] = _Contest(before.times + 1 if before is not None else 1, now)
                if contest.times > AT_ONCE:
                    self._watched[subject] = now + LASTING

    def hold(self, subjects: Iterable[Subject], now: float, cause_of: Callable[[], str]) -> Mapping[Subject, str]:
        """Return which of these objects, which differ from what is desired, have to wait, and why."""
        found = {each: self._known[each] for each in subjects if each in self._known and now < self._known[each].due}
        if not found:
            return {}
        cause = cause_of()
        words = {
            subject: f"somebody else changes it again as soon as it is written ({contest.times} times so far): {cause}"
            for subject, contest in found.items()
        }
        if new := sorted(describe(each) for each in words if each not in self._held):
            log.warning(
                "northbound: somebody else writes the same objects, so they are repaired ever more slowly",
                objects="; ".join(new[:_NAMED]) + (f"; and {len(new) - _NAMED} more" if len(new) > _NAMED else ""),
                again_in=max(contest.delay for contest in found.values()),
                cause=cause,
            )
        self._held |= words
        for subject in words:
            self._watched.pop(subject, None)
        return words

    def due(self, now: float) -> list[Subject]:
        """Return what had to wait and may be written again; it doesn't count as held any more."""
        found = [each for each in self._held if each not in self._known or self._known[each].due <= now]
        for subject in found:
            del self._held[subject]
        self._watched = {subject: moment for subject, moment in self._watched.items() if moment > now}
        return found

    def forget(self, subjects: Iterable[Subject]) -> None:
        """Treat objects as new, because they are desired differently."""
        for subject in subjects:
            self._known.pop(subject, None)
            self._held.pop(subject, None)
            self._watched.pop(subject, None)

    def __bool__(self) -> bool:
        return bool(self._known or self._held or self._watched)

    @property
    def words(self) -> Mapping[Subject, str]:
        """Everything that has to wait, or has to last, with why."""
        lasting = f"somebody else changed it again as soon as it was written; it has to last for {LASTING:g} s"
        return {**dict.fromkeys(self._watched, lasting), **self._held}

    @property
    def next_try(self) -> float | None:
        """When the next object may be written again or has lasted; None if nothing waits."""
        waiting = (self._known[each].due for each in self._held if each in self._known)
        return min((*waiting, *self._watched.values()), default=None)
