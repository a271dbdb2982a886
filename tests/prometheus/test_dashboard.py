"""The dashboard has the form that Grafana's own types ask for, held against them by Grafana's Foundation SDK."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.services.install import golang

DASHBOARD = Path("config/prometheus/dashboard.json")
CURVES = next(
    at for at, panel in enumerate(json.loads(DASHBOARD.read_text())["panels"]) if panel["type"] == "timeseries"
)


def said(file: Path) -> str:
    """Give what the check says of a dashboard."""
    command = [golang.dashboard_check().require() / "bin/dashboard-check", file]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)
    assert bool(done.returncode) == bool(done.stdout), done.stderr
    return done.stdout


def test_the_dashboard_is_as_grafana_has_it() -> None:
    """Every field of the dashboard, its variables, panels, options and queries is known, of its type, and there."""
    assert said(DASHBOARD) == ""


@pytest.mark.parametrize(
    ("spoil", "complaint"),
    [
        (lambda board: board.update(refreshes="30s"), "unexpected field 'refreshes'"),
        (lambda board: board["templating"]["list"][1].update(current={}), "list[1].current.text: required field"),
        (lambda board: board["panels"][CURVES].update(title=3), "title: json: cannot unmarshal number"),
        (lambda board: board["panels"][CURVES]["options"]["legend"].update(place="top"), "unexpected field 'place'"),
        (lambda board: board["panels"][CURVES]["targets"][0].update(expression="1"), "unexpected field 'expression'"),
    ],
)
def test_the_check_notices(tmp_path: Path, spoil: Callable[[Any], None], complaint: str) -> None:
    """A field that is unknown, missing or of another type is named, wherever it stands."""
    board = json.loads(DASHBOARD.read_text())
    spoil(board)
    (tmp_path / "dashboard.json").write_text(json.dumps(board))
    assert complaint in said(tmp_path / "dashboard.json")
