"""NetworkAttachmentDefinitions, UserDefinedNetworks and ClusterUserDefinedNetworks."""

import json
import time
from collections.abc import Callable

import pytest

from nqosd.api.decoding import Decoded, DecodeError, decode_network_attachment, decode_user_defined_network
from nqosd.api.decoding.attachment_definitions import MAX_CONFIG
from nqosd.api.decoding.metadata import TOO_DEEP
from nqosd.api.objects import NetworkAttachment, NetworkRole, Topology, UserDefinedNetwork
from tests.api.manifests import Json, definition, wire

CONFIG: Json = {"cniVersion": "1.0.0", "type": "ovn-k8s-cni-overlay", "name": "stream-net", "topology": "layer2"}

FOREIGN = r""""x\" || ip4" is not a network's: up to 253 letters, digits, '-', '_', '.', '/'"""
ZONED = r'"fe80::%\" || ip4 || inport == \"/64"'
CIDRS = "10.128.0.0/16 or fd00::/64"


def decode(config: object, **metadata: object) -> NetworkAttachment:
    """Decode a definition with this configuration."""
    return decode_network_attachment(definition(config, **metadata)).value


def test_a_definition_renders_a_network() -> None:
    """Name, topology and role come from the CNI configuration, labels from the object."""
    decoded = decode_network_attachment(definition(CONFIG | {"role": "primary"}, labels={"tier": "gold"}))
    expected = NetworkAttachment("shop", "stream", {"tier": "gold"}, "stream-net", Topology.LAYER2, NetworkRole.PRIMARY)
    assert decoded == Decoded("9", expected)


@pytest.mark.parametrize("topology", list(Topology))
def test_every_topology_is_known_and_an_absent_role_is_secondary(topology: Topology) -> None:
    """layer3, layer2 and localnet are all that ovn-kubernetes has."""
    value = decode(CONFIG | {"topology": str(topology)})
    assert (value.topology, value.role, value.problem) == (topology, NetworkRole.SECONDARY, None)


def test_the_annotation_overrides_the_name() -> None:
    """k8s.ovn.org/network-name, where it is set, is the network's name."""
    assert decode(CONFIG, annotations={"k8s.ovn.org/network-name": "cluster_udn_red"}).network == "cluster_udn_red"
    assert decode(CONFIG, annotations={"k8s.ovn.org/network-name": ""}).network == "stream-net"


@pytest.mark.parametrize("kind", ["UserDefinedNetwork", "ClusterUserDefinedNetwork"])
def test_an_owner_is_the_user_defined_network_that_rendered_the_definition(kind: str) -> None:
    """Other owners don't count."""
    owners = [{"kind": "Deployment", "name": "x"}, {"kind": kind, "name": "red", "uid": "0"}]
    value = decode(CONFIG, ownerReferences=owners)
    assert (value.owner_kind, value.owner_name) == (kind, "red")
    assert decode(CONFIG, ownerReferences=owners[:1]).owner_kind == ""


@pytest.mark.parametrize(
    "config",
    ["", {"type": "macvlan", "name": "x", "master": "eth0"}, {"name": "x", "plugins": [{"type": "bridge"}]}, {}],
)
def test_a_definition_of_another_type_renders_no_network(config: object) -> None:
    """Networks of other CNI plugins are not ovn-kubernetes' and no fault."""
    assert decode(config) == NetworkAttachment("shop", "stream")


def test_a_definition_without_a_topology_is_a_handle_of_the_default_network() -> None:
    """It renders no network of its own, and that is no fault."""
    assert decode({"type": "ovn-k8s-cni-overlay", "name": "ovn-kubernetes"}) == NetworkAttachment("shop", "stream")


@pytest.mark.parametrize(
    ("config", "network"),
    [
        ('"TYPE":"ovn-k8s-cni-overlay","Name":"a","tOpOlOgY":"layer2"', "a"),
        ('"type":"ovn-k8s-cni-overlay","name":"a","topology":"layer2","NAME":"b"', "b"),
        ('"type":"ovn-k8s-cni-overlay","NAME":"b","topology":"layer2","name":"a"', "a"),
        ('"name":"a","type":"ovn-k8s-cni-overlay","NAME":"b","topology":"layer2","name":"c"', "c"),
        ('"type":"ovn-k8s-cni-overlay","name":"a","topology":"layer2","NAME":null', "a"),
        ('"type":"ovn-k8s-cni-overlay","name":"a","topology":"layer2","PLUGINS":[{"type":"bridge"}]', "a"),
        ('"type":"ovn-k8s-cni-overlay","name":"a","topology":"layer2","\u017fubnets":"x"', ""),
    ],
)
def test_keys_are_read_as_go_reads_them(config: str, network: str) -> None:
    """Without regard to case, and of several the last that isn't null; so both see the same network in a text."""
    assert decode(f"{{{config}}}").network == network


@pytest.mark.parametrize(
    ("topology", "written", "ranges"),
    [
        ("layer3", "10.20.0.0/16/24,fd00:20::/48/64", ("10.20.0.0/16", "fd00:20::/48")),
        ("layer3", "10.20.0.0/16", ("10.20.0.0/16",)),
        ("layer2", "10.30.0.0/16,fd00:30::/64", ("10.30.0.0/16", "fd00:30::/64")),
        ("localnet", "", ()),
    ],
)
def test_subnets_are_the_ranges_of_the_network(topology: str, written: str, ranges: tuple[str, ...]) -> None:
    """On layer3 they are the whole, without the length of a node's share."""
    assert decode(CONFIG | {"topology": topology, "subnets": written}).subnets == ranges


def test_a_definition_says_when_it_was_made_and_whether_it_was_accepted() -> None:
    """ovn-kubernetes gives a network that it accepts an identifier."""
    annotations = {"k8s.ovn.org/network-id": "7"}
    value = decode(CONFIG, creationTimestamp="2026-11-26T02:48:34Z", annotations=annotations)
    assert (value.created, value.accepted) == ("2026-11-26T02:48:34Z", True)
    assert decode(CONFIG, annotations={"k8s.ovn.org/network-id": ""}).accepted is False


def test_a_list_with_one_plugin_renders_a_network() -> None:
    """In a list of plugins the name stands beside the list."""
    value = decode({"name": "listed", "plugins": [{"type": "ovn-k8s-cni-overlay", "topology": "localnet"}]})
    assert (value.network, value.topology) == ("listed", Topology.LOCALNET)


@pytest.mark.parametrize(
    ("config", "problem"),
    [
        ("{", "Expecting property name enclosed in double quotes: line 1 column 2 (char 1)"),
        ("[]", "a list is not an object"),
        (f"{{{' ' * MAX_CONFIG}}}", f"{MAX_CONFIG + 2} characters; a configuration has {MAX_CONFIG} at most"),
        (CONFIG | {"topology": "layer4"}, "topology: layer4 is none of layer3, layer2, localnet"),
        (CONFIG | {"role": "boss"}, "role: boss is none of primary, secondary"),
        (CONFIG | {"name": None}, "name: a network needs one"),
        (CONFIG | {"name": 'x" || ip4'}, f"name: {FOREIGN}"),
        (CONFIG | {"subnets": 'fe80::%" || ip4 || inport == "/64'}, f"{ZONED} is not a CIDR such as {CIDRS}"),
        (CONFIG | {"subnets": "10.0.0.0/8,10.0.0.0/33"}, f"10.0.0.0/33 is not a CIDR such as {CIDRS}"),
        (
            CONFIG | {"subnets": ",".join(f"10.{number}.0.0/16" for number in range(65))},
            "subnets: 65 ranges; a network has 64 at most",
        ),
        (CONFIG | {"name": 5}, "name: 5 is not a text"),
        (CONFIG | {"name": {"a": 1}}, "name: an object is not a text"),
        (
            CONFIG | {"name": "default"},
            "name: default is reserved for the cluster's default network; choose another one",
        ),
        (
            CONFIG | {"NAME": "ovn-kubernetes"},
            "name: ovn-kubernetes is reserved for the cluster's default network; choose another one",
        ),
        (
            CONFIG | {"netAttachDefName": "other/stream"},
            "netAttachDefName: other/stream is not this definition; write shop/stream",
        ),
        ('{"type":NaN}', "NaN is not JSON"),
        (f'{{"x":{"[" * 30_000}{"]" * 30_000}}}', TOO_DEEP),
        ({"plugins": [CONFIG, CONFIG]}, "2 plugins in a list; ovn-k8s-cni-overlay must be the only one"),
    ],
)
def test_a_configuration_that_does_not_parse_renders_no_network_and_says_so(config: object, problem: str) -> None:
    """The definition is there with its labels, and names its fault."""
    value = decode(config, labels={"tier": "gold"})
    assert value == NetworkAttachment("shop", "stream", {"tier": "gold"}, problem=f"spec.config: {problem}")


def test_a_damaged_definition_says_what_is_wrong() -> None:
    """A part of a wrong type is the definition's own problem."""
    value = decode_network_attachment(definition(CONFIG, labels={"a": "b"}, ownerReferences="x")).value
    problem = 'metadata.ownerReferences: "x" is a string, not a list'
    assert value == NetworkAttachment("shop", "stream", {"a": "b"}, problem=problem)
    with pytest.raises(DecodeError, match="NetworkAttachmentDefinition in namespace shop"):
        decode_network_attachment(definition(CONFIG, name=""))


def test_user_defined_networks_have_labels() -> None:
    """A ClusterUserDefinedNetwork is told by its empty namespace."""
    cluster = wire({"metadata": {"name": "red", "resourceVersion": "1", "labels": {"a": "b"}}, "spec": {"network": {}}})
    assert decode_user_defined_network(cluster) == Decoded("1", UserDefinedNetwork("", "red", {"a": "b"}))
    namespaced = wire({"metadata": {"name": "red", "namespace": "shop"}, "spec": {"topology": "Layer2"}})
    assert decode_user_defined_network(namespaced).value.key == "shop/red"
    damaged = decode_user_defined_network(wire({"metadata": {"name": "red", "labels": 5}})).value
    assert damaged == UserDefinedNetwork("", "red", problem="metadata.labels: 5 is a number, not an object")


def test_objects_that_nobody_asks_for_cost_no_more_than_their_json() -> None:
    """A configuration may hold twenty thousand; four such are read in one step of the event loop."""
    raw = definition(CONFIG | {"others": [{}] * (MAX_CONFIG // 4 - 100)})
    text = json.loads(raw)["spec"]["config"]
    assert decode_network_attachment(raw).value.network == "stream-net"
    assert _cpu_of(lambda: decode_network_attachment(raw)) < 6 * _cpu_of(lambda: json.loads(text))


def _cpu_of(work: Callable[[], object]) -> float:
    """Measure what something takes of a processor, the least of several times."""
    found = []
    for _ in range(5):
        begun = time.thread_time()
        work()
        found.append(time.thread_time() - begun)
    return min(found)
