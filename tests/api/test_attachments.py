"""Which addresses a pod has on which network."""

import json
import sys

import pytest

from nqosd.api.decoding import addresses, decode_pod
from nqosd.api.decoding.addresses import MAX_ATTACHMENTS, read_attachments
from nqosd.api.decoding.metadata import TOO_DEEP
from nqosd.api.names import attachment_key, is_namespace, is_node
from nqosd.api.objects import Attachment, Pod
from tests.api.manifests import POD_NETWORKS, Json, pod


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


def test_the_report_of_multus_says_nothing() -> None:
    """Whatever stands in network-status, be it another pod's address or no JSON, nothing is taken from it."""
    reported = [
        {"name": "ovn-kubernetes", "interface": "eth0", "default": True, "ips": ["10.0.0.66"]},
        {"name": "other/side", "interface": "net2", "ips": ["10.7.0.1"]},
    ]
    for report in (reported, "no JSON", "[]", ""):
        raw = pod(networks={"shop/wire": {}}, reported=report, status={"podIP": "10.0.0.5"})
        assert attachments(raw) == {"default": ("10.0.0.5",), "shop/wire": ()}


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


@pytest.mark.parametrize("text", ["", "null", "{}"])
def test_an_annotation_that_says_nothing_is_as_if_absent(text: str) -> None:
    """Empty and JSON null are what an absent annotation is."""
    assert attachments(pod(networks=text, status={"podIP": "10.0.0.5"})) == {"default": ("10.0.0.5",)}


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ("5", "5 is a number, not an object"),
        ("null", "null is not an object"),
        ('{"ip_addresses":"10.0.0.1"}', 'ip_addresses: "10.0.0.1" is a string, not a list'),
        ('{"ip_addresses":[5]}', "ip_addresses[0]: 5 is a number, not a string"),
        ('{"ip_addresses":["10.0.0.256/24"]}', "10.0.0.256/24 is neither an IP address nor a CIDR"),
        ('{"ip_addresses":["10.0.0.1/33"]}', "10.0.0.1/33 is neither an IP address nor a CIDR"),
        ('{"ip_addresses":["10.0.0.1/-1"]}', "10.0.0.1/-1 is neither an IP address nor a CIDR"),
        ('{"ip_addresses":["10.0.0.1/"]}', "10.0.0.1/ is neither an IP address nor a CIDR"),
        ('{"ip_addresses":["010.0.0.1/24"]}', "010.0.0.1/24 is neither an IP address nor a CIDR"),
        ('{"ip_addresses":["fe80::1%eth0/64"]}', "fe80::1%eth0/64 is neither an IP address nor a CIDR"),
        ('{"ip_addresses":["fd00::1/129"]}', "fd00::1/129 is neither an IP address nor a CIDR"),
        ('{"ip_addresses":["10.0.0.1\\u0000"]}', '"10.0.0.1\\u0000" is neither an IP address nor a CIDR'),
    ],
)
def test_what_is_wrong_with_one_attachment_leaves_the_others_alone(entry: str, message: str) -> None:
    """That attachment counts for nothing and is named, and the pod's status isn't asked in its place."""
    text = f'{{"default":{entry},"shop/wire":{{"ip_addresses":["10.7.0.1/24"]}}}}'
    value = decode_pod(pod(networks=text, status={"podIP": "10.0.0.5"})).value
    assert value.attachments == (Attachment("shop/wire", ("10.7.0.1",)),)
    assert value.problem == f"metadata.annotations[{POD_NETWORKS}][default]: {message}"


@pytest.mark.parametrize(
    "key",
    [
        'shop/wire/1" || ip4 || inport == "',
        'shop/wire" || ip4',
        "shop",
        "",
        "/wire",
        "shop/",
        "shop//1",
        "shop/wire/",
        "shop/wire/0",
        "shop/wire/01",
        "shop/wire/1/1",
        "shop/wire/123456",
        "Shop/wire",
        "shop.x/wire",
        "shop/wi_re",
        "shop/-wire",
        "shop/wire\n",
        f"{'s' * 64}/wire",
        f"shop/{'w' * 254}",
        "sh\u00f6p/wire",
    ],
)
def test_a_key_that_names_no_definition_counts_for_nothing(key: str) -> None:
    """A key has the form `default`, or a definition's namespace and name with or without an index."""
    value = decode_pod(pod(networks={key: {}, "shop/wire/2": {}}, status={"podIP": "10.0.0.5"})).value
    assert [each.key for each in value.attachments] == ["default", "shop/wire/2"]
    assert value.problem is not None
    assert "not a key of an attachment such as default, namespace/name or namespace/name/1" in value.problem
    assert value.problem.isprintable()


def test_an_attachment_has_sixteen_addresses_of_a_family_at_most() -> None:
    """One with more counts for nothing; addresses that stand twice count once."""
    four, six = [f"10.0.0.{n}/24" for n in range(1, 18)], [f"fd00::{n:x}/64" for n in range(1, 18)]
    value = decode_pod(pod(networks={"shop/a": {"ip_addresses": [*four[:16], *six[:16], four[0]]}})).value
    assert (value.problem, len(value.attachments[0].addresses)) == (None, 32)
    for many, family in ((four, "IPv4"), (six, "IPv6")):
        value = decode_pod(pod(networks={"shop/a": {"ip_addresses": many}})).value
        assert value.attachments == ()
        assert value.problem is not None
        assert value.problem.endswith(f"17 {family} addresses; an attachment has 16 of a family at most")


def test_a_pod_with_many_problems_says_a_few_and_their_number() -> None:
    """A log line doesn't grow with what a user can write."""
    value = decode_pod(pod(networks={f"wrong {number} {'x' * 1000}": {} for number in range(60)})).value
    assert value.problem is not None
    assert value.problem.endswith("; and 57 more")
    assert len(value.problem) < 1000


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "Input data was truncated"),
        ("5", "5 is a number, not an object"),
        ("[]", "a list is not an object"),
        ('"default"', '"default" is a string, not an object'),
        ('{"default":{"ip_addresses":["10.0.0.1/24"]}', "Input data was truncated"),
        ("[" * 100_000, "a list is not an object"),
        (f'{{"default":{"[" * 100_000}{"]" * 100_000}}}', TOO_DEEP),
    ],
    ids=range(7),
)
def test_an_annotation_that_is_no_object_leaves_the_pod_unattached(text: str, message: str) -> None:
    """That pod alone is skipped, with all its networks, and says which annotation is wrong."""
    raw = pod(networks=text, labels={"app": "web"}, spec={"nodeName": "node-1"}, status={"podIP": "10.0.0.5"})
    value = decode_pod(raw).value
    assert value == Pod("shop", "web", {"app": "web"}, "node-1", problem=value.problem)
    assert value.problem is not None
    assert value.problem == f"metadata.annotations[{POD_NETWORKS}]: {message}"


def test_of_a_pod_with_too_many_attachments_none_counts() -> None:
    """A user can write thousands, which would all stand in the match of each limit of the pod's own."""
    listed = {f"red/flat/{each}": {"ip_addresses": ["10.0.0.1/24"]} for each in range(1, 66)}
    value = decode_pod(pod(networks=listed)).value
    assert value.attachments == ()
    assert value.problem is not None
    assert value.problem.endswith("65 attachments; a pod has 64 at most")
    del listed["red/flat/1"]
    assert len(attachments(pod(networks=listed))) == 64


def test_of_too_many_attachments_none_is_explained(monkeypatch: pytest.MonkeyPatch) -> None:
    """A user can write tens of thousands that are wrong: their number is what is said, and none is looked at."""
    monkeypatch.setattr(addresses, "explain", lambda *_: pytest.fail("explained"))
    text = json.dumps({f"a/n{number}": 1 for number in range(MAX_ATTACHMENTS + 1)})
    (problem,) = read_attachments(text, ()).problems
    assert problem.endswith(f"{MAX_ATTACHMENTS + 1} attachments; a pod has {MAX_ATTACHMENTS} at most")


def test_of_a_pod_with_too_many_addresses_none_counts() -> None:
    """Each is a member of every set of somebody else's that selects the pod: fifty pods would fill it."""
    listed = {
        f"red/flat/{each}": {"ip_addresses": [f"10.0.{each}.{host}" for host in range(13)]} for each in range(1, 6)
    }
    value = decode_pod(pod(networks=listed)).value
    assert value.attachments == ()
    assert value.problem is not None
    assert value.problem.endswith("65 addresses; a pod has 64 at most")
    listed["red/flat/5"]["ip_addresses"].pop()
    assert len(attachments(pod(networks=listed))) == 5


@pytest.mark.parametrize("key", ["x" * 100_000, f"{'x' * 100_000}/data"])
def test_a_key_of_any_length_is_not_remembered(key: str) -> None:
    """A user may write another one again and again."""
    before = sys.getrefcount(key)
    with pytest.raises(ValueError, match="not a key"):
        attachment_key(key)
    assert not is_namespace(key)
    assert not is_node(key)
    assert sys.getrefcount(key) == before
