"""Whether a server knows a resource at all, by the discovery of its APIs.

In: a resource that the server answered with 404. Out: whether there is no such resource. Rule: only a server that says
itself which APIs it has, and doesn't name this one, is believed. A load balancer without a backend says 404 as well,
and to believe it would delete every policy's rows.
"""

from typing import Literal

import msgspec

from nqosd.api.decoding.metadata import MALFORMED
from nqosd.informers.resources import Resource
from nqosd.kube.client import KubeClient, KubeConnectionError
from nqosd.kube.credentials import KubeConfigError

OK = 200


class _Version(msgspec.Struct, gc=False, rename="camel"):
    group_version: str


class _Group(msgspec.Struct, gc=False):
    versions: list[_Version]


class _Groups(msgspec.Struct, gc=False):
    kind: Literal["APIGroupList"]
    groups: list[_Group]


class _Resource(msgspec.Struct, gc=False):
    name: str


class _Resources(msgspec.Struct, gc=False):
    kind: Literal["APIResourceList"]
    resources: list[_Resource]


_groups = msgspec.json.Decoder(_Groups)
_resources = msgspec.json.Decoder(_Resources)


async def is_missing(client: KubeClient, resource: Resource) -> bool:
    """Ask a server whether it has no such resource; false as well if it doesn't say."""
    try:
        groups = _groups.decode(await _get(client, "/apis")).groups
        versions = {version.group_version for group in groups for version in group.versions}
        if resource.api_version not in versions:
            return bool(versions)
        known = _resources.decode(await _get(client, f"/apis/{resource.api_version}")).resources
    except (KubeConnectionError, KubeConfigError, *MALFORMED):
        return False
    return all(each.name != resource.plural for each in known)


async def _get(client: KubeClient, path: str) -> bytes:
    """GET what a server says of its APIs; nothing if it refuses."""
    response = await client.request("GET", path)
    return response.body if response.status == OK else b""
