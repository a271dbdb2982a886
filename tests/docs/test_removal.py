"""The commands that take rows away, from the pages on deployment and on moving over, do exactly that."""

from pathlib import Path

import pytest

from tests.checkout import ROOT
from tests.docs.conftest import OpenShell
from tests.docs.console import Shell, Step, blocks

SWITCHES = ("ovn.stream_ovn-worker", "ovn.stream_ovn-worker2")
OLD = "k8s.ovn.org/owner-type"


def loop_of(page: str) -> str:
    """Find the block of a page that removes rows."""
    (block,) = [block for _, block in blocks(ROOT / "docs" / page, "sh") if "qos_rules" in block]
    return block


@pytest.fixture
def shell(open_shell: OpenShell) -> Shell:
    """Give a database with the guide's rows, and with one row, set and group of ovn-kubernetes' controller."""
    shell = open_shell("ovn-nbctl")
    for switch in SWITCHES:
        run(shell, f"ovn-nbctl ls-add {switch}")
    run(shell, "nqosd compile --format nbctl docs/examples/guide > rows.sh && sh -e rows.sh")
    old = f"'external_ids:\"{OLD}\"=NetworkQoS'"
    row = f"create QoS priority=10100 direction=to-lport match='\"ip4\"' action:dscp=9 {old}"
    run(shell, f"ovn-nbctl -- --id=@row {row} -- add Logical_Switch {SWITCHES[0]} qos_rules @row")
    run(shell, f"ovn-nbctl create Address_Set name=old {old}")
    run(shell, f"ovn-nbctl create Port_Group name=old {old}")
    assert (count(shell, "QoS"), count(shell, "Address_Set")) == (3, 3)
    return shell


def run(shell: Shell, command: str) -> str:
    """Run a command that must not fail."""
    printed = shell.run(Step(0, f"set -e; {command} || echo FAILED", ()))
    assert "FAILED" not in printed, printed
    return printed


def count(shell: Shell, table: str) -> int:
    """Count the rows of a table."""
    return len(run(shell, f"ovn-nbctl --bare --columns=_uuid list {table}").split())


def test_all_of_nqosd_can_be_removed(shell: Shell) -> None:
    """The commands of the page on deployment remove all rows and sets of nqosd, and nothing of anybody else."""
    assert run(shell, loop_of("deployment.md").strip()) == ""
    assert (count(shell, "QoS"), count(shell, "Address_Set"), count(shell, "Port_Group")) == (1, 1, 1)
    assert OLD in run(shell, "ovn-nbctl list QoS")


def test_all_of_the_old_controller_can_be_removed(shell: Shell) -> None:
    """The commands of the page on moving over remove all that is of ovn-kubernetes' controller, and leave nqosd's."""
    assert run(shell, loop_of("migration.md").strip()) == ""
    assert (count(shell, "QoS"), count(shell, "Address_Set"), count(shell, "Port_Group")) == (2, 2, 0)
    assert OLD not in run(shell, "ovn-nbctl list QoS")


def test_the_shell_is_of_a_folder_of_its_own(shell: Shell, tmp_path: Path) -> None:
    """Commands of pages leave nothing in the checkout."""
    assert Path(run(shell, "pwd").strip()) == tmp_path
