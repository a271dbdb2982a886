"""Answers that are no answers: what isn't a list removes no row, and watches that lie or die delay a change only."""

import json
import threading
import time
from collections.abc import Iterator
from functools import partial

import attrs
import pytest

from tests.faults.liar import Answer, Liar
from tests.faults.site import Site
from tests.services.daemon import Nqosd

SHORT_WATCHES: dict[str, dict[str, object]] = {"kubernetes": {"watch_time": 2}}
QOS = "/apis/k8s.ovn.org/v1alpha1/networkqoses"
EMPTY = {"metadata": {"resourceVersion": "99999999"}, "items": []}
END = {"resourceVersion": "99999999", "annotations": {"k8s.io/initial-events-end": "true"}}
NO_LISTS = {
    "an empty object": b"{}",
    "nothing": b"",
    "a failure": json.dumps({"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": 500}).encode(),
    "another kind's list": json.dumps({"kind": "SecretList", "apiVersion": "v1", **EMPTY}).encode(),
    "no items": json.dumps({"kind": "PodList", "apiVersion": "v1", **EMPTY, "items": None}).encode(),
    "no version": json.dumps({"kind": "PodList", "apiVersion": "v1", **EMPTY, "metadata": {}}).encode(),
    "a bookmark of another kind": json.dumps(
        {"type": "BOOKMARK", "object": {"kind": "Secret", "apiVersion": "v1", "metadata": END}}
    ).encode(),
    "HTML": b"<html><body>maintenance</body></html>\n",
    "half a list": b'{"kind":"PodList","apiVersion":"v1","metadata":{"resourceVersion":"99999999"},"items":[{"meta',
}


@attrs.frozen
class Lied:
    """A site whose daemon reaches the API server through a liar."""

    site: Site
    liar: Liar
    daemon: Nqosd

    def restarts(self, reason: str) -> float:
        """Return how many requests have ended for a reason."""
        return self.daemon.metric("nqosd_watch_restarts_total", reason=reason)

    def says(self, *words: str) -> None:
        """Wait until it is not ready and says so in these words."""
        self.daemon.wait_until(lambda: self._says(words), what=f"not ready: {words}")

    def _says(self, words: tuple[str, ...]) -> bool:
        status, said = self.daemon.probe("readyz")
        return status == 503 and all(each in str(said) for each in words)

    def lists_of_pods(self) -> float:
        """Return how many lists of pods were believed."""
        return self.daemon.metric("nqosd_list_duration_seconds_count", kind="Pod")


@pytest.fixture
def lied(bare_site: Site) -> Iterator[Lied]:
    """Give a site with objects and a converged daemon behind a liar."""
    with Liar(bare_site.cluster.server) as liar:
        kubeconfig = bare_site.cluster.kubeconfig(bare_site.directory / "liar.kubeconfig", port=liar.port)
        daemon = bare_site.start_daemon(kubeconfig=kubeconfig, options=SHORT_WATCHES)
        bare_site.settle()
        yield Lied(bare_site, liar, daemon)


def test_an_answer_that_is_no_list_deletes_nothing(lied: Lied) -> None:
    """Whatever comes with status 200 to lists and watches of any kind, no row changes, and what came is counted."""
    before = lied.site.read()
    for body in NO_LISTS.values():
        lied.liar.tell(partial(_answer_with, body))
        enough = lied.liar.lies + 20
        while lied.liar.lies < enough:
            time.sleep(0.1)
        lied.says("out of touch with the API server")
        assert lied.site.read().versions == before.versions
    lied.liar.stop_lying()
    assert lied.site.settle(60).versions == before.versions
    assert lied.restarts("wrong answer") > 0
    assert lied.daemon.metric("nqosd_decode_problems_total") > 0
    lied.site.change()
    lied.site.settle()


def _answer_with(body: bytes, path: str) -> Answer | None:
    return Answer(body) if path.startswith(("/api/v1/", "/apis/k8s.ovn.org/", "/apis/k8s.cni.cncf.io/")) else None


def empty_list(api_version: str, kind: str) -> Answer:
    """Give a streamed list of nothing."""
    bookmark = {"type": "BOOKMARK", "object": {"apiVersion": api_version, "kind": kind, "metadata": END}}
    return Answer(json.dumps(bookmark).encode() + b"\n")


@attrs.define
class Lacking:
    """Answers lists of pods with nothing, so many times, once no watch of pods lives any more.

    `holds`: the lists after them aren't answered at all while it lies.
    """

    times: int
    holds: bool = False

    def __call__(self, path: str) -> Answer | None:
        """Answer a request, or leave it to the real server."""
        if not path.startswith("/api/v1/pods?"):
            return None
        if not self.times:
            return Answer(silent=True) if self.holds and "sendInitialEvents" in path else None
        if "sendInitialEvents" not in path:
            return Answer()
        self.times -= 1
        return empty_list("v1", "Pod")


def test_a_list_that_lacks_most_is_believed_the_second_time(lied: Lied) -> None:
    """The first list that lacks all pods deletes nothing; if the next one has them, nothing has happened."""
    for number in range(12):
        lied.site.add_pod(f"many-{number}")
    before = lied.site.settle()
    lied.liar.tell(Lacking(1, holds=True))
    lied.daemon.wait_until(lambda: lied.restarts("doubted") == 1, what="doubted")
    lied.says("Pod", "15 of 15")
    lied.liar.stop_lying()
    lied.daemon.wait_until(
        lambda: lied.daemon.metric("nqosd_list_duration_seconds_count", kind="Pod") == 2, what="listed"
    )
    assert lied.site.settle().versions == before.versions
    lied.liar.tell(Lacking(2))
    lied.daemon.wait_until(lambda: lied.daemon.metric("nqosd_objects", kind="Pod") == 0, what="told twice")
    lied.liar.stop_lying()
    lied.site.settle()  # also where a watch isn't cut here and goes on from a version yet to come


NOT_FOUND = Answer(b"404 page not found\n", status=404, content_type="text/plain")
NO_GROUPS = Answer(json.dumps({"kind": "APIGroupList", "groups": [{"name": "apps", "versions": [
    {"groupVersion": "apps/v1"}]}]}).encode())  # fmt: skip


def test_a_definition_that_seems_to_be_gone(lied: Lied) -> None:
    """A 404 deletes nothing at first: a server that is just starting may not know its definitions yet."""
    before = lied.site.settle()

    def gone(path: str) -> Answer | None:
        if path.startswith(QOS):
            return Answer(silent=True) if lied.restarts("doubted") else NOT_FOUND
        return NO_GROUPS if path == "/apis" else None

    lied.liar.tell(gone)
    lied.daemon.wait_until(lambda: lied.restarts("doubted") == 1, what="doubted")
    lied.says("NetworkQoS")
    assert lied.site.read().versions == before.versions
    lied.liar.stop_lying()
    assert lied.site.settle().versions == before.versions


def test_a_kind_that_is_said_to_be_there_and_is_not_found(lied: Lied) -> None:
    """However often a server says 404 for a kind, nothing is deleted while it names the kind among its resources."""
    before = lied.site.settle()
    lied.liar.tell(lambda path: NOT_FOUND if path.startswith(QOS) else None)
    lied.daemon.wait_until(lambda: lied.restarts("refused") > 5, what="refused")
    lied.says("NetworkQoS", "404")
    assert not lied.restarts("doubted")
    assert lied.site.read().versions == before.versions
    lied.liar.stop_lying()
    assert lied.site.settle().versions == before.versions


def test_watches_that_end_at_once(lied: Lied) -> None:
    """Where no watch lives, lists bring every change into the database; the statuses tell of it when one does again."""
    lied.liar.tell(lambda path: Answer() if "watch=true" in path and "sendInitialEvents" not in path else None)
    lied.daemon.wait_until(lambda: lied.restarts("ended early") > 10, what="cut off")
    for _ in range(2):
        lied.site.change()
        lied.daemon.wait_until(lambda: not _of_rows(lied.site.differences()), what="as it should be", deadline=60)
    lied.says("out of touch with the API server")
    lied.liar.stop_lying()
    lied.site.settle(60)


def _of_rows(differences: list[str]) -> list[str]:
    return [each for each in differences if not each.startswith("status of ")]


def test_a_line_that_flaps(site: Site) -> None:
    """Five seconds up and one second down, again and again: every change gets through while it goes on."""
    over = threading.Event()

    def flap() -> None:
        while not over.wait(5):
            site.api.refuse()
            time.sleep(1)
            site.api.let_go()

    flapping = threading.Thread(target=flap)
    flapping.start()
    try:
        for _ in range(3):
            site.change()
            site.daemon.wait_until(lambda: not site.differences(), what="as it should be", deadline=60)
            time.sleep(4)
    finally:
        over.set()
        flapping.join()
    site.settle()


def test_a_first_list_of_nothing_removes_no_row(lied: Lied) -> None:
    """A daemon that has just started lists everything twice before it removes most of what the database has."""
    before = lied.site.settle()
    lied.daemon.kill()
    nothing = empty_list("k8s.ovn.org/v1alpha1", "NetworkQoS")
    held = Answer(silent=True)
    lied.liar.tell(lambda path: (held if lied.liar.lies else nothing) if path.startswith(QOS) else None)
    lied.daemon.awaits = "healthz"
    lied.daemon.start()
    lied.says("convergence", "nothing is removed before a second list")
    lied.liar.stop_lying()
    assert lied.site.settle(60).versions == before.versions
    lied.site.change()
    lied.site.settle()


def test_a_first_list_of_nothing_that_is_true(lied: Lied) -> None:
    """When the second list says the same, the rows go."""
    site = lied.site
    lied.daemon.kill()
    for policy in json.loads(site.cluster.server.request("GET", QOS))["items"]:
        site.cluster.delete({"kind": "NetworkQoS", "metadata": policy["metadata"]})
    lied.daemon.start()
    site.settle(60)
    assert lied.lists_of_pods() == 2
