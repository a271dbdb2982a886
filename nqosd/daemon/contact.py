"""What this daemon knows of Kubernetes: whether it hears of every change, and up to which resource versions.

In: what the informers report. Out: for how long it has been out of touch and why; whether it may write after another
writer; whether it should give the lock up. Rule: who is out of touch writes nothing over what a daemon with newer
knowledge wrote, however long that takes, and who is in touch always may, since a restored etcd counts backwards.
"""

import time
from collections.abc import Callable, Mapping

import msgspec

from nqosd.api.changes import ResourceKind
from nqosd.northbound.replica.writer_record import WriterRecord

NOTICED = 8.0
"""Seconds within which the informers notice a server that doesn't answer, unless they say otherwise."""
GRACE = 1.5
"""Seconds out of touch that are no fault: a watch that was cut is answered again within them."""
PATIENCE = 30.0
"""Seconds in touch, besides, for which changes that wait until pods are listed keep from writing after another writer:
lists are done by then, unless somebody changes what they need again and again. Only what waits may be older then."""
LONGEST = 20.0
"""Seconds at most between two attempts to find another daemon for the lock."""


class _Loss(msgspec.Struct, frozen=True):
    """Since when a kind is out of touch, in monotonic seconds, and why."""

    since: float
    reason: str


class Contact:
    """One for each daemon; `wake` is called when a round is needed because of what was reported.

    `waits_since` says when the first change was heard that waits until what it needs has been listed, if any does.
    """

    def __init__(
        self,
        wake: Callable[[], None],
        clock: Callable[[], float] = time.monotonic,
        *,
        waits_since: Callable[[], float | None] = lambda: None,
    ) -> None:
        self._wake = wake
        self._waits_since = waits_since
        self._clock = clock
        self._lost: dict[ResourceKind, _Loss] = {}
        self._in_touch_since = clock()
        self._yields = 0
        self._yielded = 0.0
        self.versions: Callable[[], Mapping[ResourceKind, str]] = dict
        """Gives the resource version of each kind up to which all changes were told; nothing without an API server."""
        self.reached: Callable[[], str] = lambda: self.versions().get(ResourceKind.NETWORK_QOS, "")
        """Gives the resource version up to which all policies were told, but for those that the inbox holds."""
        self.noticed = NOTICED
        """Seconds in touch that prove it: a server that doesn't answer would have been noticed."""

    def in_touch(self, kind: ResourceKind, *, is_in_touch: bool, reason: str = "") -> None:
        """Take whether every change of a kind is heard; if not, why."""
        if not is_in_touch:
            before = self._lost.get(kind)
            self._lost[kind] = _Loss(self._clock() if before is None else before.since, reason)
            if before is None:
                self._wake()
        elif kind in self._lost:
            del self._lost[kind]
            if not self._lost:
                self._in_touch_since = self._clock()
                self._yields = 0
            self._wake()

    @property
    def seconds(self) -> float:
        """For how long changes may have gone unheard; 0 while in touch."""
        now = self._clock()
        return now - min((each.since for each in self._lost.values()), default=now)

    @property
    def problem(self) -> str:
        """Say for how long it has been out of touch, with which kinds and why; nothing while that is no fault."""
        return self.state if self.seconds >= GRACE else ""

    def refusal(self, known: Mapping[str, str], process: str, before: WriterRecord, held_since: float) -> str:
        """Say why this process, which knows these versions, may write nothing after the writer before; or nothing.

        The lock is held since that moment.
        """
        ahead = before.ahead_of(known)
        if not known or before.process == process or (before.versions and not ahead):
            return ""
        proven = max(held_since, self._in_touch_since) + self.noticed
        waits_since = self._waits_since()
        patience = 0.0 if waits_since is None or waits_since > proven else PATIENCE
        if not self._lost and self._clock() >= proven + patience:
            return ""
        who = f"{before.host}, process {before.process}" if before.process else "somebody who left no record"
        state = self.state or "catching up with the API server"
        newer = f", and knew more ({'; '.join(ahead)})" if ahead else ""
        return f"{state}; the rows were written by {who}{newer}"

    def yields_at(self, after: float) -> float | None:
        """Return when the lock should be given up, in monotonic seconds; None while in touch.

        First when it has been out of touch for so long; nobody knows whether another daemon waits, so it is tried
        again, with pauses that double.
        """
        if not self._lost:
            return None
        since = min(each.since for each in self._lost.values())
        pause = min(after * 2 ** (self._yields - 1), max(after, LONGEST)) if self._yields else 0.0
        return max(since + after, self._yielded + pause)

    def yielded(self) -> None:
        """Note that the lock was given up."""
        self._yields = min(self._yields + 1, 16)
        self._yielded = self._clock()

    @property
    def state(self) -> str:
        """Say for how long it has been out of touch, with which kinds and why; nothing in touch."""
        if not self._lost:
            return ""
        by_reason: dict[str, list[str]] = {}
        for kind, loss in sorted(self._lost.items()):
            by_reason.setdefault(loss.reason, []).append(kind.value)
        kinds = "; ".join(f"{', '.join(kinds)}{f': {reason}' if reason else ''}" for reason, kinds in by_reason.items())
        return f"out of touch with the API server for {self.seconds:.0f} s ({kinds})"
