"""Of kinds of which nqosd needs no more, an API server sends the metadata alone."""

import asyncio
import json
from collections.abc import Iterator
from http import HTTPStatus

import pytest
from msgspec.structs import replace

from nqosd.api.changes import ResourceKind
from nqosd.api.decoding import DecodeError
from nqosd.api.objects import Node
from nqosd.informers.answers import ObjectEvent, read_event, read_page
from nqosd.informers.api_server import ApiServerSource
from nqosd.informers.reflector import Reflector
from nqosd.informers.reflector_steps import ReflectorOptions
from nqosd.informers.resources import AnyDecoded, Resource
from nqosd.kube.client import KubeClient
from nqosd.kube.credentials import KubeOptions
from tests.informers.listening import Listener
from tests.informers.test_served_schema import CRD
from tests.informers.wire import BY_KIND
from tests.services.kubernetes import ADMIN, ApiServer

NODES = BY_KIND[ResourceKind.NODE]
NAME = "only-metadata"
MERGE = "application/merge-patch+json"
PARTIAL = {"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1"}
META = {"name": NAME, "resourceVersion": "5"}


@pytest.fixture
def node(api_server: ApiServer) -> Iterator[str]:
    """Create a node with labels, a range and a status."""
    metadata = {"name": NAME, "annotations": {"k8s.ovn.org/node-subnets": '{"default": ["10.244.0.0/24"]}'}}
    status = {"images": [{"names": [f"image-{number}"], "sizeBytes": number} for number in range(50)]}
    api_server.request("POST", NODES.path, {"apiVersion": "v1", "kind": "Node", "metadata": metadata, "status": status})
    yield f"{NODES.path}/{NAME}"
    api_server.request("DELETE", f"{NODES.path}/{NAME}")


async def test_no_more_than_metadata_is_sent(api_server: ApiServer, node: str) -> None:
    """Neither a list of nodes nor a watch brings a spec or a status, and what is read of them is all there."""
    sent: list[bytes] = []

    def decode(raw: bytes) -> AnyDecoded:
        sent.append(bytes(raw))
        return NODES.decode(raw)

    zone = {"metadata": {"annotations": {"k8s.ovn.org/zone-name": "west"}}}
    listener = Listener()
    async with KubeClient(KubeOptions(kubeconfig=str(api_server.kubeconfig(ADMIN)))) as client:
        source = ApiServerSource(client, resources=[replace(NODES, decode=decode)])
        task = asyncio.create_task(source.run(listener))
        await listener.until_synced(ResourceKind.NODE)
        wanted = Node(NAME, "", {"default": ("10.244.0.0/24",)})
        assert listener.tables[ResourceKind.NODE][NAME] == wanted
        api_server.request("PATCH", node, zone, content_type=MERGE)
        changed = replace(wanted, zone="west")
        await listener.until(lambda: listener.tables[ResourceKind.NODE][NAME] == changed, "told")
        page = await client.request("GET", NODES.path, headers={"Accept": NODES.accept(is_list=True)})
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    assert page.status == HTTPStatus.OK
    _page, found = read_page(page.body, replace(NODES, decode=decode))
    assert changed in [each.value for each in found]
    assert {tuple(sorted(json.loads(raw))) for raw in sent} == {("apiVersion", "kind", "metadata")}


@pytest.mark.parametrize(
    "kind", [ResourceKind.NAMESPACE, ResourceKind.NODE, ResourceKind.POD, ResourceKind.NETWORK_QOS]
)
async def test_an_empty_list_of_metadata_has_no_items(api_server: ApiServer, kind: ResourceKind) -> None:
    """A kube-apiserver writes `items: null` for every kind, which is why no `null` there is refused."""
    if kind is ResourceKind.NETWORK_QOS:
        api_server.apply_crds(CRD.read_text())
    resource = replace(BY_KIND[kind], only_metadata=True)
    async with KubeClient(KubeOptions(kubeconfig=str(api_server.kubeconfig(ADMIN)))) as client:
        page = await client.request(
            "GET",
            resource.path,
            query={"labelSelector": "nobody=has-it"},
            headers={"Accept": resource.accept(is_list=True)},
        )
    assert page.status == HTTPStatus.OK
    assert json.loads(page.body)["items"] is None
    assert read_page(page.body, resource)[1] == []


@pytest.mark.parametrize("left", [0, 1])
@pytest.mark.parametrize("resource", [each for each in BY_KIND.values() if each.only_metadata], ids=str)
def test_that_few_objects_of_metadata_have_gone_is_believed_the_second_time(resource: Resource, left: int) -> None:
    """A list of metadata may be one of another kind, so that it removes no more than ten objects says nothing."""
    reflector = Reflector(resource, 0.0, ReflectorOptions(), uniform=lambda: 0.5)
    reflector.refused(422, b"{}", 0.0)
    reflector.waited(0.0)
    listed = {
        "kind": f"{PARTIAL['kind']}List",
        "apiVersion": PARTIAL["apiVersion"],
        "metadata": {"resourceVersion": "9"},
    }
    within = {"namespace": "games"} if resource.namespaced else {}
    items = [{**PARTIAL, "metadata": {**META, **within, "name": f"{NAME}-{number}"}} for number in range(3)]
    reflector.page(json.dumps({**listed, "items": items}).encode(), 0.0)
    reflector.lines([json.dumps({"type": "ERROR", "object": {"kind": "Status", "code": 410}}).encode()], 1.0)
    reflector.waited(6.0)
    less = json.dumps({**listed, "items": items[:left] or None}).encode()
    assert reflector.page(less, 6.0).changes == []
    assert f"{3 - left} of 3 objects" in reflector.doubt
    reflector.waited(9.0)
    assert [change.new for change in reflector.page(less, 9.0).changes] == [None] * (3 - left)


@pytest.mark.parametrize("resource", [each for each in BY_KIND.values() if not each.namespaced], ids=str)
def test_an_object_of_a_namespace_is_none_of_a_kind_without(resource: Resource) -> None:
    """Else the end of anything that is called "default" would be the end of that namespace, or of a node."""
    for namespace in ("", "games"):
        meta = {**META, "name": "default", **({"namespace": namespace} if namespace else {})}
        line = json.dumps({"type": "DELETED", "object": {**PARTIAL, "metadata": meta}}).encode()
        if namespace:
            with pytest.raises(DecodeError, match=r"metadata\.namespace: 'games'"):
                read_event(line, resource)
        else:
            assert isinstance(read_event(line, resource), ObjectEvent)


def test_the_metadata_of_an_object_is_believed_only_where_it_was_asked_for() -> None:
    """A server that sends whole objects is understood too; a pod without anything but metadata is none."""
    whole = {"kind": "Node", "apiVersion": "v1", "metadata": META}
    for item in (PARTIAL, whole):
        line = json.dumps({"type": "ADDED", "object": {**item, "metadata": META}}).encode()
        body = json.dumps({**item, "kind": f"{item['kind']}List", "items": [{**item, "metadata": META}]}).encode()
        body = body.replace(b'"items"', b'"metadata": {"resourceVersion": "5"}, "items"')
        read_event(line, NODES)
        assert [each.value for each in read_page(body, NODES)[1]] == [Node(NAME)]
        for other in (BY_KIND[ResourceKind.POD], BY_KIND[ResourceKind.NAMESPACE]):
            if item is PARTIAL and other.only_metadata:
                continue
            with pytest.raises(DecodeError, match="instead of"):
                read_event(line, other)
            with pytest.raises(DecodeError, match="instead of"):
                read_page(body, other)
