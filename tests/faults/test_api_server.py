"""Faults of the API server, of the way to it, and of the daemon's rights there."""

import contextlib
import time
from pathlib import Path

import yaml

from nqosd.kube.credentials import FILES_MIN_AGE
from tests.faults import manifests
from tests.faults.cluster import Cluster
from tests.faults.relay import Way
from tests.faults.site import Site
from tests.faults.tokens import short_lived_token
from tests.services.process import ServiceError


def test_the_api_server_killed_and_back(site: Site) -> None:
    """Rows stay while it is away, and what changed before the daemon is back in touch is made up for."""
    before = site.read()
    site.cluster.server.kill()
    site.daemon.settle()
    assert site.read().versions == before.versions
    site.api.refuse()
    site.cluster.server.start()
    site.change()
    site.api.let_go()
    site.settle()


def test_410_gone(site: Site) -> None:
    """A watch that the server can't resume is followed by a list, and what has gone meanwhile is removed."""
    lists = site.daemon.metric("nqosd_list_duration_seconds_count", kind="Pod")
    site.api.refuse()
    for _ in range(3):
        site.change()
    site.cluster.server.kill()
    site.cluster.etcd.compact()
    site.cluster.server.start()
    site.change()
    site.api.let_go()
    site.settle(60)
    assert site.daemon.metric("nqosd_list_duration_seconds_count", kind="Pod") > lists


def test_a_watch_cut_in_the_middle_of_an_event(site: Site) -> None:
    """Half an event counts for nothing, and the whole one comes with the next watch."""
    big = manifests.pod(site.namespace, "big", 200)
    metadata = big["metadata"]
    assert isinstance(metadata, dict)
    metadata["annotations"]["padding"] = "x" * 200_000
    site.api.cut_after(Way.DOWN, 60_000)
    site.cluster.create(big)
    site.daemon.wait_until(lambda: site.api.is_cut(Way.DOWN), what="cut off")
    site.settle()


def test_a_frozen_etcd(site: Site) -> None:
    """The API server answers and ends watches in time, but can hear of nothing: the daemon is out of touch."""
    before = site.read()
    site.cluster.etcd.pause()
    try:
        site.daemon.wait_until(lambda: not site.daemon.is_ready(), what="aware that it hears of nothing")
        assert "(Namespace: no answer for 3 s)" in str(site.daemon.probe("readyz")[1])
    finally:
        site.cluster.etcd.resume()
    site.settle()
    assert site.read().versions == before.versions


def test_an_api_server_frozen_for_a_while(site: Site) -> None:
    """Nothing is lost, and no row changes, while the server doesn't answer."""
    before = site.read()
    site.cluster.server.pause()
    try:
        time.sleep(3)
        assert site.read().versions == before.versions
    finally:
        site.cluster.server.resume()
    site.change()
    site.settle()


def test_a_line_that_swallows_everything_is_noticed(site: Site) -> None:
    """No byte arrives and nothing is closed: the watches are given up, and all is made up for when the line is back."""
    before = site.read()
    site.api.hold()
    try:
        site.daemon.wait_until(lambda: _ended(site, "silent") + _ended(site, "unreachable") > 0, what="given up")
        site.change()
        assert site.read().versions == before.versions
    finally:
        site.api.let_go()
    site.settle(60)


def _refused(site: Site, kind: str) -> float:
    return site.daemon.metric("nqosd_watch_restarts_total", kind=kind, reason="refused")


def _ended(site: Site, reason: str) -> float:
    return site.daemon.metric("nqosd_watch_restarts_total", reason=reason)


def test_the_rights_are_withdrawn_and_given_back(site: Site) -> None:
    """Without rights nothing is deleted, and it is noticed though no watch is cut; with them all is made up for."""
    before = site.read()
    site.cluster.withdraw()
    try:
        site.daemon.wait_until(lambda: all(_refused(site, kind) for kind in ("Pod", "NetworkQoS")), what="refused")
        site.change()
        assert site.read().versions == before.versions
    finally:
        site.cluster.grant()
    site.settle(60)


def test_the_token_expires_and_is_replaced(bare_site: Site) -> None:
    """A token that has expired is refused; the new one in the same file is taken up without a restart."""
    site = bare_site
    file = site.directory / "token"
    file.write_text(short_lived_token(site.cluster.server, 40))
    kubeconfig = site.cluster.kubeconfig(site.directory / "by-file", port=site.api.port, token_file=file)
    daemon = site.start_daemon(kubeconfig=kubeconfig)
    site.settle()
    daemon.wait_until(lambda: not is_valid(site.cluster, file), what="left with an expired token", deadline=120)
    site.api.cut()
    site.change()
    daemon.wait_until(lambda: daemon.metric("nqosd_watch_restarts_total", reason="refused") > 0, what="refused")
    file.write_text(short_lived_token(site.cluster.server, 3600))
    site.settle(60)


def test_the_kubeconfig_is_replaced_by_nonsense_and_mended(bare_site: Site) -> None:
    """The daemon goes on with what it knows, and says in its log what is wrong with the file."""
    site = bare_site
    kubeconfig = site.cluster.kubeconfig(site.directory / "edited.kubeconfig", port=site.api.port)
    daemon = site.start_daemon(kubeconfig=kubeconfig)
    site.settle()
    good = kubeconfig.read_text()
    for name, value in (("proxy-url", 7), ("tls-server-name", ["localhost"])):
        found = yaml.safe_load(good)
        found["clusters"][0]["cluster"][name] = value
        kubeconfig.write_text(yaml.safe_dump(found))
        time.sleep(FILES_MIN_AGE)
        site.api.cut()
        words = f"{name.replace('-', '_').removesuffix('_url')} is no text"
        daemon.wait_until(lambda words=words: words in daemon.log_file.read_text(), what=f"aware: {words}")  # type: ignore[misc]
        site.change()
        site.settle(60)
    kubeconfig.write_text(good)
    site.api.cut()
    site.change()
    site.settle(60)


def is_valid(cluster: Cluster, file: Path) -> bool:
    """Return whether the server takes the token in a file."""
    cluster.server.tokens["by-file"] = file.read_text()
    with contextlib.suppress(ServiceError):
        cluster.server.request("GET", "/api/v1/pods", user="by-file")
        return True
    return False
