"""Attacks by what objects say: texts that would be syntax, addresses of others, networks of others."""

from nqosd.api.networkqos import BandwidthScope
from tests.faults.manifests import NETWORK
from tests.tenants.attack import Attack
from tests.tenants.attacker import Attacker
from tests.tenants.victim import SHARED, addresses_of

QUOTE = '/1") || ip4 || (inport == "'
"""What made a match in parentheses one of three alternatives."""


def quoted_key(attacker: Attacker) -> None:
    """A key of an annotation that would close the string and go on as a match; a limit for each pod names its port."""
    attacker.limit(BandwidthScope.POD)
    attacker.definition("shared", name="shared", topology="layer2")
    attacker.port(SHARED, "shared", "evil")
    attacker.pod("evil", {f"{attacker.namespace}/shared{QUOTE}": {}, f"{attacker.namespace}/shared": {}})


def zoned_range(attacker: Attacker) -> None:
    """A range with an IPv6 zone that would do the same."""
    attacker.limit()
    zone = 'fe80::%} || ip4 || inport == "/64'
    attacker.definition("flat", name="flat", topology="layer2", role="primary", subnets=zone)
    attacker.pod("evil", {f"{attacker.namespace}/flat": {"ip_addresses": ["10.9.9.9/24"]}})


def quoted_network_name(attacker: Attacker) -> None:
    """A name of a network that would do the same."""
    attacker.limit()
    attacker.definition("flat", name=f"flat{QUOTE}", topology="localnet", subnets="10.9.0.0/16")
    attacker.pod("evil", {f"{attacker.namespace}/flat": {"ip_addresses": ["10.9.9.9/24"]}})


def report(attacker: Attacker) -> None:
    """Multus' report, in which a user can write any address."""
    attacker.limit()
    addresses = [each.partition("/")[0] for each in addresses_of(attacker.site)["default"]]
    attacker.pod("evil", {f"{attacker.namespace}/x": {}}, report=[{"name": "x", "default": True, "ips": addresses}])


def claim(attacker: Attacker) -> None:
    """The victim's address in the annotation of ovn-kubernetes, on the victim's node."""
    attacker.limit()
    attacker.pod("evil", {"default": {"ip_addresses": addresses_of(attacker.site)["default"]}})


def claim_by_a_definition(attacker: Attacker) -> None:
    """The victim's address on the victim's network, by a definition that agrees with the victim's."""
    attacker.limit()
    attacker.definition("b", name=NETWORK, topology="layer3", subnets="10.200.0.0/16/24")
    attacker.pod("evil", {f"{attacker.namespace}/b": {"ip_addresses": addresses_of(attacker.site)[NETWORK]}})


def everything_else(attacker: Attacker) -> None:
    """Addresses that no pod has: a node's, the world's, of the port that probes come from; more than a pod may have."""
    attacker.limit()
    many = [f"10.244.9.{host}/24" for host in range(1, 200)]
    nobodys = ["172.18.0.11/16", "0.0.0.0/0", "::/0", "8.8.8.8/32", "10.240.0.2/12"]
    attacker.pod("node", {"default": {"ip_addresses": nobodys}})
    attacker.pod("many", {"default": {"ip_addresses": many}})
    attachments = {f"{attacker.namespace}/flat/{number}": {"ip_addresses": many[:16]} for number in range(1, 400)}
    attacker.pod("thousands", {"default": {"ip_addresses": many[:1]}, **attachments})


def redefinition(attacker: Attacker) -> None:
    """A definition of the victim's network with another topology, which sorts first."""
    attacker.limit()
    attacker.definition(NETWORK, name=NETWORK, topology="layer2")
    attacker.pod("evil", {f"{attacker.namespace}/{NETWORK}": {"ip_addresses": addresses_of(attacker.site)[NETWORK]}})


def same_switches(attacker: Attacker) -> None:
    """A network of another name whose switches would be those by which the default network's nodes go out."""
    attacker.limit()
    attacker.definition("ext", name="ext", topology="layer3")
    attacker.pod("evil", {f"{attacker.namespace}/ext": {"ip_addresses": ["172.18.0.11/16"]}})


def reserved_name(attacker: Attacker) -> None:
    """A definition that calls itself the default network, in another case."""
    attacker.limit()
    attacker.definition("d", Name="default", TOPOLOGY="layer2")
    attacker.pod("evil", {f"{attacker.namespace}/d": {"ip_addresses": addresses_of(attacker.site)["default"]}})


def anothers_key(attacker: Attacker) -> None:
    """A definition that says it is the victim's."""
    attacker.limit()
    key = f"{attacker.site.namespace}/{NETWORK}"
    attacker.definition("k", name=NETWORK, topology="localnet", NetAttachDefName=key)
    attacker.pod("evil", {f"{attacker.namespace}/k": {"ip_addresses": addresses_of(attacker.site)[NETWORK]}})


_POD = "a pod"
_BOTH = "a pod, a definition"
_AS_GO = "tests/api/test_networks.py::test_keys_are_read_as_go_reads_them"

OF_TEXTS = (
    Attack(
        "a key of `pod-networks` that holds a quote and goes on as a match",
        _BOTH,
        "a row for all traffic of a shared switch: everybody on it limited to 1 kbps",
        "the attachment counts for nothing",
        quoted_key,
        limits=frozenset({SHARED}),
        tests=("tests/tenants/test_syntax.py::test_every_token_is_one_that_the_compiler_meant",),
    ),
    Attack(
        "a range with an IPv6 zone that holds a bracket and a quote, in `subnets`",
        _BOTH,
        "text of the attacker's in the row for what comes back",
        "the definition renders nothing",
        zoned_range,
        tests=("tests/api/test_networks.py::test_a_configuration_that_does_not_parse_renders_no_network_and_says_so",),
    ),
    Attack(
        "a network's name that holds a quote",
        _BOTH,
        "text of the attacker's in names of switches and ports",
        "the definition renders nothing",
        quoted_network_name,
    ),
    Attack(
        "a victim's address in `network-status`",
        _POD,
        "it stood in the attacker's set: the victim was under the attacker's limit",
        "the annotation isn't read",
        report,
        tests=("tests/api/test_attachments.py::test_the_report_of_multus_says_nothing",),
    ),
    Attack(
        "a victim's address in `pod-networks`",
        _POD,
        "the same",
        "it counts for the older pod; the attacker's gets an Event",
        claim,
        tests=("tests/tenants/test_attacks.py::test_the_pod_that_loses_an_address_is_told",),
    ),
    Attack(
        "the same on a network of the victim's, by a definition that agrees with the victim's",
        _BOTH,
        "the same",
        "the same",
        claim_by_a_definition,
    ),
    Attack(
        "the address of a node, of the port from which the kubelet probes its pods, of the world, hundreds of "
        "addresses, or thousands in hundreds of attachments",
        _POD,
        "each stood in a set",
        "outside of the ranges, kept by ovn-kubernetes, or too many: none counts",
        everything_else,
        tests=("tests/api/test_attachments.py::test_of_a_pod_with_too_many_attachments_none_counts",),
    ),
    Attack(
        "a definition of the victim's network with another topology, in a namespace that sorts first",
        _BOTH,
        "the victim's rows were taken off in the whole cluster",
        "it is ignored",
        redefinition,
    ),
    Attack(
        "a network called `ext`, or whose name makes the same switches as another's (`a.b`, `a-b`)",
        _BOTH,
        "rows on the switch by which nodes go out, or on the victim's",
        "it is ignored",
        same_switches,
        tests=("tests/oracle/test_sources.py::test_no_network_takes_switches_of_another",),
    ),
    Attack(
        "a definition called `default`, with keys in another case",
        _BOTH,
        "read otherwise than by ovn-kubernetes",
        "it renders nothing",
        reserved_name,
        tests=(_AS_GO,),
    ),
    Attack(
        "a definition that says it is another's (`netAttachDefName`)",
        _BOTH,
        "read otherwise than by ovn-kubernetes",
        "it renders nothing",
        anothers_key,
        tests=(_AS_GO,),
    ),
)
