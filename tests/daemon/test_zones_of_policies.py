"""What several zones say of one policy comes to the same, whichever of them sums up.

Each zone compiles, says how the policy stands and reports; what they report is summed up by each of them.
"""

from collections.abc import Mapping

import attrs
import pytest

from nqosd.api.changes import Change, ResourceKind
from nqosd.api.labels import EVERYTHING, LabelSelector, Operator, Requirement
from nqosd.api.networkqos import Classifier, EgressRule, Limit, NetworkQoS, NetworkQoSSpec, PodPeer
from nqosd.api.objects import Attachment, Namespace, Node, Pod
from nqosd.config.options import Limits
from tests.daemon.zones import Zone, summed

PEERS = Classifier(to=(PodPeer(EVERYTHING),))


def put(policy: NetworkQoS) -> Change:
    """Say that a policy came."""
    return Change(ResourceKind.NETWORK_QOS, policy.key, None, policy)


def policy(name: str, classifier: Classifier = Classifier(), priority: int = 1) -> NetworkQoS:  # noqa: B008 - frozen
    """Give a policy for all pods of its namespace."""
    spec = NetworkQoSSpec(priority, (EgressRule(1, Limit(1000), classifier),))
    return NetworkQoS("a", name, f"2026-01-01T00:00:00Z{name}", spec=spec, resource_version="1")


def surroundings(**pods: int) -> list[Change]:
    """Give nodes with so many pods each."""
    found = [Change(ResourceKind.NAMESPACE, "a", None, Namespace("a", {}))]
    found += [Change(ResourceKind.NODE, node, None, Node(node)) for node in pods]
    for node, number in pods.items():
        for each in range(number):
            attachment = Attachment("default", (f"10.0.{ord(node)}.{each + 4}",))
            pod = Pod("a", f"{node}-{each}", {"app": node}, node, attachments=(attachment,))
            found.append(Change(ResourceKind.POD, pod.key, None, pod))
    return found


@pytest.mark.parametrize("hears_all", [True, False])
@pytest.mark.parametrize(
    ("limits", "pods"),
    [
        (Limits(members=12), {"a": 1, "b": 7}),
        (Limits(namespace_members=12), {"a": 1, "b": 7}),
        (Limits(members=20), {"a": 7, "b": 7, "c": 0}),
        (Limits(members=13), {"a": 7, "b": 7, "c": 0}),
        (Limits(members=100), {"a": 7, "b": 7, "c": 0}),
    ],
    ids=["in one zone", "of its namespace", "in both", "by its peers alone", "nowhere"],
)
async def test_a_policy_beyond_a_limit_of_members(limits: Limits, pods: Mapping[str, int], *, hears_all: bool) -> None:
    """It is Ready if each zone with senders applies it; who fails says so, though senders are only counted there."""
    zones = [Zone(name, limits, hears_all=hears_all) for name in pods]
    for zone in zones:
        await zone.take([*surroundings(**pods), put(policy("x", PEERS))], 5)
        zone.report()
    is_applied = all("a/x" in zone.applies for zone in zones if pods[zone.name])
    assert {summed(zone, zones)["a/x"].ready.status for zone in zones} == {"True" if is_applied else "False"}
    assert len({summed(zone, zones)["a/x"].summary for zone in zones}) == 1


async def test_a_zone_without_room_for_what_others_apply_is_asked_nothing() -> None:
    """A policy without senders in a zone takes no room there; a node without a daemon makes it wait for nobody."""
    zones = [Zone(name, Limits(namespace_members=12), hears_all=True) for name in "ab"]
    changes = surroundings(a=3, b=3, c=0)
    for app in "ab":
        selector = LabelSelector.of([Requirement("app", Operator.IN, (app,))])
        spec = NetworkQoSSpec(1, (EgressRule(1, Limit(1000), PEERS),), selector)
        changes.append(put(attrs.evolve(policy(app), spec=spec)))
    for zone in zones:
        await zone.take(changes, 5)
        zone.report()
    assert [zone.applies for zone in zones] == [{"a/a"}, {"a/b"}]
    for zone in zones:
        found_there = {key: (each.ready.status, each.counts.with_senders) for key, each in summed(zone, zones).items()}
        assert found_there == {"a/a": ("True", 1), "a/b": ("True", 1)}


@pytest.mark.parametrize("hears_all", [True, False])
async def test_zones_with_other_limits(*, hears_all: bool) -> None:
    """While limits are changed zone by zone a policy isn't Ready that one of them doesn't apply."""
    low, high = Limits(policies=1), Limits(policies=2)
    zones = [Zone("a", high, hears_all=hears_all), Zone("b", low, hears_all=hears_all)]
    for zone in zones:
        await zone.take([*surroundings(a=1, b=1), put(policy("x")), put(policy("y", priority=2))], 5)
        zone.report()
    for zone in zones:
        assert {key: each.ready.status for key, each in summed(zone, zones).items()} == {"a/x": "True", "a/y": "False"}


@pytest.mark.parametrize("hears_all", [True, False])
async def test_a_zone_on_whose_compiler_a_policy_fails(*, hears_all: bool) -> None:
    """It says so, though it doesn't know where the policy has senders."""
    zones = [Zone(name, Limits(), hears_all=hears_all) for name in "ab"]
    broken = attrs.evolve(policy("x"), spec=None)
    for zone, found, left_out in zip(zones, (policy("x"), broken), (frozenset[str](), frozenset({"a/x"})), strict=True):
        await zone.take([*surroundings(a=1, b=1), put(found)], 5, left_out)
        zone.report()
    said = [summed(zone, zones)["a/x"] for zone in zones]
    assert [(each.ready.status, each.summary.partition(":")[0]) for each in said] == [
        ("False", "Not applied in zone b"),
        ("False", "Not applied in zone b"),
    ]


async def test_room_that_an_older_policy_leaves() -> None:
    """A policy that comes to have room is Ready when each zone knows that, not when the one that sums up does."""
    zones = [Zone(name, Limits(policies=1), hears_all=True) for name in "ab"]
    for zone in zones:
        await zone.take([*surroundings(a=1, b=1), put(policy("w")), put(replace_version(policy("x"), "3"))], 5)
        zone.report()
    gone = Change(ResourceKind.NETWORK_QOS, "a/w", policy("w"), None)
    await zones[0].take([gone], 6)
    zones[0].report()
    assert zones[0].applies == {"a/x"}
    assert summed(zones[0], zones)["a/x"].ready.status == "False"
    await zones[1].take([gone], 6)
    zones[1].report()
    assert summed(zones[0], zones)["a/x"].ready.status == "True"


def replace_version(policy: NetworkQoS, version: str) -> NetworkQoS:
    """Give a policy with another resource version."""
    return attrs.evolve(policy, resource_version=version)
