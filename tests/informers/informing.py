"""Informers of a real API server beside a test, and the objects that tests put there."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import attrs
import pytest

from nqosd.api.changes import Change, ResourceKind
from nqosd.informers.api_server import ApiServerSource
from nqosd.informers.reflector_steps import ReflectorOptions
from nqosd.kube.client import KubeClient
from nqosd.kube.credentials import KubeOptions
from tests.informers.listening import Counter, Listener
from tests.informers.wire import BY_KIND
from tests.services.kubernetes import ADMIN, ApiServer


@attrs.define
class Informed:
    """A running source: what it told and what it counted."""

    listener: Listener
    counter: Counter
    client: KubeClient
    source: ApiServerSource = attrs.field(init=False)
    out_of_touch: dict[ResourceKind, str] = attrs.field(factory=dict)
    """Why changes of a kind may go unheard now."""

    def in_touch(self, kind: ResourceKind, *, is_in_touch: bool, reason: str = "") -> None:
        """Take whether changes of a kind are heard."""
        assert bool(reason) is not is_in_touch
        if is_in_touch:
            del self.out_of_touch[kind]
        else:
            self.out_of_touch[kind] = reason

    def keys(self, kind: ResourceKind, namespace: str) -> set[str]:
        """Give the names of a namespace's objects that are there."""
        prefix = f"{namespace}/"
        return {key.removeprefix(prefix) for key in self.listener.tables[kind] if key.startswith(prefix)}

    def changes(self, kind: ResourceKind, namespace: str) -> list[Change]:
        """Give the changes of a namespace's objects."""
        return [it for it in self.listener.changes if it.kind is kind and it.key.startswith(f"{namespace}/")]


@asynccontextmanager
async def informing(
    given: ApiServer | KubeOptions, *kinds: ResourceKind, options: ReflectorOptions | None = None
) -> AsyncIterator[Informed]:
    """Run the informers of some kinds beside the test, by default as the administrator; they end by cancellation."""
    kube = given if isinstance(given, KubeOptions) else KubeOptions(kubeconfig=str(given.kubeconfig(ADMIN)))
    listener, counter = Listener(), Counter()
    async with KubeClient(kube) as client:
        resources = [BY_KIND[kind] for kind in kinds]
        informed = Informed(listener, counter, client)
        informed.source = ApiServerSource(
            client, options=options, observer=counter, resources=resources, in_touch=informed.in_touch
        )
        task = asyncio.create_task(informed.source.run(listener))
        try:
            yield informed
        finally:
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task


def create_pod(server: ApiServer, namespace: str, name: str, annotations: Mapping[str, str] | None = None) -> None:
    """Create a pod on a node."""
    body = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": namespace, "labels": {"app": name}, "annotations": annotations or {}},
        "spec": {"nodeName": "node-1", "containers": [{"name": "main", "image": "none"}]},
    }
    server.request("POST", f"/api/v1/namespaces/{namespace}/pods", body)


def change_pod(server: ApiServer, namespace: str, name: str, *, labels: Mapping[str, str]) -> None:
    """Change a pod's labels."""
    path = f"/api/v1/namespaces/{namespace}/pods/{name}"
    server.request("PATCH", path, {"metadata": {"labels": labels}}, content_type="application/merge-patch+json")


def give_address(server: ApiServer, namespace: str, name: str, address: str) -> None:
    """Do what a kubelet does when a pod has got its address."""
    path = f"/api/v1/namespaces/{namespace}/pods/{name}/status"
    body = {"status": {"podIP": address, "podIPs": [{"ip": address}]}}
    server.request("PATCH", path, body, content_type="application/merge-patch+json")


def delete_pod(server: ApiServer, namespace: str, name: str) -> None:
    """Delete a pod at once."""
    server.request("DELETE", f"/api/v1/namespaces/{namespace}/pods/{name}", {"gracePeriodSeconds": 0})


def through(server: ApiServer, url: str) -> KubeOptions:
    """Give options of the administrator that reach a server by an address, such as that of a proxy before it."""
    token = server.directory / "admin-token"
    token.write_text(server.tokens[ADMIN])
    return KubeOptions(server=url, ca_file=str(server.ca_file), token_file=str(token))


def names_of(answer: bytes) -> set[str]:
    """Give the names of the objects in a list."""
    return {item["metadata"]["name"] for item in json.loads(answer)["items"]}
