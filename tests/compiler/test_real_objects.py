"""What a real ovn-kubernetes wrote counts: `ovn_kubernetes/` has its definitions, nodes and pods' annotations."""

import json
from pathlib import Path

from nqosd.api.changes import Change, ResourceKind
from nqosd.cache.tables import Tables
from nqosd.compiler.definition import all_places
from nqosd.compiler.network_switches import Networks
from nqosd.compiler.pod_addresses import Zone
from tests.api.manifests import POD_NETWORKS, Json, wire
from tests.informers.wire import BY_KIND

FILES = Path(__file__).parent / "ovn_kubernetes"


def tables() -> Tables:
    """Decode all of it."""
    found = Tables()
    pods: list[Json] = [
        {
            "metadata": {
                "namespace": key.partition("/")[0],
                "name": key.partition("/")[2],
                "annotations": {POD_NETWORKS: pod["pod-networks"]},
            },
            "spec": {"nodeName": pod["node"]},
        }
        for key, pod in json.loads((FILES / "pods.json").read_text()).items()
    ]
    items: dict[ResourceKind, list[Json]] = {
        ResourceKind.NETWORK_ATTACHMENT_DEFINITION: json.loads((FILES / "nads.json").read_text())["items"],
        ResourceKind.NODE: json.loads((FILES / "nodes.json").read_text())["items"],
        ResourceKind.POD: pods,
    }
    for kind, manifests in items.items():
        for manifest in manifests:
            value = BY_KIND[kind].decode(wire(manifest)).value
            assert not getattr(value, "problem", None), value
            found.apply(Change(kind, value.key, None, value))
    return found


def test_every_definition_that_was_accepted_counts() -> None:
    """None is ignored; each but the handle of the default network is known to have been accepted."""
    found = tables()
    assert Networks.of(found.attachments).ignored == {}
    assert len(found.attachments) > 10
    handle = found.attachments.pop("ovn-kubernetes/default")
    assert (handle.network, handle.accepted) == ("", False)
    assert all(each.accepted and each.network and each.created for each in found.attachments.values())


def test_every_address_that_was_given_counts() -> None:
    """Each is within the ranges of its network and is one pod's; each network has pods."""
    found = tables()
    networks = Networks.of(found.attachments)
    places = all_places(found, networks, Zone())
    assert {key: each.refused for key, each in places.items() if each.refused} == {}
    assert {place.network for each in places.values() for place in each.places} == set(networks.by_name)
    assert sum(len(each.places) for each in places.values()) > 50
