"""Faults of the Northbound database's server and of the way to it."""

import contextlib
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from nqosd.config.options import NorthboundSection
from tests.faults import manifests
from tests.faults.cluster import Cluster
from tests.faults.relay import Way
from tests.faults.site import Site, add_switches, open_site
from tests.services.daemon import Nqosd, Options
from tests.services.generation import GENERATIONS
from tests.services.ovsdb import OvsdbServer

DISK = 1 << 19
"""Bytes of the disk that is filled."""
WAITING = "WaitingForSwitch"


def test_a_running_daemon_converges_and_then_writes_nothing(site: Site) -> None:
    """Each change ends where the definition says, and a restart writes nothing."""
    site.change()
    before = site.settle()
    site.daemon.kill()
    site.daemon.start()
    assert site.settle().versions == before.versions
    assert site.operations() == 0


def test_ovsdb_server_killed_and_back_with_the_same_database(site: Site) -> None:
    """What changed meanwhile is written when the server is back, and the daemon isn't ready in between."""
    site.nb.kill()
    site.change()
    site.daemon.wait_until(lambda: not site.daemon.is_ready(), what="aware that its database is gone")
    site.nb.start()
    site.settle()
    assert site.daemon.is_ready()


def test_ovsdb_server_back_with_an_empty_database(site: Site) -> None:
    """Every row is written again, as soon as the switches are there."""
    site.nb.kill()
    site.nb.restart(keep_database=False)
    site.note_others()
    site.daemon.wait_until(lambda: WAITING in site.conditions(), what="saying that it waits for switches")
    add_switches(site.nb)
    site.note_others()
    assert site.settle().own.rows


def test_a_database_that_forgets_which_northd_it_had(site: Site) -> None:
    """What was known of another database's northd doesn't count: a restarted daemon would not know it either."""
    shielded = [manifests.rule(1, rate=9000), manifests.rule(2, to=[{"ipBlock": {"cidr": "10.0.0.0/8"}}])]
    site.cluster.create(manifests.policy(site.namespace, "shielded", priority=90, rules=shielded))
    site.nb.nbctl("set", "NB_Global", ".", "options:northd_internal_version=25.03.0-20.41.0-77.6")
    site.settle()
    site.nb.restart(keep_database=False)
    add_switches(site.nb)
    site.note_others()
    site.settle()


def test_ovsdb_server_frozen_for_a_while(site: Site) -> None:
    """A server that hangs is noticed by its silence, and an answer that comes too late does no harm."""
    site.nb.pause()
    site.change()
    site.daemon.wait_until(lambda: not site.daemon.is_ready(), what="aware that its database is silent")
    site.nb.resume()
    site.settle()


def test_by_default_a_frozen_server_is_noticed_within_ten_seconds(faulty_cluster: Cluster) -> None:
    """As it is delivered, a server that hangs makes /readyz 503 after 8 s, on a unix socket; /healthz stays 200."""
    with OvsdbServer(GENERATIONS[-1]) as nb, open_site(faulty_cluster, nb) as site:
        options: Options = {
            "northbound": {"probe_interval": NorthboundSection().probe_interval, "transaction_timeout": 3600}
        }
        daemon = site.start_daemon(options=options, remotes=[nb.unix])
        site.settle()
        nb.pause()
        daemon.wait_until(lambda: not daemon.is_ready(), what="aware that its database is silent")
        assert "no sign of life for 8 s" in str(daemon.probe("readyz"))
        assert daemon.probe("healthz")[0] == 200
        nb.resume()
        site.settle()


class Hurried(Nqosd):
    """A daemon to which a round counts as stuck after a second beside its transaction, not after two minutes."""

    def command(self) -> Sequence[str]:
        """Return the command, of which one constant is another."""
        program, _module, _name, *arguments = super().command()
        main = (
            "import sys; from nqosd.__main__ import main; from nqosd.telemetry.health import Health; "
            "Health.__init__.__kwdefaults__['stuck_after'] = 1.0; sys.exit(main())"
        )
        return [program, "-c", main, *arguments]


def test_the_longest_time_limits(bare_site: Site) -> None:
    """With an hour for the probe and for a transaction /healthz stays 200, and a dead or frozen database is noticed."""
    site = bare_site
    daemon = site.start_daemon(
        options={"northbound": {"probe_interval": 3600, "transaction_timeout": 3600}}, remotes=[site.nb.unix],
        kind=Hurried,
    )  # fmt: skip
    site.settle()
    site.nb.kill()
    daemon.wait_until(lambda: "'northbound': " in str(daemon.probe("readyz")), what="aware that it is gone")
    assert daemon.probe("healthz")[0] == 200
    site.nb.start()
    site.settle()
    site.nb.pause()
    site.change()
    daemon.wait_until(lambda: "not converged for" in str(daemon.probe("readyz")), what="aware that nothing is written")
    assert daemon.probe("healthz")[0] == 200
    site.nb.resume()
    site.settle()


def test_a_slow_server(site: Site) -> None:
    """Over a line of 20 kB/s, with a limit of 3 s for a transaction, it converges all the same."""
    site.wire.slow_down(20_000)
    for _ in range(3):
        site.change()
    site.settle(60)


def test_the_connection_to_the_database_cut_in_the_middle_of_a_transaction(site: Site) -> None:
    """Half a transaction writes nothing; the next one writes everything."""
    site.wire.cut_after(Way.UP, 300)
    site.change()
    site.daemon.wait_until(lambda: site.wire.is_cut(Way.UP), what="cut off")
    site.settle()


def test_the_answer_to_a_transaction_is_lost(site: Site) -> None:
    """The daemon doesn't know whether it was written, looks, and writes nothing twice."""
    before = site.read().versions
    site.wire.hold(Way.DOWN)
    site.change()
    site.daemon.wait_until(lambda: site.read().versions != before, what="done with a transaction")
    site.wire.cut()
    site.wire.let_go()
    site.settle()


def test_a_rule_goes_while_its_row_lingers(bare_site: Site) -> None:
    """Rows whose pods have gone wait for `detach_after`, and leave at once when their rule goes."""
    site = bare_site
    daemon = site.start_daemon(options={"northbound": {"detach_after": 86_400}})
    rules = [manifests.rule(1, rate=9000), manifests.rule(2, rate=9000)]
    site.cluster.create(manifests.policy(site.namespace, "alone", app="alone", rules=rules))
    pod = site.add_pod("alone", app="alone")
    before = site.settle().own
    site.cluster.delete(pod)
    daemon.wait_until(lambda: site.read().own.sets != before.sets, what="rid of the pod's addresses")
    assert site.read().own.rows == before.rows
    site.cluster.patch(manifests.policy(site.namespace, "alone"), {"spec": {"egress": rules[:1]}})
    assert site.settle().own.rows != before.rows


def test_a_switch_that_disappears_under_a_transaction(bare_site: Site) -> None:
    """A transaction for a switch that is gone by then writes nothing; the rows come when the switch does."""
    site = bare_site
    site.start_daemon(options={"northbound": {"probe_interval": 30, "transaction_timeout": 60}})  # the line is held
    site.settle()
    refused = site.daemon.metric("nqosd_transactions_total", result="refused")
    taken = site.wire.taken[Way.UP]
    site.wire.hold(Way.UP)
    site.cluster.create(manifests.policy(site.namespace, "late", rules=[manifests.rule(3)]))
    site.daemon.wait_until(lambda: site.wire.taken[Way.UP] > taken + 300, what="sending a transaction")
    site.nb.nbctl("ls-del", "n1")
    site.wire.let_go()
    site.note_others()
    site.settle()
    assert site.daemon.metric("nqosd_transactions_total", result="refused") > refused
    assert WAITING in site.conditions()
    site.nb.nbctl("ls-add", "n1")
    site.note_others()
    site.settle()
    assert WAITING not in site.conditions()


def test_northd_upgraded_across_24_09(site: Site) -> None:
    """Rows get and lose their shields with the release that northd reports."""
    shielded = [manifests.rule(1, rate=9000), manifests.rule(2, to=[{"ipBlock": {"cidr": "10.0.0.0/8"}}])]
    site.cluster.create(manifests.policy(site.namespace, "shielded", priority=90, rules=shielded))
    texts = set()
    for version in ("23.03.1-20.27.0-70.6", "25.03.0-20.41.0-77.6", "24.03.2-20.33.0-72.6"):
        site.nb.nbctl("set", "NB_Global", ".", f"options:northd_internal_version={version}")
        texts.add(site.settle().own.rows)
    assert len(texts) == 2


def test_the_disk_of_the_database_is_full(faulty_cluster: Cluster) -> None:
    """The server refuses every transaction; when there is room again, all of them are made up for."""
    with (
        small_disk() as disk,
        OvsdbServer(GENERATIONS[-1], directory=disk) as nb,
        open_site(faulty_cluster, nb) as site,
    ):
        site.fill()
        site.start_daemon()
        site.settle()
        filler = disk / "filler"
        with pytest.raises(OSError, match="No space left"):
            filler.write_bytes(bytes(DISK))
        site.change()
        site.daemon.wait_until(
            lambda: site.daemon.metric("nqosd_transactions_total", result="refused") > 0, what="refused"
        )
        assert site.differences()
        filler.unlink()
        site.settle()


@contextlib.contextmanager
def small_disk() -> Iterator[Path]:
    """Mount a file system of `DISK` bytes."""
    with tempfile.TemporaryDirectory(prefix="nqosd-disk-") as name:
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK}", "tmpfs", name], check=True)
        try:
            yield Path(name)
        finally:
            subprocess.run(["umount", name], check=True)
