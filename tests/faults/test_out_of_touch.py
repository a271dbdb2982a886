"""Daemons that don't hear from the API server, beside others that do: who writes, who has the lock, what they say."""

import contextlib
import time
from collections.abc import Iterator

import attrs
import pytest

from tests.faults.contents import Contents
from tests.faults.relay import Relay, Way
from tests.faults.site import Site
from tests.services.daemon import Nqosd

SOON: dict[str, dict[str, object]] = {"northbound": {"yield_after": 2}}
NEVER: dict[str, dict[str, object]] = {"northbound": {"yield_after": 3600}}
RECORD = ("find", "Address_Set", "external_ids:nqosd.io/part=writer")


@attrs.frozen
class Apart:
    """A daemon whose way to the API server is its own."""

    daemon: Nqosd
    api: Relay

    def loses_touch(self) -> None:
        """Cut it off, and wait until it says so."""
        self.api.refuse()
        self.daemon.wait_until(lambda: "out of touch" in said(self.daemon), what="out of touch")


@contextlib.contextmanager
def apart(site: Site, options: dict[str, dict[str, object]]) -> Iterator[Apart]:
    """Start a daemon whose way to the API server is its own."""
    with Relay(site.cluster.server.port) as api:
        kubeconfig = site.cluster.kubeconfig(site.directory / f"apart{api.port}.kubeconfig", port=api.port)
        yield Apart(site.start_daemon(kubeconfig=kubeconfig, options=options), api)


def said(daemon: Nqosd) -> str:
    """Return what /readyz says."""
    return str(daemon.probe("readyz")[1])


def has_lock(daemon: Nqosd) -> bool:
    """Return whether a daemon is the one that writes."""
    return daemon.metric("nqosd_lock_held") == 1


def unchanged(site: Site, before: Contents, seconds: float = 3.0) -> None:
    """Look for a while whether anything is written."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        assert site.read().versions == before.versions
        time.sleep(0.2)


@pytest.fixture
def knows_less(site: Site) -> Iterator[tuple[Apart, Contents]]:
    """Give a standby that is out of touch and has missed changes, which the active daemon has written."""
    with apart(site, NEVER) as standby:
        standby.loses_touch()
        site.change()
        yield standby, site.settle()


def test_a_standby_out_of_touch_takes_no_row_back(site: Site, knows_less: tuple[Apart, Contents]) -> None:
    """It wins the lock, writes nothing and says why; in touch again it finds nothing to write."""
    standby, before = knows_less
    site.daemon.kill()
    standby.daemon.wait_until(lambda: "knew more" in said(standby.daemon), what="saying that it writes nothing")
    assert has_lock(standby.daemon)
    unchanged(site, before)
    standby.api.let_go()
    assert site.settle(60).own == before.own
    assert site.operations() == 0
    standby.daemon.wait_until(standby.daemon.is_ready, what="ready", deadline=60)
    site.change()
    site.settle()


def test_a_standby_out_of_touch_leaves_the_lock_to_one_in_touch(site: Site, knows_less: tuple[Apart, Contents]) -> None:
    """The active daemon restarts: the standby wins the lock, and gives it back to the one that hears everything."""
    standby, before = knows_less
    standby.daemon.configure(SOON)
    standby.daemon.reload()
    site.daemon.kill()
    site.daemon.start()
    site.daemon.wait_until(lambda: has_lock(site.daemon), what="active again")
    assert site.settle(60).own == before.own
    assert not standby.daemon.is_ready()
    site.change()
    site.settle()


def test_an_active_daemon_out_of_touch_gives_the_lock_up(site: Site) -> None:
    """Another daemon that hears everything has the lock soon, and writes what the first one can't know of."""
    site.daemon.configure(SOON)
    site.daemon.reload()
    with apart(site, SOON) as standby:
        assert has_lock(site.daemon)
        site.api.refuse()
        site.change()
        standby.daemon.wait_until(lambda: has_lock(standby.daemon), what="active")
        site.settle(60)
        site.daemon.wait_until(lambda: "out of touch" in said(site.daemon), what="saying that it is out of touch")
        assert standby.daemon.is_ready()
        site.api.let_go()
        site.daemon.wait_until(site.daemon.is_ready, what="ready as a standby", deadline=60)
        assert has_lock(standby.daemon)


def test_all_daemons_out_of_touch_keep_the_rows(site: Site) -> None:
    """None says that it is ready, one has the lock and repairs what was written last; then they go on."""
    site.daemon.configure(SOON)
    site.daemon.reload()
    with apart(site, SOON) as other:
        before = site.settle()
        site.api.refuse()
        other.loses_touch()
        site.daemon.wait_until(
            lambda: not any(each.is_ready() for each in site.daemons),
            what="aware, like the other one, of being out of touch",
        )
        site.nb.nbctl("--", "qos-del", "blue_n1")
        site.daemon.wait_until(lambda: site.read().own == before.own, what="repaired")
        site.daemon.wait_until(lambda: any(map(has_lock, site.daemons)), what="one active")
        site.api.let_go()
        other.api.let_go()
        site.change()
        site.settle(60)
        for daemon in site.daemons:
            daemon.wait_until(daemon.is_ready, what="ready", deadline=60)


def test_a_daemon_out_of_touch_repairs_what_it_wrote_itself(site: Site) -> None:
    """Its database restarts while the API server is away: nobody knew more, so rows that went are written again."""
    site.change()
    before = site.settle()
    site.api.refuse()
    site.daemon.wait_until(lambda: not site.daemon.is_ready(), what="aware that it is out of touch")
    site.wire.refuse()
    site.nb.nbctl("--", "qos-del", "blue_n1")
    site.wire.let_go()
    site.daemon.wait_until(lambda: site.read().own == before.own, what="repaired")
    assert not site.daemon.is_ready()
    site.api.let_go()
    site.settle(60)


@pytest.mark.parametrize("edit", ["destroy", "clear", "foreign"])
def test_a_record_edited_by_hand(site: Site, knows_less: tuple[Apart, Contents], edit: str) -> None:
    """Nobody knows what the writer knew, so a standby out of touch writes nothing; the next writer makes it anew."""
    standby, before = knows_less
    uuid = site.nb.nbctl("--bare", "--columns=_uuid", *RECORD).strip()
    edits = {
        "destroy": ["destroy", "Address_Set", uuid],
        "clear": ["remove", "Address_Set", uuid, "external_ids", "nqosd.io/resource-versions"],
        "foreign": ["set", "Address_Set", uuid, "external_ids:nqosd.io/resource-versions=Pod=x"],
    }
    site.nb.nbctl(*edits[edit])
    site.daemon.kill()
    standby.daemon.wait_until(lambda: "written by" in said(standby.daemon), what="saying that it writes nothing")
    assert site.read().own == before.own
    standby.api.let_go()
    site.settle(60)
    site.change()
    site.settle()
    assert "NetworkQoS=" in site.nb.nbctl("--bare", "--columns=external_ids", *RECORD)


def test_a_watch_that_is_silent_makes_nobody_ready(site: Site) -> None:
    """A line that swallows what the API server says is noticed, and told by /readyz."""
    site.api.hold(Way.DOWN)
    site.daemon.wait_until(
        lambda: not site.daemon.is_ready(),
        what="aware of the silence",
    )
    site.api.let_go()
    site.settle(60)
