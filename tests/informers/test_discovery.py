"""What a server says of its APIs, where that is nothing that a server says."""

from typing import cast

import pytest

from nqosd.api.changes import ResourceKind
from nqosd.informers.discovery import is_missing
from nqosd.kube.client import KubeClient, Response
from tests.informers.wire import BY_KIND

DEEP = "[" * 100_000 + "]" * 100_000


class Saying:
    """A client that gets the same answer to whatever it asks."""

    def __init__(self, body: str) -> None:
        self.body = body.encode()

    async def request(self, _method: str, _path: str) -> Response:
        """Give the answer."""
        return Response(200, self.body)


@pytest.mark.parametrize(
    "body",
    ["", "null", '{"kind": "APIGroupList", "groups": []}', f'{{"kind": "APIGroupList", "groups": [], "more": {DEEP}}}'],
    ids=["nothing", "null", "no groups", "deep"],
)
async def test_who_says_nothing_of_its_apis_is_not_believed_to_lack_one(body: str) -> None:
    """Nor is it an error of ours: the definition counts as being there."""
    assert not await is_missing(cast("KubeClient", Saying(body)), BY_KIND[ResourceKind.NETWORK_QOS])
