"""The waits of one reflector, between its requests and between its lists.

In: what happened, and how long a request or stream took. Out: seconds to wait. Rule: a watch that stood for a while has
worked, whatever ended it, and what the server is asked for again and again is asked for ever more rarely.
"""

import math
from collections.abc import Callable

from nqosd.informers.transitions import Pause, Phase, RequestOutcome
from nqosd.runtime.backoff import Backoff

LIVED = 1.0
"""Seconds: a watch that stood longer has worked, even if nothing happened; its end is no failure in a row."""
CONFIRM = 3.0
"""Seconds from a list, or a 404, that is hard to believe to a second one."""
SOON, LOOKS = 5.0, 24
"""Seconds between the first looks for a definition that was there and has gone, and how many these are: two minutes.
An upgrade that replaces definitions deletes them and makes them again, and nobody knows of the objects until then."""

_STOOD = {
    RequestOutcome.ENDED,
    RequestOutcome.EARLY,
    RequestOutcome.BROKEN,
    RequestOutcome.ERROR,
    RequestOutcome.EXPIRED,
    RequestOutcome.BEHIND,
}


class Pacing:
    """The waits of one reflector; requests and lists are counted apart, see `Pause`."""

    def __init__(self, absence: float, uniform: Callable[[], float]) -> None:
        self._absence = absence
        self._uniform = uniform
        self._requests = Backoff(uniform)
        self._lists = Backoff(uniform)
        self._absences = 0
        self._was_there = False

    @property
    def failures(self) -> int:
        """How many failures there were in a row."""
        return max(self._requests.failures, self._lists.failures)

    def answered(self) -> None:
        """Take note that the server gave an object, a bookmark or a page."""
        self._requests.succeeded()
        self._absences = 0
        self._was_there = True

    def after(
        self, phase: Phase, outcome: RequestOutcome, pause: Pause, stood: float, retry_after: float | None
    ) -> float | None:
        """Give the seconds to wait, None for none; `stood` is how long the request or stream took, in seconds."""
        if phase is Phase.WATCH and outcome in _STOOD and stood >= LIVED:
            self._lists.succeeded()
            self._requests.succeeded()
        if outcome in {RequestOutcome.EXPIRED, RequestOutcome.MISSING}:
            self._requests.succeeded()  # the server works
        match pause:
            case Pause.BACK_OFF:
                return self._requests.failed(retry_after)
            case Pause.BEFORE_LIST:
                return self._lists.failed(retry_after)
            case Pause.ABSENCE:
                self._absences += 1
                return min(self._absence, self._until_there()) * (0.9 + 0.2 * self._uniform())
            case Pause.CONFIRM:
                return CONFIRM
            case Pause.NONE:
                return None

    def _until_there(self) -> float:
        """Give the seconds until the next look for a definition that isn't there, unless less is configured."""
        if self._absences == 1:  # a server that has just started may not know of a definition yet
            return CONFIRM
        return SOON if self._was_there and self._absences <= LOOKS else math.inf
