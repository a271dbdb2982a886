"""A light API server for benchmarks: lists (paged, and streamed as WatchList) and watches over HTTP, nothing else true.

It is a fake because a real kube-apiserver with etcd takes minutes to be given 100,000 pods, and most of two cores
while it streams them. What it sends has the form and the size of what a real one sends. It runs in a process of its
own: `python -m tools.bench.fake_api PORT PODS POLICIES RULES`.

In: what the benchmark asks for under `/bench/`. Out: events; for each the moment (CLOCK_MONOTONIC, the same in all
processes) just before it was written to the watchers. Rule: no event is dropped, and none is sent twice.
"""

import asyncio
import json
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import cast

import attrs
from aiohttp import web

from nqosd.informers.resources import RESOURCES, Resource
from tests.api.manifests import Json, wire
from tools.bench.workload import EVERYTHING, Pods, Size, address, policy, policy_for_all, surroundings

CHUNK = 1 << 17
"""Bytes of a list that are written at once."""
CHURN_AGE = 500
"""How many pods later a pod of the churn is deleted again."""
INITIAL_EVENTS_END = {"k8s.io/initial-events-end": "true"}
BY_PLURAL: Mapping[str, Resource] = {resource.plural: resource for resource in RESOURCES}


@attrs.define(eq=False)
class _Store:
    """The objects of one resource as bytes, its events, and who watches it."""

    objects: dict[str, bytes] = attrs.field(factory=dict)
    log: list[tuple[int, bytes]] = attrs.field(factory=list)
    watchers: set[web.StreamResponse] = attrs.field(factory=set)


class FakeApi:
    """The server's state and its handlers."""

    def __init__(self, size: Size) -> None:
        self._version = 1
        self._first_list: float | None = None
        self._stores = {name: _Store() for name in BY_PLURAL}
        self._leases: dict[str, Json] = {}
        self._pods = Pods(size.policies)
        for name, described in surroundings():
            self._set(name, described)
        self._policies = {f"policy-{number}": policy(number, size.rules) for number in range(size.policies)}
        for described in self._policies.values():
            self._set("networkqoses", described)
        for number in range(size.pods):
            self._version += 1
            self._stores["pods"].objects[f"pod-{number}"] = self._pods.render(number, self._version)

    def application(self) -> web.Application:
        """Give the web application."""
        application = web.Application(client_max_size=1 << 26)
        for name, resource in BY_PLURAL.items():
            application.router.add_get(resource.path, self._handler(name))
        policies = "/apis/k8s.ovn.org/v1alpha1/namespaces/{namespace}/networkqoses/{name}/status"
        application.router.add_patch(policies, self._patch_status)
        application.router.add_post("/apis/events.k8s.io/v1/namespaces/{namespace}/events", _accept)
        leases = "/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases"
        application.router.add_get(leases, self._list_leases)
        application.router.add_post(leases, self._put_lease)
        application.router.add_get(f"{leases}/{{name}}", self._get_lease)
        application.router.add_route("*", f"{leases}/{{name}}", self._put_lease)
        application.router.add_get("/bench/first-list", self._tell_first_list)
        application.router.add_post("/bench/pods", self._add_pods)
        application.router.add_post("/bench/churn", self._churn)
        application.router.add_post("/bench/policy", self._add_policy)
        application.router.add_post("/bench/objects", self._add_objects)
        return application

    def _set(self, resource: str, described: Json) -> bytes:
        """Put an object at a new version; gives its bytes."""
        self._version += 1
        meta = cast("Json", described["metadata"])
        meta["resourceVersion"] = f"{self._version}"
        raw = self._stores[resource].objects[str(meta["name"])] = wire(described)
        return raw

    async def _tell(self, resource: str, kind: str, *raws: bytes) -> float:
        """Write an event for each object to all watchers, in one piece; gives the moment before."""
        store = self._stores[resource]
        line = b"".join([b'{"type":"%b","object":%b}\n' % (kind.encode(), raw) for raw in raws])
        store.log.append((self._version, line))
        now = time.monotonic()
        for watcher in list(store.watchers):
            try:
                await watcher.write(line)
            except ConnectionResetError:  # the client has gone; its next watch gets what is in the log
                store.watchers.discard(watcher)
        return now

    def _handler(self, resource: str) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        async def handle(request: web.Request) -> web.StreamResponse:
            if self._first_list is None:
                self._first_list = time.monotonic()
            if "watch" in request.query:
                return await self._watch(resource, request)
            return self._page(resource, request.query)

        return handle

    def _page(self, resource: str, query: Mapping[str, str]) -> web.Response:
        raws = list(self._stores[resource].objects.values())
        begin, limit = int(query.get("continue", "0")), int(query.get("limit", "0")) or len(raws)
        meta = {"resourceVersion": f"{self._version}"}
        if begin + limit < len(raws):
            meta["continue"] = f"{begin + limit}"
        items = b",".join(raws[begin : begin + limit])
        told = BY_PLURAL[resource]
        kind, version = f"{told.kind}List".encode(), told.api_version.encode()
        return _json(b'{"kind":"%b","apiVersion":"%b","metadata":%b,"items":[%b]}' % (kind, version, wire(meta), items))

    async def _watch(self, resource: str, request: web.Request) -> web.StreamResponse:
        store = self._stores[resource]
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        response.enable_chunked_encoding()
        await response.prepare(request)
        if request.query.get("sendInitialEvents") == "true":
            version = self._version
            async for chunk in self._initial(resource, list(store.objects.values())):
                await response.write(chunk)
        else:
            version = int(request.query["resourceVersion"])
        place = next((place for place, (when, _line) in enumerate(store.log) if when > version), len(store.log))
        while place < len(store.log):
            await response.write(store.log[place][1])
            place += 1
        store.watchers.add(response)
        try:
            await asyncio.sleep(float(request.query["timeoutSeconds"]))
        finally:
            store.watchers.discard(response)
        return response

    async def _initial(self, resource: str, raws: list[bytes]) -> AsyncIterator[bytes]:
        """Give the first part of a streamed list in large chunks; the bookmark at its end carries the version."""
        version = self._version
        chunk = bytearray()
        for raw in raws:
            chunk += b'{"type":"ADDED","object":%b}\n' % raw
            if len(chunk) > CHUNK:
                yield bytes(chunk)
                chunk.clear()
        meta = {"resourceVersion": f"{version}", "annotations": INITIAL_EVENTS_END}
        marked = {"apiVersion": BY_PLURAL[resource].api_version, "kind": BY_PLURAL[resource].kind, "metadata": meta}
        yield bytes(chunk) + wire({"type": "BOOKMARK", "object": marked}) + b"\n"

    async def _patch_status(self, request: web.Request) -> web.Response:
        """Take a status by a JSON patch, whose tests all hold here."""
        described = self._policies.get(request.match_info["name"])
        if described is None:
            return _json(wire({"kind": "Status", "code": 404, "reason": "NotFound"}), 404)
        described["status"] = json.loads(await request.read())[-1]["value"]
        raw = self._set("networkqoses", described)
        await self._tell("networkqoses", "MODIFIED", raw)
        return _json(raw)

    async def _list_leases(self, _request: web.Request) -> web.Response:
        zones = [each for name, each in self._leases.items() if name.startswith("nqosd-zone-")]
        kind = {"apiVersion": "coordination.k8s.io/v1", "kind": "LeaseList"}
        return _json(wire({**kind, "metadata": {"resourceVersion": f"{self._version}"}, "items": zones}))

    async def _get_lease(self, request: web.Request) -> web.Response:
        found = self._leases.get(request.match_info["name"])
        return (
            _json(wire({"kind": "Status", "code": 404, "reason": "NotFound"}), 404)
            if found is None
            else _json(wire(found))
        )

    async def _put_lease(self, request: web.Request) -> web.Response:
        """Keep a Lease as it is sent: there is one daemon."""
        lease = json.loads(await request.read())
        self._leases[lease["metadata"]["name"]] = lease
        return _json(wire(lease))

    async def _tell_first_list(self, _request: web.Request) -> web.Response:
        moment, self._first_list = self._first_list, None
        return web.json_response(moment)

    async def _add_pods(self, request: web.Request) -> web.Response:
        """Add `count` pods at once, beginning with number `first`; answers when each was written, by address."""
        first, count = int(request.query["first"]), int(request.query["count"])
        numbers = range(first, first + count)
        moment = await self._tell("pods", "ADDED", *map(self._new, numbers))
        return web.json_response({address(number): moment for number in numbers})

    async def _churn(self, request: web.Request) -> web.Response:
        """Make so many pod events a second, half of them additions and half deletions; answers as `_add_pods`."""
        first, rate = int(request.query["first"]), float(request.query["rate"])
        events = int(rate * float(request.query["seconds"]))
        begin, written, oldest, newest = time.monotonic(), {}, first, first
        for number in range(events):
            await asyncio.sleep(max(0.0, begin + number / rate - time.monotonic()))
            if newest - oldest > CHURN_AGE:
                await self._remove(oldest)
                oldest += 1
            else:
                written[address(newest)] = await self._tell("pods", "ADDED", self._new(newest))
                newest += 1
        for number in range(oldest, newest):
            await self._remove(number)
        return web.json_response(written)

    def _new(self, number: int) -> bytes:
        """Make a pod."""
        self._version += 1
        raw = self._stores["pods"].objects[f"pod-{number}"] = self._pods.render(number, self._version)
        return raw

    async def _remove(self, number: int) -> None:
        self._version += 1
        del self._stores["pods"].objects[f"pod-{number}"]
        await self._tell("pods", "DELETED", self._pods.render(number, self._version))

    async def _add_policy(self, _request: web.Request) -> web.Response:
        self._policies[EVERYTHING] = policy_for_all()
        return web.json_response(
            await self._tell("networkqoses", "ADDED", self._set("networkqoses", self._policies[EVERYTHING]))
        )

    async def _add_objects(self, request: web.Request) -> web.Response:
        """Add the objects of a list, each in an event of its own; answers when the first was written."""
        resource, moments = request.query["resource"], []
        for described in json.loads(await request.read()):
            if resource == "networkqoses":
                self._policies[str(described["metadata"]["name"])] = described
            moments.append(await self._tell(resource, "ADDED", self._set(resource, described)))
        return web.json_response(moments[0])


def _json(body: bytes, status: int = 200) -> web.Response:
    return web.Response(body=body, status=status, content_type="application/json")


async def _accept(_request: web.Request) -> web.Response:
    return _json(b"{}", 201)


def main() -> None:
    """Serve until killed."""
    port, pods, policies, rules = map(int, sys.argv[1:])
    web.run_app(
        FakeApi(Size(pods, policies, rules)).application(),
        host="127.0.0.1",
        port=port,
        print=None,
        shutdown_timeout=0.1,
    )


if __name__ == "__main__":
    main()
