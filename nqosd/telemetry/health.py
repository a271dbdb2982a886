"""Whether the daemon lives, and whether it does its work: what /healthz, /readyz and the watchdog say.

In: what the parts report about themselves. Out: reasons, each a sentence; no reasons means all is well. Rule: unhealthy
is only what a restart would mend (a task that has ended, a round that never ends); what is awaited from outside, such
as an API server, makes the daemon not ready, never unhealthy.
"""

import asyncio
import time
from collections.abc import Callable, Mapping
from enum import StrEnum

import msgspec

STUCK_AFTER = 120.0
"""Seconds after which a round that hasn't ended counts as stuck, beside the time that its transaction may take."""


class LockRole(StrEnum):
    """What this daemon is among those that share its lock."""

    UNKNOWN = "unknown"
    ACTIVE = "active"
    STANDBY = "standby"


class Readiness(msgspec.Struct, frozen=True):
    """`waiting_for` gives, for each part that is not there yet, the reason; `notes` what else people should know."""

    role: LockRole
    waiting_for: Mapping[str, str]
    notes: Mapping[str, str] = {}

    @property
    def ready(self) -> bool:
        """Say whether nothing is awaited; a standby with a warm cache is ready."""
        return not self.waiting_for


class Health:
    """One instance for the daemon; all calls come from the event loop."""

    def __init__(self, *, stuck_after: float = STUCK_AFTER, clock: Callable[[], float] = time.monotonic) -> None:
        self._stuck_after = stuck_after
        self._clock = clock
        self._tasks: dict[str, asyncio.Task[object]] = {}
        self._round_began: float | None = None
        self._waiting_for: dict[str, str] = {}
        self._questions: list[Callable[[], str | None]] = []
        self.transaction_timeout = 0.0
        """Seconds that a round may wait for an answer of the database."""
        self._awaited: dict[str, Callable[[], str]] = {}
        self._notes: dict[str, str] = {}
        self.role = LockRole.UNKNOWN

    def supervise(self, name: str, task: asyncio.Task[object]) -> None:
        """Count a task as one that must never end."""
        self._tasks[name] = task

    def ask(self, question: Callable[[], str | None]) -> None:
        """Ask this each time; an answer other than None is a reason for a restart."""
        self._questions.append(question)

    def round_began(self) -> None:
        """Note that a round has begun."""
        self._round_began = self._clock()

    def round_ended(self) -> None:
        """Note that the round has ended, in whatever way."""
        self._round_began = None

    def wait_for(self, part: str, reason: str) -> None:
        """Note that a part isn't there (yet, or any more)."""
        self._waiting_for[part] = reason

    def has(self, part: str) -> None:
        """Note that a part is there."""
        self._waiting_for.pop(part, None)

    def note(self, part: str, text: str) -> None:
        """Note what people should know of a part without which rows are written all the same; nothing: all is well."""
        self._notes[part] = text

    def await_part(self, part: str, reason: Callable[[], str]) -> None:
        """Ask, whenever readiness is asked for, why a part isn't there; it says nothing while it is."""
        self._awaited[part] = reason

    def problems(self) -> tuple[str, ...]:
        """Give the reasons why the daemon should be restarted."""
        found = [f"the task {name} has ended{_why(task)}" for name, task in self._tasks.items() if task.done()]
        if self._round_began is not None:
            seconds = self._clock() - self._round_began
            if seconds > self._stuck_after + self.transaction_timeout:
                found.append(f"a round has been running for {seconds:.0f} seconds")
        found += [answer for question in self._questions if (answer := question()) is not None]
        return tuple(found)

    def readiness(self) -> Readiness:
        """Say whether the daemon does its work, or could at once."""
        unhealthy = {"health": "; ".join(problems)} if (problems := self.problems()) else {}
        asked = {part: found for part, reason in self._awaited.items() if (found := reason())}
        notes = {part: text for part, text in self._notes.items() if text}
        return Readiness(self.role, unhealthy | self._waiting_for | asked, notes)


def _why(task: asyncio.Task[object]) -> str:
    if task.cancelled():
        return ": cancelled"
    error = task.exception()
    return f": {type(error).__name__}: {error}" if error else ""
