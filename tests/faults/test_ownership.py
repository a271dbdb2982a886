"""Rows that change hands: from the controller in ovn-kubernetes, from an earlier instance, and to nobody."""

import subprocess
import sys
from collections.abc import Callable, Mapping

import pytest

from nqosd.commands.plan_and_apply import Action
from tests.cli.documents import conforming
from tests.faults.cluster import OF_LEASES
from tests.faults.relay import Way
from tests.faults.site import PROMPT, Site
from tests.services.daemon import Nqosd

OVN_KUBERNETES = "k8s.ovn.org/owner-type"


class Commands:
    """The command `nqosd` with the configuration of an instance at a site."""

    def __init__(self, site: Site, *, instance: str = "nqosd", remote: str = "") -> None:
        self._site = site
        self._daemon = Nqosd(
            [remote or site.nb.unix], kubeconfig=site.cluster.kubeconfig(site.directory / "commands.kubeconfig"),
            name=f"commands-{instance}", directory=site.directory, options=PROMPT,
        )  # fmt: skip
        self._daemon.configure({"daemon": {"instance": instance}})

    def line(self, *arguments: str) -> list[str]:
        """Return the command line."""
        return [sys.executable, "-m", "nqosd", *arguments, "--config", str(self._daemon.config)]

    def run(self, *arguments: str) -> tuple[int, str]:
        """Run a command; returns its exit code and what it said."""
        done = subprocess.run(self.line(*arguments), capture_output=True, text=True, check=False, timeout=90)
        return done.returncode, done.stdout + done.stderr

    def document(self, *arguments: str) -> Action:
        """Run a command; returns what it printed as JSON, which is all that it said."""
        code, said = self.run(*arguments, "-o", "json")
        assert code == 0, said
        found: Action = conforming(arguments[0], said)
        return found


def write_rows_of_ovn_kubernetes(site: Site) -> None:
    """Write what its controller would write for the policy `first`: rows, a set of sources, a set for a selector."""
    mark: dict[str, str] = {
        OVN_KUBERNETES: "NetworkQoS",
        "k8s.ovn.org/owner-controller": "default-network-controller",
        "k8s.ovn.org/name": f"{site.namespace}:first",
    }
    sets = [("a1111111", "src", ["10.244.0.1", "10.244.0.2"]), ("a2222222", "1", ["10.244.0.3"])]
    inserts: list[Mapping[str, object]] = [
        {
            "op": "insert",
            "table": "Address_Set",
            "row": {"name": name, "addresses": ["set", addresses], "external_ids": ids(mark, index)},
        }
        for name, index, addresses in sets
    ]
    uuids = []
    for index, match in enumerate(("ip4.src == {$a1111111}", "ip4.src == {$a1111111} && ip4.dst == {$a2222222}")):
        uuids.append(["named-uuid", f"row{index}"])
        inserts.append(
            {
                "op": "insert",
                "table": "QoS",
                "uuid-name": f"row{index}",
                "row": {
                    "priority": 10000 + 10 * 10 + index,
                    "direction": "to-lport",
                    "match": match,
                    "action": ["map", [["dscp", 20 + index]]],
                    "external_ids": ids(mark, str(index)),
                },
            }
        )
    attach = {
        "op": "mutate",
        "table": "Logical_Switch",
        "where": [["name", "==", "n1"]],
        "mutations": [["qos_rules", "insert", ["set", uuids]]],
    }
    site.nb.transact(*inserts, attach)


def ids(mark: Mapping[str, str], index: str) -> list[object]:
    """Give external_ids in the form of OVSDB."""
    pairs = {**mark, "rule-index": index, "k8s.ovn.org/id": f"{mark['k8s.ovn.org/owner-controller']}:{index}"}
    return ["map", [list(pair) for pair in pairs.items()]]


@pytest.fixture
def theirs(bare_site: Site) -> Site:
    """Give a site with rows of ovn-kubernetes and no daemon; what others have is noted without those rows."""
    bare_site.nb.nbctl("destroy", "Address_Set", "foreign")  # it has their mark too
    bare_site.note_others()
    write_rows_of_ovn_kubernetes(bare_site)
    return bare_site


def test_a_takeover_shows_its_plan_and_does_nothing_unless_told_to(theirs: Site) -> None:
    """Every row to be removed is listed, and the database isn't touched."""
    before = theirs.read().versions
    code, said = Commands(theirs).run("takeover", "--from", "ovn-kubernetes", "--watch", "1")
    assert code == 0, said
    assert said.count("- QoS row of NetworkQoS") == 2
    assert said.count("- Address_Set a") == 2
    assert "+ " in said
    assert "--apply" in said
    action = Commands(theirs).document("takeover", "--from", "ovn-kubernetes", "--watch", "1")
    assert (action["applied"], action["owner"], len(action["rows"])) == (False, "ovn-kubernetes", 4)
    assert sum(action["written"].values()) > 0
    assert "wait" not in action["written"]
    assert theirs.read().versions == before


def test_a_takeover_replaces_all_rows_at_once(theirs: Site) -> None:
    """Theirs are gone, ours are there, others' are untouched, and the daemon that starts then writes nothing."""
    code, said = Commands(theirs).run("takeover", "--from", "ovn-kubernetes", "--watch", "1", "--apply")
    assert code == 0, said
    after = theirs.read()
    assert after.others == theirs.others
    theirs.start_daemon()
    assert theirs.settle().own == after.own
    assert theirs.operations() == 0


def test_a_takeover_refuses_while_ovn_kubernetes_writes(theirs: Site) -> None:
    """A change of one of its rows while they are watched is enough."""
    line = Commands(theirs).line("takeover", "--from", "ovn-kubernetes", "--watch", "8", "--apply")
    with subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as command:
        number = 0
        while command.poll() is None:
            number += 1
            address = f"10.244.{number // 250}.{number % 250}"
            theirs.nb.nbctl("add", "Address_Set", "a1111111", "addresses", address)
        said = command.stdout.read() if command.stdout else ""
    assert command.returncode == 1, said
    assert "still runs" in said
    assert not theirs.read().own.rows


def test_a_takeover_refuses_while_a_daemon_has_the_lock(theirs: Site) -> None:
    """Two that write the same rows would be one too many."""
    theirs.start_daemon()
    code, said = Commands(theirs).run("takeover", "--from", "ovn-kubernetes", "--watch", "1", "--apply")
    assert code == 1
    assert "holds the lock" in said


def while_it_watches(site: Site) -> bool:
    """Wait until it has read the rows for the first time."""
    return site.wire.passed[Way.DOWN] > 20_000


def when_its_transaction_is_lost(site: Site) -> bool:
    """Let nothing through that is as long as a transaction."""
    return site.wire.is_cut(Way.UP)


STEPS: Mapping[str, tuple[Callable[[Site], None], Callable[[Site], bool]]] = {
    "before it has read anything": (lambda site: site.wire.hold(), lambda site: site.wire.taken[Way.UP] > 0),
    "while it watches": (lambda _site: None, while_it_watches),
    "in the middle of its transaction": (lambda site: site.wire.cut_after(Way.UP, 4000), when_its_transaction_is_lost),
    "when its transaction is written": (lambda _site: None, lambda site: bool(site.read().own.rows)),
}


@pytest.mark.parametrize("step", STEPS)
def test_a_takeover_interrupted(theirs: Site, step: str) -> None:
    """Killed there, it leaves all of their rows or all of ours; done again, it ends where it should."""
    site = theirs
    prepare, is_there = STEPS[step]
    untouched = site.read()
    commands = Commands(site, remote=site.wire.remote)
    line = commands.line("takeover", "--from", "ovn-kubernetes", "--watch", "2", "--apply")
    prepare(site)
    with subprocess.Popen(line, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as command:
        while command.poll() is None and not is_there(site):
            pass
        command.kill()
    site.wire.cut()
    site.wire.let_go()
    found = site.read()
    assert (found.own, found.others) == (untouched.own, untouched.others) or found.others == site.others
    code, said = Commands(site).run("takeover", "--from", "ovn-kubernetes", "--watch", "1", "--apply")
    assert code == 0, said
    site.start_daemon()
    site.settle()
    assert site.operations() == 0


def test_an_earlier_instance_is_reported_and_adopted(bare_site: Site) -> None:
    """Its rows are listed under its name; adopted, they are ours without having been away, and then put right."""
    site = bare_site
    earlier = site.start_daemon(options={"daemon": {"instance": "earlier"}})
    earlier.settle()
    earlier.stop()
    site.daemons.clear()
    commands = Commands(site)
    assert "earlier: " in commands.run("adopt")[1]
    before = site.read()
    rows = {uuid for table, uuid in before.versions if table == "QoS"}
    code, said = commands.run("adopt", "earlier")
    assert (code, site.read().versions) == (0, before.versions), said
    action = commands.document("adopt", "earlier", "--apply")
    assert (action["applied"], action["instances"]["earlier"]) == (True, len(action["rows"]))
    assert "earlier" not in commands.run("adopt")[1]
    site.start_daemon()
    site.settle()
    assert rows <= {uuid for table, uuid in site.read().versions if table == "QoS"}, "a row was replaced"


def test_a_cleanup_leaves_no_trace(site: Site) -> None:
    """It is refused while the daemon runs; then rows, sets, conditions, Leases are gone, others' rows are not."""
    commands = Commands(site)
    before = site.read()
    code, said = commands.run("cleanup", "--apply")
    assert (code, "holds the lock" in said) == (1, True), said
    site.daemon.stop()
    code, said = commands.run("cleanup")
    assert (code, site.read().versions) == (0, before.versions), said
    site.cluster.leave_report("of-a-daemon-that-is-gone", "2026-11-26T10:00:00.000000Z")
    action = commands.document("cleanup", "--apply")
    assert (action["applied"], action["statuses"]) == (True, 2)
    assert "nqosd" not in site.cluster.server.request("GET", OF_LEASES).decode()
    after = site.read()
    assert (after.own.rows, after.own.sets) == ((), ())
    assert after.others == site.others
    assert not site.conditions()
    assert commands.run("cleanup", "--apply")[0] == 0
