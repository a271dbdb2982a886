"""Other nqosd daemons that write to the same database, as far as their records tell.

In: the records of writers, and whose daemon this is. Out: in words, who else writes our rows, or holds our lock for
other rows. Pure. The rule: a record stays when its writer ends, so it accuses nobody by itself: these are asked only
when something is undone, or while the lock is out of reach.
"""

from collections.abc import Iterable

from nqosd.northbound.replica.writer_record import WriterRecord

_UNKNOWN = (
    "look for another nqosd with the same daemon.instance and another northbound.lock, or for a script; "
    "daemons of one instance need the same lock and settings, others a daemon.instance of their own"
)


def other_writer(records: Iterable[WriterRecord], mine: WriterRecord | None) -> str:
    """Say who undoes what is written: a daemon of the same instance with another lock, or somebody unknown."""
    for each in records:
        if mine is not None and each.owner == mine.owner and each.lock != mine.lock:
            return (
                f"nqosd at {each.host} (process {each.process}) has the same daemon.instance {each.owner!r} and "
                f"northbound.lock {each.lock!r}, here it is {mine.lock!r}: give both the same lock and settings, "
                "or each a daemon.instance of its own"
            )
    return _UNKNOWN


def other_holder(records: Iterable[WriterRecord], owner: str, lock: str) -> str:
    """Say which other instance holds a lock that is out of reach; one that knew less than our own writer doesn't."""
    candidates = [each for each in records if each.lock == lock]
    mine = [each for each in candidates if each.owner == owner]
    for each in candidates:
        if each.owner != owner and all(each.ahead_of(own.versions) for own in mine):
            return (
                f"the instance {each.owner!r} (nqosd at {each.host}, process {each.process}) uses the same "
                f"northbound.lock {lock!r}, so while it holds the lock nothing of {owner!r} is written: "
                "give each instance a lock of its own"
            )
    return ""
