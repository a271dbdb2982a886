"""What a daemon that wants to write says of itself, and whether it may.

In: for each round who wants to write and why it may not after another writer; the records in the database. Out: a
reason, or nothing. Rule: the claim is heard each time that the lock was won, before anything is written; once it is
granted it holds until the lock is lost.
"""

from collections.abc import Callable

import msgspec

from nqosd.northbound.replica.replica import Replica
from nqosd.northbound.replica.writer_record import WriterRecord
from nqosd.ovsdb import schema


def _none(_record: WriterRecord, _held_since: float) -> str:
    return ""


class WriterClaim(msgspec.Struct, frozen=True):
    """The record that is left beside what is written, and whether anything may be written at all."""

    record: WriterRecord | None = None
    refusal: Callable[[WriterRecord, float], str] = _none
    """Gives the reason why nothing may be written after the writer of a record, or nothing.

    The second argument says when the lock was won, in monotonic seconds.
    """


NO_CLAIM = WriterClaim()


class Permit:
    """Whether the claim of the lock's holder was granted."""

    def __init__(self, replica: Replica, owner: str) -> None:
        self._replica = replica
        self._owner = owner
        self._is_granted = False
        self._held_since: float | None = None

    def forget(self) -> None:
        """Note that the lock was lost: somebody else may have written."""
        self._is_granted = False
        self._held_since = None

    def withheld(self, claim: WriterClaim, now: float) -> str:
        """Say why the holder of the lock may not write; where there is nothing of ours, nobody knew more."""
        if self._is_granted:
            return ""
        if self._held_since is None:
            self._held_since = now
        found = self._replica.writers()
        before = [each for each in found if each.owner == self._owner]
        if not before and sum(self._replica.size[table] for table in schema.OWNED) > len(found):
            before = [WriterRecord(self._owner)]
        reason = next(filter(None, (claim.refusal(each, self._held_since) for each in before)), "")
        self._is_granted = not reason
        return reason
