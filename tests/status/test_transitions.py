"""Events are for news; what is no news gives none."""

import pytest

from nqosd.api.networkqos import Condition
from nqosd.status.conditions import Reason
from nqosd.status.transitions import ACTIONS, repaired, transition


def stands(reason: Reason, generation: int = 1, message: str = "m") -> Condition:
    """Give a condition with a reason and the status that goes with it."""
    status = "True" if reason in (Reason.APPLIED, Reason.NO_SOURCE_PODS) else "False"
    return Condition("Ready-In-Zone-z", status, reason.value, message, generation, "2026-11-24T00:00:00Z")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (None, stands(Reason.APPLIED)),
        (stands(Reason.NO_SOURCE_PODS), stands(Reason.APPLIED)),
        (stands(Reason.APPLIED), stands(Reason.APPLIED, 2)),
        (stands(Reason.INVALID), stands(Reason.APPLIED, 2)),
        (stands(Reason.WAITING_FOR_SWITCH), stands(Reason.APPLIED)),
        (stands(Reason.INVALID), stands(Reason.NO_SOURCE_PODS, 2)),
        (None, stands(Reason.INVALID)),
        (stands(Reason.APPLIED), stands(Reason.INVALID, 2)),
        (stands(Reason.INVALID), stands(Reason.INVALID, 2)),
        (stands(Reason.APPLIED), stands(Reason.WAITING_FOR_SWITCH)),
        (stands(Reason.WAITING_FOR_SWITCH), stands(Reason.BLOCKED)),
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
        (stands(Reason.APPLIED), stands(Reason.APPLIED, message="other networks")),
        (stands(Reason.WAITING_FOR_SWITCH), stands(Reason.WAITING_FOR_SWITCH, message="another switch")),
        (None, stands(Reason.NO_SOURCE_PODS)),
        (stands(Reason.NO_SOURCE_PODS), stands(Reason.NO_SOURCE_PODS, 2)),
        (stands(Reason.APPLIED), stands(Reason.NO_SOURCE_PODS)),
    ],
)
def test_no_news(old: Condition | None, new: Condition) -> None:
    """Another message, and that no pod is selected, are no news."""
    assert transition(old, new) is None


def test_each_reason_has_an_action() -> None:
    """No condition can be without an action for its Event."""
    assert set(ACTIONS) == set(Reason)


def test_a_repair_is_a_warning() -> None:
    """A repair names what was changed."""
    note = repaired("QoS row of rule 0 on switch blue_node-1")
    assert note.warning
    assert note.reason == "Repaired"
    assert "rule 0 on switch blue_node-1" in note.text
