"""Pods on nodes with hybrid-overlay networking: no senders, but peers."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nqosd.api.changes import Change, ResourceKind
from nqosd.api.labels import LabelSelector, Operator, Requirement
from nqosd.api.networkqos import Classifier, EgressRule, Limit, NetworkQoS, NetworkQoSSpec, PodPeer
from nqosd.api.objects import Attachment, Node, Pod
from nqosd.compiler.definition import compile_everything
from nqosd.compiler.incremental import IncrementalCompiler
from nqosd.compiler.settings import Settings
from tests.examples import examples

LINUX = Node("n1", subnets={"default": ("10.244.1.0/24",)})
WINDOWS = Node("w1", is_hybrid=True, hybrid_subnets=("10.132.1.0/24",))
PEERS = LabelSelector.of([Requirement("peer", Operator.EXISTS)])
POLICY = NetworkQoS("a", "p", spec=NetworkQoSSpec(1, (EgressRule(1, Limit(1000), Classifier(to=(PodPeer(PEERS),))),)))


def pod(name: str, node: str, *addresses: str) -> Pod:
    """Make a pod that the policy selects, and of which the name says whether it is one of its peers."""
    labels = {"peer": ""} if name.startswith("peer") else {}
    return Pod("a", name, labels, node, attachments=(Attachment("default", addresses),))


def put(*objects: Node | Pod | NetworkQoS) -> list[Change]:
    """Make changes after which there are some objects."""
    kinds = {Node: ResourceKind.NODE, Pod: ResourceKind.POD, NetworkQoS: ResourceKind.NETWORK_QOS}
    return [Change(kinds[type(each)], each.key, None, each) for each in objects]


def hold(compiler: IncrementalCompiler) -> None:
    """Compare with what compiling everything gives."""
    compiled = compile_everything(compiler.tables, compiler.settings)
    assert compiler.desired == compiled.desired
    refused = {key: found for key in compiler.tables.pods if (found := compiler.refused(key))}
    assert (refused, {key: list(map(str, each)) for key, each in refused.items()}) == (
        compiled.refused,
        {key: list(map(str, each)) for key, each in compiled.refused.items()},
    )


def peers(compiler: IncrementalCompiler) -> list[str]:
    """Give the members of the set of peers."""
    sets = compiler.desired.address_sets.values()
    return [address for each in sets if "peer" in each.selection for address in sorted(each.addresses)]


def test_a_pod_on_a_hybrid_overlay_node_is_a_peer_and_no_sender() -> None:
    """As long as its node says its range: it comes, it turns another, and it goes."""
    compiler = IncrementalCompiler(Settings())
    compiler.apply(put(LINUX, WINDOWS, POLICY, pod("web", "n1", "10.244.1.5"), pod("peer", "w1", "10.132.1.5")))
    assert peers(compiler) == ["10.132.1.5"]
    assert {key.switch for key in compiler.desired.rows} == {"n1"}
    for subnets, counts in ((("10.132.2.0/24",), []), ((), []), (("0.0.0.0/0",), ["10.132.1.5"])):
        compiler.apply(put(Node("w1", is_hybrid=True, hybrid_subnets=subnets)))
        assert peers(compiler) == counts
        hold(compiler)
    compiler.apply([Change(ResourceKind.NODE, "w1", WINDOWS, None)])
    assert peers(compiler) == []
    hold(compiler)


def test_hybrid_overlay_nodes_alone_do_not_say_what_others_have() -> None:
    """Whether a node's pods have their addresses doesn't depend on a node of another kind being there first."""
    compiler = IncrementalCompiler(Settings())
    compiler.apply(put(Node("n1"), WINDOWS, POLICY, pod("web", "n1", "10.244.1.5"), pod("peer", "n1", "10.244.1.6")))
    assert peers(compiler) == ["10.244.1.6"]
    hold(compiler)


@pytest.mark.parametrize(
    ("address", "why"),
    [
        (
            "10.244.1.2",
            "10.244.1.2 on network default is one of the first addresses of a node's range, which no pod has",
        ),
        (
            "10.132.1.1",
            "10.132.1.1 on network default is one of the first addresses of a node's range, which no pod has",
        ),
        ("10.132.1.2", None),
        ("10.244.0.255", "10.244.0.255 is outside of the ranges of network default"),
        ("10.132.2.0", "10.132.2.0 is outside of the ranges of network default"),
    ],
)
def test_why_an_address_does_not_count(address: str, why: str | None) -> None:
    """One that lies inside of a node's range isn't called outside of it, whichever of node and pod came first."""
    for before, after in (((LINUX, WINDOWS), ()), ((LINUX,), (WINDOWS,)), ((WINDOWS,), (LINUX,))):
        compiler = IncrementalCompiler(Settings())
        compiler.apply(put(*before, pod("peer", "w1", address)))
        compiler.apply(put(*after))
        assert [str(each) for each in compiler.refused("a/peer")] == ([] if why is None else [why])
        hold(compiler)


ADDRESSES = [f"10.0.0.{number}" for number in range(13)]
CIDRS = [f"10.0.0.{first}/{length}" for length in (28, 29, 30, 31, 32) for first in range(0, 16, 1 << 32 - length)]
subnets = st.lists(st.sampled_from(CIDRS), max_size=3).map(tuple)
nodes = st.builds(
    lambda name, own, hybrid: Node(name, "", {"default": own} if own else {}, None, not own, () if own else hybrid),
    st.sampled_from(["n1", "n2", "w1"]),
    st.just(()) | subnets,
    subnets,
)
pods = st.builds(
    pod, st.sampled_from(["web", "peer", "peer-2"]), st.sampled_from(["n1", "w1"]), st.sampled_from(ADDRESSES)
)


@given(st.lists(st.lists(nodes | pods, min_size=1, max_size=3), min_size=1, max_size=6))
@settings(max_examples=examples(150), deadline=None)
def test_whatever_nodes_say_in_turn_all_is_as_compiled_anew(batches: list[list[Node | Pod]]) -> None:
    """Rows, sets, the addresses that don't count and why."""
    compiler = IncrementalCompiler(Settings())
    compiler.apply(put(POLICY))
    for batch in batches:
        compiler.apply(put(*batch))
        hold(compiler)
