"""What tests of single rounds share."""

import pytest

from nqosd.northbound import idle_groups, timers
from tests.northbound.database import ModelDatabase


@pytest.fixture
def impatience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let another attempt follow a failed one at once, and a port group that was deleted be made again at once."""
    monkeypatch.setattr(timers, "FIRST_RETRY", 0.0)
    monkeypatch.setattr(idle_groups, "PAUSE", 0.0)


@pytest.fixture
def database() -> ModelDatabase:
    """Give a model of a database with two switches."""
    made = ModelDatabase()
    for name in ("node1", "node2"):
        made.add("Logical_Switch", name=name)
    return made
