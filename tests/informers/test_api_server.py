"""The informers of a real API server, when nothing fails."""

import asyncio
import itertools

from msgspec.structs import replace

from nqosd.api.changes import Change, ResourceKind
from nqosd.api.objects import Attachment, Namespace, Pod
from nqosd.informers.reflector_steps import ReflectorOptions
from nqosd.informers.transitions import RequestOutcome
from tests.informers.informing import change_pod, create_pod, delete_pod, give_address, informing
from tests.services.kubernetes import ApiServer


async def test_objects_that_are_there_are_told_before_synced(api_server: ApiServer, namespace: str) -> None:
    """The first list tells every object, and then that it has."""
    create_pod(api_server, namespace, "one")
    async with informing(api_server, ResourceKind.POD, ResourceKind.NAMESPACE) as informed:
        await informed.listener.until_synced(ResourceKind.POD, ResourceKind.NAMESPACE)
        assert informed.keys(ResourceKind.POD, namespace) == {"one"}
        told = informed.listener.tables[ResourceKind.NAMESPACE][namespace]
        assert told == Namespace(namespace, {"kubernetes.io/metadata.name": namespace})
        assert {kind for kind, _ in informed.counter.lists} == {ResourceKind.POD, ResourceKind.NAMESPACE}


async def test_changes_are_told_one_by_one(api_server: ApiServer, namespace: str) -> None:
    """Creation, address, labels and deletion of a pod are each told with what was there before."""
    async with informing(api_server, ResourceKind.POD) as informed:
        await informed.listener.until_synced(ResourceKind.POD)
        create_pod(api_server, namespace, "one")
        give_address(api_server, namespace, "one", "10.0.0.1")
        change_pod(api_server, namespace, "one", labels={"app": "two"})
        delete_pod(api_server, namespace, "one")
        await informed.listener.until(lambda: len(informed.changes(ResourceKind.POD, namespace)) == 4, "told")
        changes = informed.changes(ResourceKind.POD, namespace)
    first = changes[0].new
    assert isinstance(first, Pod)
    new = Pod(namespace, "one", {"app": "one"}, "node-1", created=first.created)
    addressed = replace(new, attachments=(Attachment("default", ("10.0.0.1",)),))
    labelled = replace(addressed, labels={"app": "two"})
    states = [None, new, addressed, labelled, None]
    key = f"{namespace}/one"
    expected = [Change(ResourceKind.POD, key, old, now) for old, now in itertools.pairwise(states)]
    assert [(it.kind, it.key, it.old, it.new) for it in changes] == [
        (it.kind, it.key, it.old, it.new) for it in expected
    ]
    assert informed.counter.received[ResourceKind.POD] >= 4


async def test_a_change_that_no_policy_depends_on_is_not_told(api_server: ApiServer, namespace: str) -> None:
    """An annotation that nobody reads is an event, but no change."""
    create_pod(api_server, namespace, "one")
    async with informing(api_server, ResourceKind.POD) as informed:
        await informed.listener.until_synced(ResourceKind.POD)
        received = informed.counter.received[ResourceKind.POD]
        path = f"/api/v1/namespaces/{namespace}/pods/one"
        body = {"metadata": {"annotations": {"heartbeat": "1"}}}
        api_server.request("PATCH", path, body, content_type="application/merge-patch+json")
        await informed.listener.until(lambda: informed.counter.received[ResourceKind.POD] > received, "received")
        assert [change.old for change in informed.changes(ResourceKind.POD, namespace)] == [None]


async def test_an_event_longer_than_any_buffer_is_told(api_server: ApiServer, namespace: str) -> None:
    """A pod with annotations of 250 KB, as many as are allowed, is one event like others."""
    async with informing(api_server, ResourceKind.POD) as informed:
        await informed.listener.until_synced(ResourceKind.POD)
        create_pod(api_server, namespace, "long", {"filler": "x" * 250_000})
        create_pod(api_server, namespace, "short")
        await informed.listener.until(lambda: informed.keys(ResourceKind.POD, namespace) == {"long", "short"}, "told")
        assert informed.counter.restarts == []


async def test_every_resource_that_this_cluster_has_is_synced(api_server: ApiServer) -> None:
    """Resources whose definitions aren't installed are synced too, and are known to be missing."""
    async with informing(api_server, *ResourceKind) as informed:
        await informed.listener.until_synced(*ResourceKind)
    missing = {kind for kind, is_installed in informed.counter.installations if not is_installed}
    assert missing.isdisjoint({ResourceKind.POD, ResourceKind.NAMESPACE, ResourceKind.NODE})
    assert {reason for _, reason in informed.counter.restarts} <= {RequestOutcome.ENDED}


async def test_some_kinds_can_be_listed_anew(api_server: ApiServer) -> None:
    """Only those are, and whoever asked waits until they have been."""
    options = ReflectorOptions(watch_time=2)
    async with informing(api_server, ResourceKind.POD, ResourceKind.NODE, options=options) as informed:
        again = asyncio.create_task(informed.source.list_again("why", [ResourceKind.POD]))
        await informed.listener.until(lambda: informed.out_of_touch == {ResourceKind.POD: "why"}, "asked")
        await asyncio.wait_for(again, 60)
        assert informed.out_of_touch.get(ResourceKind.POD) != "why"
