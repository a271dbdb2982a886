"""Which changes of a condition a person wants to hear of, and in what words.

In: a policy's condition as it was and as it is now. Out: a `Note` for an Event, or None. Pure. Rule: pods that come and
go are no news; the same news is told once for each generation of a policy.
"""

import msgspec

from nqosd.api.networkqos import Condition
from nqosd.status.conditions import TRUE, ConditionReason


class Note(msgspec.Struct, frozen=True):
    """What an Event says: a CamelCase reason and action, and a sentence; `warning` tells its type."""

    reason: str
    action: str
    text: str
    warning: bool = False


ACTIONS = {
    ConditionReason.APPLIED: "Apply",
    ConditionReason.NO_SOURCE_PODS: "Apply",
    ConditionReason.INVALID: "Validate",
    ConditionReason.TOO_LARGE: "Validate",
    ConditionReason.TOO_MANY_TIES: "Rank",
    ConditionReason.WAITING_FOR_SWITCH: "Wait",
    ConditionReason.BLOCKED: "Apply",
    ConditionReason.WAITING_FOR_ZONE: "Wait",
    ConditionReason.ZONE_SILENT: "Wait",
}


def transition(old: Condition | None, new: Condition) -> Note | None:
    """Say what is news in `new`, the condition over all zones; `old` is None where there was none yet.

    A policy in order is news when it is applied for the first time, in a new generation, or after a failure; that it
    selects no pod is news only after a failure, and that a zone is waited for is none.
    """
    reason = ConditionReason(new.reason)
    is_news = (
        old is None
        or old.status != new.status
        or old.observed_generation != new.observed_generation
        or old.reason != new.reason
    )
    mended = old is not None and old.status != TRUE
    if (
        not is_news
        or reason is ConditionReason.WAITING_FOR_ZONE
        or (reason is ConditionReason.NO_SOURCE_PODS and not mended)
    ):
        return None
    return Note(new.reason, ACTIONS[reason], new.message, warning=new.status != TRUE)


def repaired(what: str) -> Note:
    """Say that somebody else had changed or removed rows of this daemon, and that they are as they were.

    `what` names the rows.
    """
    text = f"Changed in the Northbound database by another hand, and restored: {what}"
    return Note("Repaired", "Repair", text, warning=True)


def claimed(what: str) -> Note:
    """Say that addresses of a pod don't count, since an older pod of another namespace has them; `what` names both."""
    text = f"NetworkQoS doesn't count addresses that another namespace's pod has: {what}"
    return Note("AddressClaimed", "Compile", text, warning=True)
