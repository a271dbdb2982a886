"""`docs/faults.md`: every fault that it names has its test, and every test of a fault its line."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "faults.md"
NAMED = re.compile(r"`(tests/[a-z_/]+\.py)::(test_\w+)`")
OF_FAULTS = (
    "test_api_server",
    "test_database",
    "test_schemas",
    "test_members",
    "test_daemon",
    "test_silence",
    "test_answers",
    "test_restored",
    "test_port",
    "test_signals",
    "test_manifests",
    "test_out_of_touch",
    "test_other_hands",
    "test_edits_by_hand",
    "test_ownership",
    "test_moving_over",
    "test_old_controller",
    "test_failover",
    "test_zones",
    "test_rights",
    "test_other_definition",
    "test_hearing",
)
WITHOUT_A_FAULT = {
    "test_a_running_daemon_converges_and_then_writes_nothing",
    "test_a_standby_is_ready_and_says_what_it_is",
    "test_a_status_that_is_settled_is_not_written_again",
    "test_a_zone_hears_of_its_pods_and_their_peers_and_has_the_same_rows",
}


def test_every_test_that_the_page_names_is_there() -> None:
    """Each path leads to a file with a test of that name."""
    named = NAMED.findall(PAGE.read_text())
    assert len(named) > 30
    missing = [f"{file}::{test}" for file, test in named if not re.search(rf"def {test}\(", (ROOT / file).read_text())]
    assert missing == []


def test_every_test_of_a_fault_has_a_line() -> None:
    """None is left out."""
    named = {test for _file, test in NAMED.findall(PAGE.read_text())}
    tests = {
        test
        for name in OF_FAULTS
        for test in re.findall(r"def (test_\w+)\(", (ROOT / f"tests/faults/{name}.py").read_text())
    }
    assert tests - named == WITHOUT_A_FAULT


def test_every_file_of_faults_is_looked_at() -> None:
    """A new file of tests counts, unless it tests the page or a fake."""
    files = {each.stem for each in (ROOT / "tests/faults").glob("test_*.py")}
    assert files - set(OF_FAULTS) == {"test_page", "test_fake_old_controller"}
