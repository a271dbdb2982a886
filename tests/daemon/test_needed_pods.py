"""Which watches a zone needs, and for how long it has them."""

import asyncio
from unittest.mock import Mock

import pytest
from msgspec.structs import replace

from nqosd.api.changes import Change, Object, ResourceKind
from nqosd.api.labels import EVERYTHING, LabelSelector, Operator, Requirement
from nqosd.api.networkqos import Classifier, EgressRule, NetworkQoS, NetworkQoSSpec, PodPeer
from nqosd.api.objects import Namespace, Node, Pod
from nqosd.cache.selections import PodSelection, SelectionUse
from nqosd.daemon.hearing import ALL_FOR, LINGER
from nqosd.daemon.inbox import Inbox
from nqosd.daemon.needed_pods import ALL_PODS, COMPARED, FEW_NAMESPACES, NeededPods, watches_of
from nqosd.daemon.peer_needs import FEW, LONGEST, MOST, peers_among
from nqosd.informers.resources import Resource
from tests.daemon.fake_watches import Clock, FakeWatches

KINDS = {
    NetworkQoS: ResourceKind.NETWORK_QOS,
    Pod: ResourceKind.POD,
    Namespace: ResourceKind.NAMESPACE,
    Node: ResourceKind.NODE,
}
OWN = replace(ALL_PODS, node="n1")
SENDER = Pod("a", "sender", {"app": "web"}, "n1")


def labelled(**labels: str) -> LabelSelector:
    """Select by labels."""
    return LabelSelector.of([Requirement(key, Operator.IN, (value,)) for key, value in labels.items()])


def policy(*peers: PodPeer, name: str = "p") -> NetworkQoS:
    """Give a policy of the namespace a, for its pods of the app web, to some peers."""
    rules = tuple(EgressRule(1, None, Classifier((peer,), (), ())) for peer in peers)
    return NetworkQoS("a", name, spec=NetworkQoSSpec(1, rules, labelled(app="web")))


def selecting(senders: LabelSelector, name: str = "p") -> NetworkQoS:
    """Give a policy with a podSelector, to pods of the app db."""
    rule = EgressRule(1, None, Classifier((PodPeer(labelled(app="db")),), (), ()))
    return NetworkQoS("a", name, spec=NetworkQoSSpec(1, (rule,), senders))


def watch(namespace: str = "", labels: str = "") -> Resource:
    """Give a watch of pods."""
    return replace(ALL_PODS, namespace=namespace, labels=labels)


def came(each: Object) -> Change:
    """Give the change of an object that is new."""
    return Change(KINDS[type(each)], each.key, None, each)


def needed(*objects: Object, zone: str = "n1") -> set[Resource]:
    """Give the watches that objects need, in order."""
    pods = NeededPods()
    for node in (Node("n1"), Node("n2", "east")):
        pods.take(came(node))
    pods.belong(zone, [])
    for each in objects:
        pods.take(came(each))
    return pods.watches()


def test_a_database_of_the_whole_cluster_needs_all_pods() -> None:
    """Whatever there is, one watch hears everything."""
    assert needed(SENDER, policy(PodPeer(labelled(app="db"))), zone="") == {ALL_PODS}


def test_a_zone_has_the_nodes_that_say_so() -> None:
    """By their name, or by their annotation."""
    assert needed(zone="n1") == {OWN}
    assert needed(zone="east") == {replace(ALL_PODS, node="n2")}
    assert needed(zone="west") == set()


@pytest.mark.parametrize(
    ("pod", "counts"),
    [
        (SENDER, True),
        (replace(SENDER, node="n2"), False),
        (replace(SENDER, labels={"app": "db"}), False),
        (replace(SENDER, namespace="b"), False),
        (replace(SENDER, host_network=True), False),
        (replace(SENDER, ended=True), False),
    ],
)
@pytest.mark.parametrize("is_policy_first", [True, False])
def test_only_policies_with_senders_need_their_peers(pod: Pod, *, counts: bool, is_policy_first: bool) -> None:
    """Pods elsewhere, of other labels or namespaces, on the host network, or that have ended, send nothing here."""
    objects: list[Object] = [policy(PodPeer(labelled(app="db"))), pod]
    found = needed(*(objects if is_policy_first else reversed(objects)))
    assert found == ({OWN, watch("a", "app=db")} if counts else {OWN})


def test_peers_are_selected_in_the_namespaces_that_are_meant() -> None:
    """As long as they are few; of many, by labels alone, and one by one where there are none."""
    few = [Namespace(f"ns{number}", {"team": "red"}) for number in range(FEW_NAMESPACES)]
    by_label, every = (PodPeer(pods, labelled(team="red")) for pods in (labelled(app="db"), EVERYTHING))
    assert needed(*few, SENDER, policy(by_label)) == {OWN, *(watch(each.name, "app=db") for each in few)}
    many = [*few, Namespace("another", {"team": "red"})]
    assert needed(*many, SENDER, policy(by_label)) == {OWN, watch("", "app=db")}
    assert needed(SENDER, policy(by_label), *many) == {OWN, watch("", "app=db")}
    assert needed(*many, SENDER, policy(every)) == {OWN, *(watch(each.name) for each in many)}
    assert needed(SENDER, policy(PodPeer(EVERYTHING, EVERYTHING))) == {OWN, ALL_PODS}


def test_a_long_selector_is_left_out() -> None:
    """Its watch hears of more pods, and no proxy refuses the request."""
    long = LabelSelector.of([Requirement("app", Operator.IN, tuple(f"value-{n}" for n in range(LONGEST // 6)))])
    assert watches_of(peers_among(PodSelection(SelectionUse.PEER, "a", long)), {"a"}) == {watch("a")}


def test_many_peers_need_all_pods() -> None:
    """Of one policy, or of several together."""
    peers = [PodPeer(labelled(app=f"db{number}")) for number in range(MOST + 1)]
    assert ALL_PODS not in needed(SENDER, policy(*peers[1:]))
    assert ALL_PODS in needed(SENDER, policy(*peers))
    assert needed(SENDER, policy(*peers[:20]), policy(*peers[20:], name="q")) == {OWN, ALL_PODS}


class Zone:
    """A zone n1 with a sender, whose watches tell at once."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.inbox = Inbox(asyncio.Event())
        self.watches = FakeWatches(self.inbox, self.clock, _Labels())
        self.watches.hearing.zone_is("n1")
        self.happen(Node("n1"), SENDER)

    def happen(self, *objects: Object) -> None:
        """Let objects appear, and all be told."""
        for each in objects:
            self.watches.happen(came(each))
        self.tell()

    def go(self, each: Object) -> None:
        """Let an object go, and be told."""
        self.watches.happen(Change(KINDS[type(each)], each.key, each, None))
        self.tell()

    def tell(self) -> None:
        """Let all be told."""
        while sources := self.watches.sources():
            self.watches.tell(sources[0])

    def told(self) -> list[str]:
        """Give the keys of what the rounds are told."""
        return [change.key for change in self.inbox.take()]

    def heard(self) -> set[Resource]:
        """Give what is watched, after some seconds and another event."""
        self.clock.now += LINGER
        self.happen(Namespace(f"at-{self.clock.now}"))
        return set(self.watches.parts)


class _Labels(dict[str, LabelSelector]):
    def __missing__(self, text: str) -> LabelSelector:
        if text.startswith("!"):
            return LabelSelector.of([Requirement(text[1:], Operator.DOES_NOT_EXIST)])
        key, _equals, value = text.partition("=")
        return labelled(**{key: value})


async def test_a_watch_lingers() -> None:
    """When the last sender goes its peers are heard for a minute, and again at once when another one comes."""
    zone, peers = Zone(), watch("a", "app=db")
    zone.happen(policy(PodPeer(labelled(app="db"))))
    assert set(zone.watches.parts) == {OWN, peers}
    zone.go(SENDER)
    assert set(zone.watches.parts) == {OWN, peers}
    assert zone.heard() == {OWN}
    zone.happen(SENDER)
    assert set(zone.watches.parts) == {OWN, peers}


async def test_after_many_watches_one_hears_all_until_half_as_many_would_do() -> None:
    """And for half an hour at least, so who lets policies come and go makes no daemon list all pods again and again."""
    zone = Zone()
    policies = [policy(PodPeer(labelled(app=f"db{number}")), name=f"p{number}") for number in range(MOST)]
    zone.happen(*policies)
    assert zone.heard() == zone.heard() == {ALL_PODS}
    for each in policies[MOST // 2 :]:
        zone.go(each)
    zone.clock.now += ALL_FOR
    assert zone.heard() == {ALL_PODS}
    zone.go(policies[0])
    assert zone.heard() == {ALL_PODS}
    zone.clock.now += ALL_FOR
    zone.heard()
    assert zone.heard() == {OWN, *(watch("a", f"app=db{number}") for number in range(1, MOST // 2))}


async def test_watches_that_tell_the_same_pods_are_given_up_for_one_of_all(monkeypatch: pytest.MonkeyPatch) -> None:
    """Before they have told them all: each of many selectors may choose every pod of the cluster."""
    monkeypatch.setattr("nqosd.daemon.hearing.MOST_COPIES", 40)
    zone = Zone()
    peers = [Pod("b", f"peer{number}", {"app": "db"}, "n2") for number in range(20)]
    zone.happen(Namespace("b"), *peers)
    few, many = (
        policy(*(PodPeer(LabelSelector.of([Requirement(f"l{n}", Operator.DOES_NOT_EXIST)]), EVERYTHING) for n in some))
        for some in (range(2), range(10))
    )
    zone.happen(few)
    assert zone.heard() == {OWN, watch("", "!l0"), watch("", "!l1")}
    zone.watches.happen(came(many))
    most = 0
    while sources := zone.watches.sources():
        for source in sources:
            if source in zone.watches.sources():
                zone.watches.tell(source, 1)
        most = max(most, zone.watches.copies)
    assert most <= 40 + len(peers) + 2 * 10, "the one of all pods tells them again, and each of the others once more"
    assert zone.heard() == {ALL_PODS}
    zone.go(many)
    assert zone.heard() == {ALL_PODS}


TO_RED = policy(PodPeer(EVERYTHING, labelled(team="red")))


@pytest.mark.parametrize(
    ("before", "waits"),
    [
        ([Namespace("b", {"team": "red"}), SENDER], TO_RED),
        ([Namespace("b", {"team": "red"}), TO_RED], SENDER),
        ([TO_RED, SENDER], Namespace("b", {"team": "red"})),
    ],
    ids=["a policy", "its first sender", "a namespace that begins to be selected"],
)
async def test_what_needs_pods_waits_until_they_are_listed(before: list[Object], waits: Object) -> None:
    """And nothing else waits for it."""
    zone = Zone()
    zone.go(SENDER)
    zone.happen(*before)
    zone.told()
    zone.watches.happen(came(waits))
    source: ResourceKind | Resource = OWN if waits is SENDER else KINDS[type(waits)]
    zone.watches.tell(source)
    assert zone.told() == []
    assert zone.inbox.held == (set() if isinstance(waits, Namespace) else {"a"}), (
        "so that nobody reports that it is applied"
    )
    reached = zone.watches.hearing.reached({ResourceKind.NETWORK_QOS: "9"})
    assert reached == ("" if isinstance(waits, Namespace) else "9"), "its pods may be peers in any namespace"
    zone.watches.happen(came(Namespace("c")))
    zone.watches.tell(ResourceKind.NAMESPACE)
    assert zone.told() == ["c"]
    zone.tell()
    assert zone.told() == [waits.key]
    assert not zone.inbox.held


async def test_of_what_waits_only_the_last_change_is_told() -> None:
    """As a change from what the rounds know; what goes before it was told is never told."""
    zone = Zone()
    first, peers = policy(PodPeer(labelled(app="db"))), PodPeer(labelled(app="new"))
    zone.happen(first)
    zone.told()
    last = policy(peers, PodPeer(labelled(app="newer")))
    for each in (policy(peers), last, policy(peers, name="q")):
        zone.watches.happen(Change(KINDS[NetworkQoS], each.key, None, each))
    zone.watches.happen(Change(KINDS[NetworkQoS], "a/q", None, None))
    while ResourceKind.NETWORK_QOS in zone.watches.sources():
        zone.watches.tell(ResourceKind.NETWORK_QOS)
    assert zone.told() == []
    zone.tell()
    assert [(change.old, change.new) for change in zone.inbox.take()] == [(first, last)]


@pytest.mark.parametrize(
    ("selector", "sends"),
    [
        ([Requirement("app", Operator.IN, ("web",)), Requirement("tier", Operator.NOT_IN, ("front",))], True),
        ([Requirement("app", Operator.IN, ("api", "web"))], True),
        ([Requirement("app", Operator.IN, tuple(f"v{number}" for number in range(FEW + 1)))], True),
        ([Requirement("app", Operator.EXISTS)], True),
        ([Requirement("app", Operator.DOES_NOT_EXIST)], True),
        ([Requirement("app", Operator.IN, ("api", "db"))], False),
        ([Requirement("role", Operator.EXISTS)], False),
        ([Requirement("app", Operator.EXISTS), Requirement("tier", Operator.IN, ("back",))], False),
    ],
)
@pytest.mark.parametrize("is_policy_first", [True, False])
def test_senders_are_told_by_one_label(selector: list[Requirement], *, sends: bool, is_policy_first: bool) -> None:
    """Whatever else a podSelector says is for the compiler: peers too many do no harm."""
    asks = selecting(LabelSelector.of(selector))
    objects: list[Object] = [asks, replace(SENDER, labels={"app": "web", "tier": "front"})]
    found = needed(*(objects if is_policy_first else reversed(objects)))
    assert found == ({OWN, watch("a", "app=db")} if sends else {OWN})


def test_no_pod_is_compared_with_selectors(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many policies there are, and however long their podSelectors, a pod that comes or goes costs nothing."""
    pods, absent = NeededPods(), [Requirement(f"k{number}", Operator.DOES_NOT_EXIST) for number in range(20)]
    pods.take(came(Node("n1")))
    pods.belong("n1", [])
    compared = Mock(return_value=True)
    monkeypatch.setattr(LabelSelector, "matches", compared)
    for number in range(50):
        pods.take(
            came(
                selecting(LabelSelector.of([*absent, Requirement(f"z{number}", Operator.NOT_IN, ("v",))]), f"p{number}")
            )
        )
    for name in ("s", "t"):
        assert pods.needs(came(replace(SENDER, name=name))) == {watch("a", "app=db")}
        pods.take(came(replace(SENDER, name=name)))
    assert pods.watches() == {OWN, watch("a", "app=db")}
    for name in ("s", "t"):
        pods.take(Change(ResourceKind.POD, f"a/{name}", replace(SENDER, name=name), None))
    assert pods.watches() == {OWN}
    assert not compared.called


def test_namespaces_that_many_selectors_ask_for_are_not_compared() -> None:
    """A long selector of namespaces counts as one of all; where there are very many comparisons, all pods are heard."""
    long = LabelSelector.of([Requirement(f"k{number}", Operator.DOES_NOT_EXIST) for number in range(FEW + 1)])
    short = LabelSelector(long.requirements[:FEW])
    namespaces = [Namespace(f"ns{number}") for number in range(MOST + 1)]
    db, every = labelled(app="db"), LabelSelector()
    assert needed(*namespaces, SENDER, policy(PodPeer(db, long))) == {OWN, watch("", "app=db")}
    assert needed(*namespaces[:2], SENDER, policy(PodPeer(every, short))) == {OWN, watch("ns0"), watch("ns1")}
    assert needed(*namespaces, SENDER, policy(PodPeer(every, short))) == {OWN, ALL_PODS}
    many = [Namespace(f"ns{number}") for number in range(COMPARED // FEW + 1)]
    assert needed(*many[1:], SENDER, policy(PodPeer(db, short))) == {OWN, watch("", "app=db")}
    assert needed(*many, SENDER, policy(PodPeer(db, short))) == {OWN, ALL_PODS}


async def test_what_waits_is_not_looked_at_again_and_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Thousands of policies may wait for a list that takes seconds; what else changes costs as if there were none."""
    zone = Zone()
    zone.told()
    looked: list[str] = []
    needs = NeededPods.needs

    def look(pods: NeededPods, change: Change) -> set[Resource]:
        looked.append(change.key)
        return needs(pods, change)

    monkeypatch.setattr(NeededPods, "needs", look)
    for number in range(9):
        zone.watches.happen(came(policy(PodPeer(labelled(app="db")), name=f"p{number}")))
        zone.watches.tell(ResourceKind.NETWORK_QOS)
    looked.clear()
    zone.watches.happen(came(Namespace("c")))
    zone.watches.tell(ResourceKind.NAMESPACE)
    assert (looked, zone.told()) == (["c"], ["c"])
    zone.tell()
    assert zone.told() == [f"a/p{number}" for number in range(9)]


async def test_what_changes_back_at_once_is_not_told() -> None:
    """Of a pod that comes and goes in one answer nothing is handed on."""
    zone, pod = Zone(), replace(SENDER, name="other")
    zone.told()
    zone.watches.hearing.changed([came(pod), Change(ResourceKind.POD, pod.key, pod, None)])
    assert zone.told() == []


async def test_a_policy_that_goes_while_it_waits_is_forgotten() -> None:
    """Somebody may make and delete ever others as long as a list takes."""
    zone = Zone()
    for each in (policy(PodPeer(labelled(app="db"))), None):
        before = zone.watches.truth.policies.get("a/p")
        zone.watches.happen(Change(ResourceKind.NETWORK_QOS, "a/p", before, each))
        zone.watches.tell(ResourceKind.NETWORK_QOS)
        assert len(zone.watches.hearing._needed._peers._read) == (each is not None)
    zone.tell()
    assert "a/p" not in zone.told()
