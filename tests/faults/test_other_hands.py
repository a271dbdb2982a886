"""Others who write into the same database: by hand, or under the same lock."""

import contextlib
import json
import subprocess
from collections.abc import Iterator

from tests.faults import contents
from tests.faults.hands import own_row
from tests.faults.relay import Way
from tests.faults.site import Site


def test_a_repair_is_told_in_an_event(site: Site) -> None:
    """The Event names the policy, the rule and the switch of a row that another hand had removed."""
    site.nb.nbctl("remove", "Logical_Switch", "n1", "qos_rules", own_row(site, "n1"))
    site.settle()

    def told() -> bool:
        path = f"/apis/events.k8s.io/v1/namespaces/{site.namespace}/events"
        events = json.loads(site.cluster.server.request("GET", path))["items"]
        return any(each["reason"] == "Repaired" and "on switch n1" in each["note"] for each in events)

    site.daemon.wait_until(told, what="telling of the repair")


def test_the_lock_is_stolen_and_given_back(site: Site) -> None:
    """A deposed daemon writes nothing, says who should, and what isn't written; it makes up for it when it is back."""
    with stolen_lock(site):
        site.daemon.wait_until(lambda: site.daemon.metric("nqosd_lock_held") == 0, what="deposed")
        before = site.read().versions
        site.change()
        site.daemon.wait_until(lambda: not site.daemon.is_ready(), what="aware that nobody writes")
        assert site.read().versions == before
        said = site.daemon.probe("readyz")[1]
        assert said["role"] == "standby"
        assert "another client of the database holds the lock 'nqosd'" in str(said["waiting_for"])
        assert site.daemon.metric("nqosd_unconverged_seconds") > 0
        assert site.daemon.metric("nqosd_policies") == 0
    site.settle()
    site.daemon.wait_until(site.daemon.is_ready, what="ready")
    assert site.daemon.metric("nqosd_policies") > 0
    assert site.daemon.probe("readyz")[1]["role"] == "active"


def test_the_lock_is_stolen_while_a_transaction_is_on_its_way(bare_site: Site) -> None:
    """The assertion of the lock refuses the transaction."""
    site = bare_site
    daemon = site.start_daemon(options={"northbound": {"probe_interval": 5, "transaction_timeout": 20}})
    before, taken = site.settle().versions, site.wire.taken[Way.UP]
    site.wire.hold(Way.UP)
    site.change()
    daemon.wait_until(lambda: site.wire.taken[Way.UP] > taken + 300, what="sending a transaction")
    with stolen_lock(site):
        site.wire.let_go()
        daemon.wait_until(lambda: daemon.metric("nqosd_transactions_total", result="lost_lock") > 0, what="refused")
        assert site.read().versions == before
    site.settle()


def test_another_instance_waits_for_the_same_lock(site: Site) -> None:
    """It is a standby that isn't ready and names the instance that has the lock, which is; it writes when that ends."""
    other = site.start_daemon(options={"daemon": {"instance": "blue"}}, until_ready=False)
    words = "the instance 'nqosd' (nqosd at"
    other.wait_until(lambda: words in str(other.probe("readyz")[1]), what="saying who has the lock")
    status, said = other.probe("readyz")
    assert (status, said["role"]) == (503, "standby")
    assert "give each instance a lock of its own" in str(said["waiting_for"])
    assert "northbound: another instance has the lock" in other.log_file.read_text()
    assert site.daemon.is_ready()
    site.daemon.stop()
    other.awaits = "readyz"
    other.wait_until(other.is_ready, what="the writer")
    assert contents.read(site.nb, "blue").own.rows


@contextlib.contextmanager
def stolen_lock(site: Site) -> Iterator[None]:
    """Hold the lock in the daemon's place."""
    client = site.nb.generation.program("ovsdb-client")
    with subprocess.Popen([client, "steal", site.nb.unix, "nqosd"], stdout=subprocess.PIPE) as thief:
        try:
            assert thief.stdout is not None
            assert thief.stdout.readline()
            yield
        finally:
            thief.kill()
