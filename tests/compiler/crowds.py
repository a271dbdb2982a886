"""Crowds for property tests: many pods and policies of few kinds, so that policies come to their limits and leave them.

Senders and peers are told apart by other labels than in `worlds`, selectors choose several pods, and policies, pods,
nodes and a definition come and go. No two namespaces claim an address.
"""

from collections.abc import Sequence

from hypothesis import strategies as st

from nqosd.api.changes import Change, Object, ResourceKind
from nqosd.api.labels import EVERYTHING, LabelSelector, Operator, Requirement
from nqosd.api.networkqos import (
    BandwidthScope,
    Classifier,
    EgressRule,
    Limit,
    NetworkQoS,
    NetworkQoSSpec,
    NetworkSelectionType,
    NetworkSelector,
    PodPeer,
)
from nqosd.api.objects import Attachment, Namespace, NetworkAttachment, Node, Pod, Topology
from nqosd.cache.selections import NAME_LABEL


def _having(key: str, *values: str) -> LabelSelector:
    return LabelSelector((Requirement(key, Operator.IN if values else Operator.EXISTS, values),))


_VALUES = ("1", "2", "3")
_SENDERS = [EVERYTHING, _having("s"), LabelSelector((Requirement("s", Operator.NOT_IN, ("1",)),))]
_PEERS = [EVERYTHING, _having("p"), _having("s", "1"), LabelSelector((Requirement("p", Operator.DOES_NOT_EXIST),))]
_SCOPES = [None, None, None, None, EVERYTHING, _having("k", "x"), _having(NAME_LABEL, "b")]
_senders = st.sampled_from([*_SENDERS, *(_having("s", each) for each in _VALUES)])
_peers = st.sampled_from([*_PEERS, *(_having("p", each) for each in _VALUES * 2)])
_created = st.sampled_from([f"2026-01-0{day}T00:00:00Z" for day in (1, 2, 3)])


def _is_rare(often: int) -> st.SearchStrategy[bool]:
    """Draw True once in so many times."""
    return st.sampled_from([False] * (often - 1) + [True])


@st.composite
def _attachments(draw: st.DrawFn, net: int, host: int) -> tuple[Attachment, ...]:
    """Draw where a pod is: on the default network as a rule, or with nothing, two families, or more networks."""
    four = Attachment("default", (f"10.0.{net}.{host}",), draw(_is_rare(10)))
    both = Attachment("default", (*four.addresses, f"fd00:{net}::{host}"))
    blue = Attachment("a/blue", draw(st.sampled_from([(), (f"10.9.{net}.{host}",)])))
    return draw(st.sampled_from([(four,), (both,)] * 3 + [(), (four, blue), (blue,)]))


@st.composite
def _pods(draw: st.DrawFn) -> Change:
    namespace, number = draw(st.sampled_from("aab")), draw(st.integers(0, 5))
    chosen = {key: draw(st.sampled_from(["", *_VALUES])) for key in "sp"}
    pod = Pod(
        namespace,
        f"pod{number}",
        {key: value for key, value in chosen.items() if value},
        draw(st.sampled_from(["n1", "n2", "n1", "n1", "n3", "n2", ""])),
        host_network=draw(_is_rare(10)),
        ended=draw(_is_rare(8)),
        attachments=draw(_attachments("ab".index(namespace), 99 if draw(_is_rare(10)) else number + 1)),
    )
    return _put(ResourceKind.POD, pod.key, None if draw(_is_rare(5)) else pod)


@st.composite
def _policies(draw: st.DrawFn, palette: Sequence[PodPeer]) -> Change:
    """Draw a policy to peers of a palette, so that several have equal ones."""
    namespace, name = draw(st.sampled_from("aaaab")), f"p{draw(st.integers(0, 6))}"
    peers = st.lists(st.sampled_from(palette), max_size=2).map(tuple)
    rules = st.builds(EgressRule, st.just(1), st.sampled_from([None, Limit(1000)]), st.builds(Classifier, peers, peers))
    networks = [
        (),
        (NetworkSelector(NetworkSelectionType.DEFAULT_NETWORK),),
        (NetworkSelector(NetworkSelectionType.NETWORK_ATTACHMENT_DEFINITIONS, EVERYTHING, EVERYTHING),),
    ]
    spec = NetworkQoSSpec(
        draw(st.integers(1, 3)),
        tuple(draw(st.lists(rules, min_size=1, max_size=2))),
        draw(_senders),
        draw(st.sampled_from([*networks[:1] * 6, *networks])),
        draw(st.sampled_from(BandwidthScope)),
    )
    policy = NetworkQoS(namespace, name, draw(_created), spec=spec)
    return _put(ResourceKind.NETWORK_QOS, policy.key, None if draw(_is_rare(6)) else policy)


def _put(kind: ResourceKind, key: str, new: Object | None) -> Change:
    return Change(kind, key, None, new)


_OTHERS = [
    *(_put(ResourceKind.NAMESPACE, name, Namespace(name, labels)) for name in "ab" for labels in ({}, {"k": "x"})),
    *(_put(ResourceKind.NODE, f"n{each}", Node(f"n{each}", zone)) for each in (1, 2, 3) for zone in ("", "east")),
    *(_put(ResourceKind.NODE, f"n{each}", None) for each in (2, 3)),
    *(
        _put(ResourceKind.NETWORK_ATTACHMENT_DEFINITION, "a/blue", NetworkAttachment("a", "blue", {}, "blue", topology))
        for topology in Topology
    ),
    _put(ResourceKind.NETWORK_ATTACHMENT_DEFINITION, "a/blue", None),
]
_FIRST = [
    *(_put(ResourceKind.NAMESPACE, name, Namespace(name, {})) for name in "ab"),
    *(_put(ResourceKind.NODE, *each) for each in (("n1", Node("n1")), ("n2", Node("n2", "east")))),
]


@st.composite
def _crowds(draw: st.DrawFn) -> list[list[Change]]:
    """Draw a crowd, and what comes then: in a half of the batches one pod, since all else counts policies anew."""
    peers = st.builds(PodPeer, _peers, st.sampled_from(_SCOPES))
    policies = _policies(draw(st.lists(peers, min_size=1, max_size=4)))
    many = draw(st.lists(st.one_of(_pods(), policies), min_size=15, max_size=30))
    event = st.one_of(_pods(), _pods(), policies, policies, st.sampled_from(_OTHERS))
    batch = st.one_of(_pods().map(lambda pod: [pod]), st.lists(event, min_size=1, max_size=4))
    return [[*_FIRST, *many], *draw(st.lists(batch, max_size=12))]


crowds = _crowds()
"""Sequences of events, cut into batches anyhow; the first one makes the crowd."""
