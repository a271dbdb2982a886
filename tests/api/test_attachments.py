"""Which addresses a pod has on which network."""

import pytest

from nqosd.api.decoding import decode_pod
from nqosd.api.objects import Attachment, Pod
from tests.api.manifests import NETWORK_STATUS, POD_NETWORKS, Json, pod


def attachments(raw: bytes) -> dict[str, tuple[str, ...]]:
    """Give a pod's addresses by attachment key."""
    value = decode_pod(raw).value
    assert value.problem is None
    return {each.key: each.addresses for each in value.attachments}


def test_the_annotation_of_ovn_kubernetes_lists_every_attachment() -> None:
    """Each key is an attachment; a repeated definition has an index."""
    networks = {
        "shop/stream/1": {"ip_addresses": ["10.245.1.6/24"]},
        "default": {"ip_addresses": ["10.0.0.5/24", "fd00::5/64"]},
        "shop/stream": {"ip_addresses": ["10.245.1.5/24"]},
    }
    value = decode_pod(pod(networks=networks)).value
    assert value.attachments == (
        Attachment("default", ("10.0.0.5", "fd00::5")),
        Attachment("shop/stream", ("10.245.1.5",)),
        Attachment("shop/stream/1", ("10.245.1.6",)),
    )
    assert [each.nad for each in value.attachments] == ["default", "shop/stream", "shop/stream"]


def test_the_order_of_the_annotation_makes_no_difference() -> None:
    """Attachments come sorted by key, so that equal meaning gives equal values."""
    one, two = {"ip_addresses": ["10.0.0.5/24"]}, {"ip_addresses": ["10.245.1.5/24"]}
    first = decode_pod(pod(networks={"default": one, "shop/stream": two})).value
    second = decode_pod(pod(networks={"shop/stream": two, "default": one})).value
    assert first == second


@pytest.mark.parametrize(
    ("network", "addresses"),
    [
        ({"ip_address": "10.0.0.5/24"}, ("10.0.0.5",)),
        ({"ip_addresses": None, "ip_address": "10.0.0.5/24"}, ("10.0.0.5",)),
        ({"ip_addresses": ["10.0.0.6/24"], "ip_address": "10.0.0.5/24"}, ("10.0.0.6",)),
        ({"ip_addresses": ["FD00:0::0:5/64", "fd00::5/64", "10.0.0.5/24"]}, ("fd00::5", "10.0.0.5")),
        ({"ip_addresses": ["10.0.0.5"]}, ("10.0.0.5",)),
    ],
)
def test_addresses_are_canonical_and_unique(network: object, addresses: tuple[str, ...]) -> None:
    """The older single address counts where the list is missing; equal addresses count once, in order."""
    assert attachments(pod(networks={"default": network})) == {"default": addresses}


def test_a_network_without_addresses_is_attached_without_addresses() -> None:
    """A network without IPAM gets no address from elsewhere."""
    networks = {"shop/wire": {"mac_address": "0a:58:00:00:00:01"}, "default": {"ip_addresses": []}}
    reported = [{"name": "shop/wire", "ips": ["10.9.9.9"]}, {"name": "x", "default": True, "ips": ["10.0.0.5"]}]
    status: Json = {"podIP": "10.0.0.5"}
    assert attachments(pod(networks=networks, reported=reported, status=status)) == {"default": (), "shop/wire": ()}


def test_what_ovn_kubernetes_does_not_list_is_taken_from_multus() -> None:
    """Network-status fills in missing networks; a repeated definition's addresses come together there."""
    networks = {"shop/stream/1": {"ip_addresses": ["10.245.1.6/24"]}}
    reported = [
        {"name": "ovn-kubernetes", "interface": "eth0", "default": True, "ips": ["10.0.0.5", "fd00::5"]},
        {"name": "shop/stream", "interface": "net1", "ips": ["10.245.1.99"]},
        {"name": "other/side", "interface": "net2", "ips": ["10.7.0.1"]},
        {"name": "local", "interface": "net3", "ips": ["10.8.0.1"]},
        {"name": "other/side", "interface": "net4", "ips": ["10.7.0.2", "10.7.0.1"]},
        {"name": "bare", "interface": "net5"},
        {"interface": "net6", "ips": ["10.6.0.1"]},
    ]
    assert attachments(pod(networks=networks, reported=reported, status={"podIP": "10.0.0.77"})) == {
        "default": ("10.0.0.5", "fd00::5"),
        "other/side": ("10.7.0.1", "10.7.0.2"),
        "shop/bare": (),
        "shop/local": ("10.8.0.1",),
        "shop/stream/1": ("10.245.1.6",),
    }


@pytest.mark.parametrize(
    ("status", "addresses"),
    [
        ({"podIP": "10.0.0.5"}, ("10.0.0.5",)),
        ({"podIP": "10.0.0.5", "podIPs": [{"ip": "10.0.0.5"}, {"ip": "fd00::5"}]}, ("10.0.0.5", "fd00::5")),
        ({"podIP": "10.0.0.5", "podIPs": []}, ("10.0.0.5",)),
    ],
)
def test_the_pods_own_addresses_are_the_last_resort_for_the_default_network(
    status: dict[str, object], addresses: tuple[str, ...]
) -> None:
    """Where no annotation names the default network, status.podIPs does, or the older podIP."""
    networks = {"shop/stream": {"ip_addresses": ["10.245.1.5/24"]}}
    assert attachments(pod(networks=networks, status=status)) == {"default": addresses, "shop/stream": ("10.245.1.5",)}


def test_a_pod_without_addresses_has_no_attachments_yet() -> None:
    """A pod that was only just created is attached nowhere."""
    assert attachments(pod()) == {}


def test_an_emptied_annotation_says_nothing() -> None:
    """Multus empties its annotation while a pod is torn down; the pod keeps the addresses that are known elsewhere."""
    assert attachments(pod(reported="", status={"podIP": "10.0.0.5"})) == {"default": ("10.0.0.5",)}


@pytest.mark.parametrize("name", [POD_NETWORKS, NETWORK_STATUS])
@pytest.mark.parametrize(
    "text",
    [
        "{",
        "null",
        "5",
        '"default"',
        '{"default":5}',
        '[{"name":5}]',
        '[{"name":"a/b","ips":"10.0.0.1"}]',
        '{"default":{"ip_addresses":"10.0.0.1"}}',
        '{"default":{"ip_addresses":[5]}}',
        '{"default":{"ip_addresses":["10.0.0.256/24"]}}',
        '{"default":{"ip_addresses":["10.0.0.1/33"]}}',
        '{"default":{"ip_addresses":["10.0.0.1/-1"]}}',
        '{"default":{"ip_addresses":["10.0.0.1/"]}}',
        '{"default":{"ip_addresses":["010.0.0.1/24"]}}',
        '{"default":{"ip_addresses":["fe80::1%eth0/64"]}}',
        '{"default":{"ip_addresses":["fd00::1/129"]}}',
        '{"default":{"ip_addresses":["10.0.0.1\\u0000"]}}',
        '[{"name":"a/b","ips":["bogus"]}]',
        "[" * 100_000,
    ],
)
def test_an_annotation_that_does_not_parse_leaves_the_pod_unattached(name: str, text: str) -> None:
    """That pod alone is skipped, with all its networks, and says which annotation is wrong."""
    raw = pod(
        networks=text if name == POD_NETWORKS else None,
        reported=text if name == NETWORK_STATUS else None,
        labels={"app": "web"},
        spec={"nodeName": "node-1"},
        status={"podIP": "10.0.0.5"},
    )
    value = decode_pod(raw).value
    assert value == Pod("shop", "web", {"app": "web"}, "node-1", problem=value.problem)
    assert value.problem is not None
    assert value.problem.startswith(f"metadata.annotations[{name}]: ")
