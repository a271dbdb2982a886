"""Patience: for how long a policy that waits for zones isn't said to, and for how long it may yet be soon.

In: what is known of one policy, and the moment. Out: yes or no. Pure; all moments are monotonic, in seconds.
"""

from nqosd.status.conditions import READY
from nqosd.status.zone_state import Entry

LONG = 60.0
"""Seconds after which a zone that is waited for may never come: its node may have no daemon."""
GRACE = 2.0
"""Seconds for which a policy's new generation isn't said to wait for a zone: most have reported by then."""
HOLD = 45.0
"""Seconds after the start for which zones aren't said to be behind that may only not have renewed their reports yet."""


def is_awaited_soon(entry: Entry | None, now: float) -> bool:
    """Say whether a policy hasn't waited for long."""
    return entry is not None and now - entry.since < LONG


def may_say_behind(entry: Entry, now: float) -> bool:
    """Say whether zones have had the time to report; a status that is about this generation may wait for longer."""
    age = now - entry.since
    policy = entry.standing.policy
    ready = next((each for each in policy.status.conditions if each.type == READY), None)
    if entry.is_bound and ready is not None and ready.observed_generation == policy.generation:
        return age >= HOLD
    return age >= GRACE
