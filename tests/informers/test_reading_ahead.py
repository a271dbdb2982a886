"""What takes long to read is read in a thread, and says what it says anywhere."""

import json
import threading
from typing import cast

import pytest
from msgspec.structs import replace

from nqosd.api.changes import ResourceKind
from nqosd.api.decoding import DecodeError
from nqosd.informers.answers import ReadAhead, read_event, read_page
from nqosd.informers.observer import InformerObserver
from nqosd.informers.reflector import Reflector
from nqosd.informers.reflector_driver import LIGHT_POLICIES, ReflectorDriver, Shared
from nqosd.informers.reflector_reports import Reporter
from nqosd.informers.resources import AnyDecoded
from tests.api import manifests
from tests.informers import wire
from tests.informers.wire import BY_KIND

POLICIES = BY_KIND[ResourceKind.NETWORK_QOS]


def test_what_was_read_ahead_is_what_reading_gives() -> None:
    """Events, bookmarks, failures and pages are the same; what can't be read raises the same error."""
    network = wire.network("one", 1)
    lines = [wire.event("ADDED", network), wire.bookmark(9, end=True), wire.error(410, "gone"), b"{", b'{"type":"X"}']
    ahead = ReadAhead(read_event, lines, wire.NETWORKS)
    for line in lines[:3]:
        assert ahead(line, wire.NETWORKS) == read_event(line, wire.NETWORKS)
    for line in lines[3:]:
        with pytest.raises(DecodeError) as expected:
            read_event(line, wire.NETWORKS)
        with pytest.raises(DecodeError, match=f"^{expected.value}$"):
            ahead(line, wire.NETWORKS)
    page = wire.page([network], 7)
    assert ReadAhead(read_page, [page], wire.NETWORKS)(page, wire.NETWORKS) == read_page(page, wire.NETWORKS)


@pytest.mark.parametrize("size", [1, LIGHT_POLICIES])
async def test_a_long_policy_is_read_in_a_thread(size: int) -> None:
    """The event loop reads a short one itself, and what both say is told in the event loop."""
    readers: list[threading.Thread] = []

    def decode(raw: bytes) -> AnyDecoded:
        readers.append(threading.current_thread())
        return POLICIES.decode(raw)

    resource = replace(POLICIES, decode=decode)
    reflector = Reflector(resource, 0.0)
    driver = ReflectorDriver(reflector, cast("Shared", None), Reporter(resource, InformerObserver()))
    policy = json.loads(manifests.policy({"priority": 1, "egress": [{"dscp": 1}]}, annotations={"x": "y" * size}))
    line = wire.event("ADDED", policy)
    read = await driver._reader(read_event, [line])
    step = reflector.lines([line], 0.0, read)
    assert [change.key for change in step.changes] == ["shop/limit"]
    assert [reader is threading.main_thread() for reader in readers] == [size == 1]
