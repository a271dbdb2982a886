"""Faults of the daemon itself: killed at any moment, frozen, or with a clock that jumps."""

import contextlib
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from tests.faults.cluster import Cluster
from tests.faults.relay import Way
from tests.faults.site import Site, open_site
from tests.services.daemon import Nqosd
from tests.services.generation import GENERATIONS
from tests.services.ovsdb import OvsdbServer
from tests.services.process import STARTUP_DEADLINE, ServiceError

LIBRARY = next(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"), Path("libfaketimeMT.so.1"))
"""Of the Debian package faketime, which `make setup` installs."""
YEAR = 365 * 86_400


def before_its_transaction(site: Site) -> None:
    """Let a transaction leave the daemon and be lost with it."""
    taken = site.wire.taken[Way.UP]
    site.wire.hold(Way.UP)
    site.change()
    site.daemon.wait_until(lambda: site.wire.taken[Way.UP] > taken + 300, what="sending a transaction")


def in_the_middle_of_its_transaction(site: Site) -> None:
    """Let half a transaction reach the server."""
    site.wire.cut_after(Way.UP, 700)
    site.change()
    site.daemon.wait_until(lambda: site.wire.is_cut(Way.UP), what="sending half a transaction")


def before_the_answer_to_its_transaction(site: Site) -> None:
    """Let a transaction be written, and its answer not reach the daemon."""
    before = site.read().versions
    site.wire.hold(Way.DOWN)
    site.change()
    site.daemon.wait_until(lambda: site.read().versions != before, what="writing")


def before_it_writes_a_status(site: Site) -> None:
    """Let rows be written, and no status."""
    taken = site.api.taken[Way.UP]
    site.api.hold(Way.UP)
    site.change()
    site.daemon.wait_until(lambda: site.api.taken[Way.UP] > taken + 100, what="writing a status")


def before_the_answer_to_its_status(site: Site) -> None:
    """Let every status be written, and no answer reach the daemon."""
    site.change()
    taken = site.api.taken[Way.UP]
    site.daemon.wait_until(lambda: site.api.taken[Way.UP] > taken, what="writing a status")
    site.api.hold(Way.DOWN)


STEPS: Mapping[str, Callable[[Site], None]] = {
    step.__name__: step
    for step in (
        before_its_transaction,
        in_the_middle_of_its_transaction,
        before_the_answer_to_its_transaction,
        before_it_writes_a_status,
        before_the_answer_to_its_status,
    )
}


@pytest.mark.parametrize("step", STEPS)
def test_the_daemon_killed_between_any_two_steps(site: Site, step: str) -> None:
    """Whatever it had done, the next one finds what is left to do, changes made meanwhile included."""
    STEPS[step](site)
    site.daemon.kill()
    site.wire.cut()
    site.wire.let_go()
    site.api.cut()
    site.api.let_go()
    site.change()
    site.daemon.start()
    site.settle()


def test_the_daemon_killed_at_any_moment_of_its_start(site: Site) -> None:
    """However far it came, twenty times in a row, no wrong row is left."""
    daemon = site.daemon
    for number in range(20):
        daemon.kill()
        site.change()
        daemon.seconds = 0.3 + number * 0.05
        with contextlib.suppress(ServiceError):
            daemon.start()
    daemon.kill()
    daemon.seconds = STARTUP_DEADLINE
    daemon.start()
    site.settle()


def test_the_daemon_frozen_and_thawed_after_another_has_taken_over(faulty_cluster: Cluster) -> None:
    """The server drops a client that is silent for 10 s; it wakes up believing that it has the lock, and can't write.

    So it is on TCP and TLS. On a unix socket the server probes nobody, and systemd's watchdog ends such a daemon.
    """
    with OvsdbServer(GENERATIONS[-1], tcp=True) as nb, open_site(faulty_cluster, nb) as site:
        site.fill()
        first, other = (site.start_daemon(remotes=[nb.tcp]) for _ in range(2))
        site.settle()
        first.pause()
        other.wait_until(lambda: other.metric("nqosd_lock_held") == 1, what="active")
        site.change()
        other.settle()
        first.resume()
        site.change()
        site.settle()
        assert [each.probe("readyz")[1]["role"] for each in site.daemons] == ["standby", "active"]


class NqosdWithFakeClock(Nqosd):
    """A daemon whose wall clock is set by `jump`; the clock that counts time goes on as ever."""

    def environment(self) -> Mapping[str, str]:
        """Return what makes libfaketime read the offset from a file."""
        self.jump(0)
        return {
            "LD_PRELOAD": str(LIBRARY),
            "FAKETIME_TIMESTAMP_FILE": str(self._offset),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        }

    def jump(self, seconds: int) -> None:
        """Put the clock so many seconds ahead of the true time, or behind it."""
        self._offset.write_text(f"{seconds:+d}s")

    @property
    def _offset(self) -> Path:
        return self.directory / f"{self.name}.offset"


def test_the_clock_jumps(bare_site: Site) -> None:
    """A year forth, two years back, and home again: rows, statuses and leases are what they would be otherwise."""
    site = bare_site
    daemon = site.start_daemon(kind=NqosdWithFakeClock)
    assert isinstance(daemon, NqosdWithFakeClock)
    site.settle()
    for seconds in (YEAR, -YEAR, 0):
        daemon.jump(seconds)
        site.change()
        site.settle()
        shown = daemon.metric("nqosd_last_commit_timestamp_seconds") - time.time()
        assert abs(shown - seconds) < 60, "the clock of the daemon has not jumped"
