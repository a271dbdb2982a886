"""`make demo` shows what it says."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

STEPS = ("no policy yet", "cp nqos.yaml", "rm manifests")
MOST_LINES = 40


@pytest.mark.services
@pytest.mark.timeout(600)
def test_the_demo(tmp_path: Path) -> None:
    """Line rate without a mark, the limit and the mark in both headers, line rate again; and all of it recorded."""
    recording = tmp_path / "demo.svg"
    done = subprocess.run(
        [sys.executable, "-m", "tools.demo"], env={**os.environ, "RECORD": str(recording), "NO_COLOR": "1"},
        capture_output=True, text=True, timeout=580, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    text = done.stdout
    assert len(text.splitlines()) <= MOST_LINES
    before, under, after = (text[text.index(step) :] for step in STEPS)
    assert "tos 0x0 inside, tos 0x0 outside Geneve" in before.partition(STEPS[1])[0]
    assert "wins default/qos-external rule 0: DSCP 20, 20000 kbps" in under
    assert "Northbound: as desired" in under
    assert "tos 0x50 inside, tos 0x50 outside Geneve" in under.partition(STEPS[2])[0]
    assert "default/qos-external  0     ovn-stream  ovn-worker" in under
    assert "tos 0x0 inside, tos 0x0 outside Geneve" in after
    assert "Mbit/s" in recording.read_text()
    assert "@font-face" not in recording.read_text()
