"""Watches of a real API server that tell less than there is, or don't live long: a liar stands before it.

It lies about watches alone; what is listed and counted is the real server's.
"""

import json
import threading
import time
from collections.abc import Callable, Iterator

import attrs
import pytest
from structlog.testing import capture_logs

from nqosd.api.changes import ResourceKind
from nqosd.informers import pacing, trust
from nqosd.informers.reflector_steps import ReflectorOptions
from nqosd.informers.resource_versions import is_older
from nqosd.informers.transitions import RequestOutcome
from nqosd.runtime.backoff import FIRST
from tests.faults.liar import Answer, Liar
from tests.informers.informing import change_pod, create_pod, informing, through
from tests.informers.listening import until
from tests.services.kubernetes import ApiServer

POD, NODE = ResourceKind.POD, ResourceKind.NODE
QUICK = ReflectorOptions(watch_time=1.0)
EXPIRED = (
    json.dumps({"type": "ERROR", "object": {"kind": "Status", "code": 410, "message": "too old"}}).encode() + b"\n"
)


def is_watch(path: str) -> bool:
    """Say whether a watch is asked for that doesn't begin with a list."""
    return "watch=true" in path and "sendInitialEvents" not in path


@pytest.fixture
def liar(api_server: ApiServer) -> Iterator[Liar]:
    """Give who stands before the shared server."""
    with Liar(api_server) as found:
        yield found


@attrs.define
class Watches:
    """Answers each watch after some seconds with a text, as one that ends then."""

    seconds: float
    body: Callable[[], bytes] = bytes
    begun: int = 0
    is_asked: threading.Event = attrs.field(factory=threading.Event)

    def __call__(self, path: str) -> Answer | None:
        """Answer a watch; the real server answers everything else."""
        if not is_watch(path):
            return None
        self.begun += 1
        self.is_asked.set()
        time.sleep(self.seconds)
        return Answer(self.body())


def bookmark(server: ApiServer) -> bytes:
    """Give an event that says that everything up to now has been told."""
    meta = json.loads(server.request("GET", "/api/v1/pods?limit=1"))["metadata"]
    object_ = {"apiVersion": "v1", "kind": "Pod", "metadata": {"resourceVersion": meta["resourceVersion"]}}
    return json.dumps({"type": "BOOKMARK", "object": object_}).encode() + b"\n"


SILENT = 1.1
"""Seconds, which are a little more than the watch was asked to take."""


async def test_a_watch_that_says_nothing_is_found_out(
    api_server: ApiServer, namespace: str, liar: Liar, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its end in time is no proof that it told everything: the objects are counted now and then, here each second."""
    monkeypatch.setattr(trust, "COUNT_EVERY", 1.0)
    silent = Watches(SILENT)
    async with informing(through(api_server, liar.url), POD, options=QUICK) as informed:
        await informed.listener.until_synced(POD)
        liar.tell(silent)
        await until(silent.is_asked.is_set, "watching in vain")
        create_pod(api_server, namespace, "untold")
        await informed.listener.until(lambda: informed.keys(POD, namespace) == {"untold"}, "listed")
        assert (POD, RequestOutcome.DIFFERS) in informed.counter.restarts
        assert (POD, RequestOutcome.BROKEN) not in informed.counter.restarts


async def test_a_watch_that_says_nothing_of_a_changed_object_is_found_out(
    api_server: ApiServer, namespace: str, liar: Liar, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The number of objects is right, but no watch gets to the version that the count has shown; nobody is alarmed."""
    monkeypatch.setattr(trust, "COUNT_EVERY", 1.0)
    monkeypatch.setattr(trust, "CATCH_UP", 1.0)
    create_pod(api_server, namespace, "changed")
    silent = Watches(SILENT)
    async with informing(through(api_server, liar.url), POD, options=QUICK) as informed:
        await informed.listener.until_synced(POD)
        liar.tell(silent)
        await until(silent.is_asked.is_set, "watching in vain")
        change_pod(api_server, namespace, "changed", labels={"app": "other"})
        await informed.listener.until(lambda: len(informed.changes(POD, namespace)) == 2, "listed")
        assert {outcome for _kind, outcome in informed.counter.restarts} == {RequestOutcome.ENDED}


async def test_a_watch_of_a_quiet_kind_says_how_far_it_has_told_everything(
    api_server: ApiServer, namespace: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The real server's bookmark after a count has at least its version, so a quiet kind needs no list."""
    monkeypatch.setattr(trust, "COUNT_EVERY", 0.0)
    monkeypatch.setattr(trust, "CATCH_UP", 600.0)
    async with informing(api_server, NODE, options=ReflectorOptions(watch_time=3.0)) as informed:
        await informed.listener.until_synced(NODE)
        path, meta = f"/api/v1/namespaces/{namespace}/configmaps", {"name": "something-else"}
        answer = api_server.request("POST", path, {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta})
        newest = json.loads(answer)["metadata"]["resourceVersion"]
        await until(lambda: not is_older(informed.source.resource_versions[NODE], newest), "as far as that")
        assert len(informed.counter.lists) == 1, (informed.counter.restarts, informed.out_of_touch)


async def test_what_no_watch_tells_comes_with_the_list_that_is_repeated(
    api_server: ApiServer, namespace: str, liar: Liar
) -> None:
    """A watch that hides a change and says that it has told everything is believed until `list_interval` is over."""
    create_pod(api_server, namespace, "changed")
    options = ReflectorOptions(watch_time=1.0, list_interval=2.0)
    async with informing(through(api_server, liar.url), POD, options=options) as informed:
        await informed.listener.until_synced(POD)
        hiding = Watches(SILENT, lambda: bookmark(api_server))
        liar.tell(hiding)
        await until(hiding.is_asked.is_set, "watching in vain")
        change_pod(api_server, namespace, "changed", labels={"app": "other"})
        await informed.listener.until(lambda: len(informed.changes(POD, namespace)) == 2, "listed")
        assert {outcome for _kind, outcome in informed.counter.restarts} == {RequestOutcome.ENDED}
        liar.stop_lying()


@pytest.mark.parametrize(
    ("body", "said", "most"),
    [(b"", "trying again", ("failures", 1)), (EXPIRED, "listing anew", ("pause", FIRST))],
    ids=["cut", "gone"],
)
async def test_watches_that_lived_are_no_failures_in_a_row(
    liar: Liar, monkeypatch: pytest.MonkeyPatch, body: bytes, said: str, most: tuple[str, float]
) -> None:
    """However often a watch ends that has lived for a while, the next request waits no longer than after the first."""
    monkeypatch.setattr(pacing, "LIVED", 0.2)
    monkeypatch.setattr(trust, "SPACING", 600.0)
    flapping = Watches(0.3, lambda: body)
    with capture_logs() as logs:
        async with informing(through(liar.server, liar.url), NODE, options=QUICK) as informed:
            await informed.listener.until_synced(NODE)
            liar.tell(flapping)
            await until(lambda: flapping.begun > 8, "ended again and again")
    key, limit = most
    waits = [each[key] for each in logs if each["event"] == said]
    assert len(waits) >= 7
    assert max(waits) <= limit
