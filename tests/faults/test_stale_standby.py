"""A standby whose watches are broken knows less than the daemon that writes."""

from nqosd.caution import CATCHING_UP, PATIENCE, Caution
from nqosd.informers.changes import Kind
from tests.faults.relay import Relay
from tests.faults.site import Site


def test_a_standby_that_is_out_of_touch_takes_no_row_back(site: Site) -> None:
    """It takes the lock, waits until the API server answers, and then finds nothing to write."""
    with Relay(site.cluster.server.port) as api:
        kubeconfig = site.cluster.kubeconfig(site.directory / "apart.kubeconfig", port=api.port)
        standby = site.start_daemon(kubeconfig=kubeconfig)
        api.refuse()
        site.change()
        before = site.settle()
        site.daemon.kill()
        standby.wait_until(lambda: standby.metric("nqosd_lock_held") == 1, what="active")
        standby.wait_until(lambda: "out of touch" in str(standby.probe("readyz")), what="waiting for the API server")
        assert site.read().versions == before.versions
        api.let_go()
        assert site.settle(60).versions == before.versions
        assert site.operations() == 0
        site.change()
        site.settle()


def test_it_does_not_wait_for_ever() -> None:
    """After a minute what it knows is better than nothing; each new lock begins anew."""
    now, woken = [100.0], []
    caution = Caution(lambda: woken.append(now[0]), clock=lambda: now[0])
    assert caution.wait(lock_held=True) == 0
    caution.in_touch(Kind.POD, is_in_touch=False)
    assert caution.wait(lock_held=True) == 0, "it was trusted, and still writes what it hears"
    assert caution.wait(lock_held=False) == 0
    assert caution.wait(lock_held=True) == PATIENCE
    now[0] += PATIENCE
    assert caution.wait(lock_held=True) == 0
    caution.doubt()
    assert caution.wait(lock_held=True) == PATIENCE
    caution.in_touch(Kind.POD, is_in_touch=True)
    assert woken == [now[0]]
    assert caution.wait(lock_held=True) == CATCHING_UP
    now[0] += CATCHING_UP
    assert caution.wait(lock_held=True) == 0
