"""Events are for news; what is no news gives none."""

import pytest

from nqosd.api.networkqos import Condition
from nqosd.status.condition_changes import ACTIONS, repaired, transition
from nqosd.status.conditions import ConditionReason


def stands(reason: ConditionReason, generation: int = 1, message: str = "m") -> Condition:
    """Give a condition with a reason and the status that goes with it."""
    status = "True" if reason in (ConditionReason.APPLIED, ConditionReason.NO_SOURCE_PODS) else "False"
    return Condition("Ready-In-Zone-z", status, reason.value, message, generation, "2026-11-24T00:00:00Z")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (None, stands(ConditionReason.APPLIED)),
        (stands(ConditionReason.NO_SOURCE_PODS), stands(ConditionReason.APPLIED)),
        (stands(ConditionReason.APPLIED), stands(ConditionReason.APPLIED, 2)),
        (stands(ConditionReason.INVALID), stands(ConditionReason.APPLIED, 2)),
        (stands(ConditionReason.WAITING_FOR_SWITCH), stands(ConditionReason.APPLIED)),
        (stands(ConditionReason.INVALID), stands(ConditionReason.NO_SOURCE_PODS, 2)),
        (None, stands(ConditionReason.INVALID)),
        (stands(ConditionReason.APPLIED), stands(ConditionReason.INVALID, 2)),
        (stands(ConditionReason.INVALID), stands(ConditionReason.INVALID, 2)),
        (stands(ConditionReason.APPLIED), stands(ConditionReason.WAITING_FOR_SWITCH)),
        (stands(ConditionReason.WAITING_FOR_SWITCH), stands(ConditionReason.BLOCKED)),
    ],
)
def test_news(old: Condition | None, new: Condition) -> None:
    """The first application, a new generation, a failure, another failure and a mended one are news."""
    note = transition(old, new)
    assert note is not None
    assert (note.reason, note.text) == (new.reason, new.message)
    assert note.warning == (new.status == "False")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (stands(ConditionReason.APPLIED), stands(ConditionReason.APPLIED, message="other networks")),
        (
            stands(ConditionReason.WAITING_FOR_SWITCH),
            stands(ConditionReason.WAITING_FOR_SWITCH, message="another switch"),
        ),
        (None, stands(ConditionReason.NO_SOURCE_PODS)),
        (stands(ConditionReason.NO_SOURCE_PODS), stands(ConditionReason.NO_SOURCE_PODS, 2)),
        (stands(ConditionReason.APPLIED), stands(ConditionReason.NO_SOURCE_PODS)),
    ],
)
def test_no_news(old: Condition | None, new: Condition) -> None:
    """Another message, and that no pod is selected, are no news."""
    assert transition(old, new) is None


def test_each_reason_has_an_action() -> None:
    """No condition can be without an action for its Event."""
    assert set(ACTIONS) == set(ConditionReason)


def test_a_repair_is_a_warning() -> None:
    """A repair names what was changed."""
    note = repaired("QoS row of rule 0 on switch blue_node-1")
    assert note.warning
    assert note.reason == "Repaired"
    assert "rule 0 on switch blue_node-1" in note.text
