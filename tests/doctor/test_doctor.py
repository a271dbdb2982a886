"""`nqosd doctor`: what is broken gets a cross that names it and the way out; where all is well, there is none."""

from collections.abc import Iterator

import pytest

from nqosd.cli import main
from nqosd.config import Config, StatusSection
from nqosd.daemon.rights import REPORTING, rights
from nqosd.ovsdb import remotes
from tests.doctor.broken import BROKEN, Broken
from tests.doctor.place import Place, Start, complaints
from tests.doctor.table import BEGIN, END, PAGE, row, table
from tests.faults.cluster import OF_LEASES


@pytest.fixture(scope="module")
def place() -> Iterator[Place]:
    """Give a place where nothing is in the way."""
    with Place.prepared() as found:
        yield found


@pytest.mark.parametrize("broken", BROKEN, ids=lambda each: each.break_it.__name__)
def test_each_broken_thing_has_a_cross(place: Place, broken: Broken) -> None:
    """What is broken alone isn't well, with the way out, in the exit code as well, and as docs/doctor.md shows it."""
    with broken.break_it(place) as start:
        code, checks = place.examine(start)
    found = complaints(checks)
    assert {each.check for each in found} == set(broken.crosses)
    assert all(each.about and each.found and each.way_out for each in found)
    assert code == (78 if broken.crosses == ("configuration",) else any(each.verdict == "failed" for each in found))
    assert row(broken.what, found) in PAGE.read_text().splitlines()


def test_the_page_has_a_row_for_each() -> None:
    """The table has the broken things that are tried, and no others."""
    rows = PAGE.read_text().partition(BEGIN)[2].partition(END)[0].strip().splitlines()
    assert rows[:2] == table([]).splitlines()
    assert [line.split("|")[1].strip() for line in rows[2:]] == [each.what for each in BROKEN]


def test_all_is_well_beside_a_running_daemon(place: Place) -> None:
    """Every check that there is something to look at for has a tick, and the exit code is 0."""
    with place.running({}, "readyz") as daemon:
        server = place.cluster.server
        server.wait_until(lambda: "nqosd-zone-n1" in server.request("GET", OF_LEASES).decode(), what="told of the zone")
        code, checks = place.examine(Start({"http": {"listen": f"127.0.0.1:{daemon.port}"}}))
    assert code == 0
    assert complaints(checks) == []
    by_check = {each.check: each for each in checks}
    assert [name for name, each in by_check.items() if each.verdict != "ok"] == ["exporter"]
    assert by_check["daemon"].found == "ready, active"
    assert by_check["zone"].found == "'n1' is of n1"
    assert by_check["role"].found.endswith(": standalone")


def test_what_hangs_keeps_no_other_check_from_its_answer(place: Place) -> None:
    """With the database frozen, rights, definition and clock are looked at all the same."""
    place.nb.pause()
    try:
        _code, checks = place.examine(Start(seconds=5))
    finally:
        place.nb.resume()
    assert {each.check for each in checks if each.verdict == "ok"} >= {"api-server", "rights", "crd", "clock"}


def test_a_socket_at_none_of_the_usual_places(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the socket is looked for, each place is named with what is there."""
    monkeypatch.setattr(remotes, "FOLDERS", ("/nowhere", "/dev/null"))
    _code, checks = place.examine(Start({"northbound": {"remotes": "auto"}}))
    (socket,) = complaints(checks)
    assert (socket.check, socket.about) == ("socket", '"auto"')
    assert socket.found == (
        "no server at any of the usual places (/nowhere/ovnnb_db.sock: No such file or directory; "
        "/dev/null/ovnnb_db.sock: Not a directory)"
    )


def test_what_the_daemon_waits_for_is_told(place: Place) -> None:
    """A daemon that isn't ready is a cross, with its own reasons."""
    with place.running({"daemon": {"zone": "n9"}}, "healthz") as daemon:
        start = Start({"http": {"listen": f"127.0.0.1:{daemon.port}"}, "daemon": {"zone": "n9"}})
        daemon.wait_until(lambda: "n9" in str(daemon.probe("readyz")[1]), what="waiting for a node")
        found = {each.check: each for each in complaints(place.examine(start)[1])}
    assert found.keys() == {"zone", "daemon"}
    assert found["daemon"].found.startswith("not ready: ")
    assert "n9" in found["daemon"].found


def test_a_page_for_people(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    """A line for each check, an arrow before each way out, and the count below."""
    config = place.daemon({"northbound": {"remotes": ["unix:/none/nb.sock"]}}).config
    assert main(["doctor", "--config", str(config)]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"✓ configuration  {config}: can be used"
    assert lines[1] == "✗ socket         unix:/none/nb.sock: No such file or directory"
    assert lines[2].strip().startswith("→ start ovsdb-server, or name its socket")
    assert lines[-1].endswith("1 failed")


@pytest.mark.parametrize(
    ("section", "lacking"),
    [
        (StatusSection(), set()),
        (StatusSection(events=False), {"create events.events.k8s.io"}),
        (
            StatusSection(enabled=False),
            {
                "create events.events.k8s.io",
                "patch networkqoses.k8s.ovn.org/status",
                *(f"{verb} leases.coordination.k8s.io in kube-system" for verb in REPORTING),
            },
        ),
    ],
)
def test_rights_that_the_configuration_has_no_use_for_are_not_asked_about(
    section: StatusSection, lacking: set[str]
) -> None:
    """A daemon that writes no status needs no right for it."""
    assert {str(each) for each in rights(Config())} - {str(each) for each in rights(Config(status=section))} == lacking
