"""Several watches of a real API server, each of some pods, tell together what one would."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import attrs
import pytest
from msgspec.structs import replace

from nqosd.api.changes import Change, ResourceKind
from nqosd.api.objects import Pod
from nqosd.informers.api_server import ApiServerSource
from nqosd.informers.merged import Merged
from nqosd.informers.reflector_steps import ReflectorOptions
from nqosd.informers.store import Store
from nqosd.kube.client import KubeClient
from nqosd.kube.credentials import KubeOptions
from tests.faults.liar import Answer, Liar
from tests.faults.manifests import pod
from tests.informers.informing import change_pod, create_pod, delete_pod, through
from tests.informers.listening import Listener, until
from tests.informers.wire import BY_KIND
from tests.services.kubernetes import ADMIN, ApiServer

POD = ResourceKind.POD
PODS = BY_KIND[POD]


@attrs.define
class Told:
    """A sink that counts what is synced."""

    listener: Listener = attrs.field(factory=Listener)
    synced_times: int = 0
    leaves: Callable[[], None] | None = None
    """What the first pod leads to."""

    def changed(self, changes: list[Change]) -> None:
        """Apply changes."""
        self.listener.changed(changes)
        if self.leaves is not None and any(change.kind is POD for change in changes):
            leave, self.leaves = self.leaves, None
            leave()

    def synced(self, kind: ResourceKind) -> None:
        """Count."""
        self.synced_times += kind is POD


@asynccontextmanager
async def hearing(server: ApiServer, told: Told) -> AsyncIterator[ApiServerSource]:
    """Watch namespaces beside the test, and of pods what the test says."""
    async with KubeClient(KubeOptions(kubeconfig=str(server.kubeconfig(ADMIN)))) as client:
        options = ReflectorOptions(watch_time=2)
        source = ApiServerSource(client, options=options, resources=[BY_KIND[ResourceKind.NAMESPACE]])
        task = asyncio.create_task(source.run(told))
        await until(lambda: bool(told.listener.tables[ResourceKind.NAMESPACE]), "begun")
        try:
            yield source
        finally:
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task


async def test_a_pod_is_there_as_long_as_one_watch_has_it(api_server: ApiServer, namespace: str) -> None:
    """A pod that leaves one selection stays while another has it, and goes with the last one."""
    told = Told()

    def names() -> set[str]:
        return {key.partition("/")[2] for key in told.listener.tables[POD] if key.startswith(f"{namespace}/")}

    def labels(name: str) -> object:
        found = told.listener.tables[POD][f"{namespace}/{name}"]
        assert isinstance(found, Pod)
        return found.labels

    create_pod(api_server, namespace, "one")
    create_pod(api_server, namespace, "two")
    async with hearing(api_server, told) as source:
        of_one = replace(PODS, namespace=namespace, labels="app=one")
        of_node = replace(PODS, node="node-1")
        source.watch(of_one)
        await until(lambda: source.is_synced(of_one), "listed")
        assert names() == {"one"}
        source.watch(of_node)
        await until(lambda: told.synced_times == 2, "told twice that it is synced")
        assert source.copies == 1
        assert names() == {"one", "two"}
        change_pod(api_server, namespace, "one", labels={"app": "other"})
        await until(lambda: labels("one") == {"app": "other"}, "relabelled")
        change_pod(api_server, namespace, "two", labels={"app": "one"})
        await until(lambda: labels("two") == {"app": "one"}, "relabelled")
        assert names() == {"one", "two"}
        await until(lambda: source.resource_versions[POD] != "", "known up to a version")
        source.leave(of_node)
        await until(lambda: names() == {"two"}, "left")
        assert list(source.parts) == [of_one]
        delete_pod(api_server, namespace, "two")
        await until(lambda: not names(), "gone")


async def test_kind_is_out_of_touch_while_any_of_its_watches_is(api_server: ApiServer, namespace: str) -> None:
    """A watch that the API server refuses makes the kind out of touch, until it is left."""
    reasons: list[str] = []

    def in_touch(kind: ResourceKind, *, is_in_touch: bool, reason: str = "") -> None:
        assert kind is POD
        assert bool(reason) is not is_in_touch
        reasons.append(reason)

    told = Told()
    async with KubeClient(KubeOptions(kubeconfig=str(api_server.kubeconfig(ADMIN)))) as client:
        source = ApiServerSource(client, resources=[BY_KIND[ResourceKind.NAMESPACE]], in_touch=in_touch)
        task = asyncio.create_task(source.run(told))
        await until(lambda: bool(told.listener.tables[ResourceKind.NAMESPACE]), "begun")
        good, bad = replace(PODS, namespace=namespace), replace(PODS, labels="a in (")
        source.watch(bad)
        source.watch(good)
        await until(lambda: source.is_synced(good) and bool(reasons), "refused")
        source.leave(bad)
        assert reasons[-1] == ""
        assert all(reasons[:-1])
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_a_watch_that_is_left_for_what_it_told_says_no_more(api_server: ApiServer, namespace: str) -> None:
    """It told of a pod and broke at once, so that it was left before it said that it is out of touch."""
    out_of_touch: list[str] = []

    def in_touch(kind: ResourceKind, *, is_in_touch: bool, reason: str = "") -> None:
        assert kind is POD
        out_of_touch.extend([] if is_in_touch else [reason])

    one = replace(PODS, namespace=namespace)
    told = Told()
    with Liar(api_server) as liar:
        async with KubeClient(through(api_server, liar.url)) as client:
            source = ApiServerSource(client, resources=[BY_KIND[ResourceKind.NAMESPACE]], in_touch=in_touch)
            told.leaves = lambda: source.leave(one)
            task = asyncio.create_task(source.run(told))
            await until(lambda: bool(told.listener.tables[ResourceKind.NAMESPACE]), "begun")
            told_of = {**pod(namespace, "one", 1), "apiVersion": "v1"}
            told_of["metadata"] = {"name": "one", "namespace": namespace, "resourceVersion": "5"}
            broken = json.dumps({"type": "ADDED", "object": told_of}).encode() + b"\n<html>\n"
            liar.tell(lambda path: Answer(broken) if path.startswith(f"{one.path}?") else None)
            source.watch(one)
            await until(lambda: not source.parts, "left")
            await asyncio.sleep(0.2)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
    assert told.listener.tables[POD] == {}
    assert out_of_touch == []


async def test_who_waits_for_all_lists_waits_for_no_watch_that_was_left(api_server: ApiServer, namespace: str) -> None:
    """All watches that there are list anew when they are asked to; one that ends before it has keeps nobody waiting."""
    told = Told()
    async with hearing(api_server, told) as source:
        kept, left = replace(PODS, namespace=namespace), replace(PODS, node="node-1")
        for each in (kept, left):
            source.watch(each)
        await until(lambda: told.synced_times == 2, "listed")
        reflectors = source._reflectors
        reflectors[left].list_again("a test", time.monotonic() + 3600)
        asked = asyncio.create_task(source.list_again("a test", [POD]))
        await asyncio.sleep(0)
        assert reflectors[kept].is_to_list
        await until(lambda: not reflectors[kept].is_to_list, "listed anew")
        await asyncio.sleep(0)
        assert not asked.done()
        source.leave(left)
        async with asyncio.timeout(10):
            await asked


def _pod(label: str) -> Pod:
    return Pod("a", "p", {"app": label})


def test_the_newest_version_counts_and_not_who_told_last() -> None:
    """A watch that lags tells an older state of a pod, which changes nothing, and its end deletes nothing."""
    listener = Listener()
    merged = Merged(listener)
    first, second = Store(POD, keeps_versions=True), Store(POD, keeps_versions=True)
    for store in (first, second):
        merged.add(store)

    def put(store: Store, label: str, version: str) -> None:
        change = store.put("a/p", _pod(label), 0.0, version)
        merged.changed([change] if change else [])

    put(first, "new", "10")
    put(second, "old", "9")
    assert listener.tables[POD] == {"a/p": _pod("new")}
    put(second, "newest", "11")
    assert listener.tables[POD] == {"a/p": _pod("newest")}
    merged.remove(first)
    assert listener.tables[POD] == {"a/p": _pod("newest")}
    merged.remove(second)
    assert listener.tables[POD] == {}
