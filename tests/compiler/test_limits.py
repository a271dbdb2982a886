"""A policy that takes more than it may isn't applied, says why, and keeps nobody waiting."""

from collections.abc import Iterable, Mapping
from itertools import count
from random import Random
from unittest.mock import Mock

import attrs
import pytest
from msgspec.structs import replace

from nqosd.api.changes import Change, ResourceKind
from nqosd.api.ipnetworks import IPNetwork
from nqosd.api.labels import EVERYTHING, LabelSelector, Operator, Requirement
from nqosd.api.networkqos import (
    BandwidthScope,
    Classifier,
    EgressRule,
    IPBlock,
    Limit,
    NetworkQoS,
    NetworkQoSSpec,
    NetworkSelectionType,
    NetworkSelector,
    PodPeer,
    Port,
    Protocol,
)
from nqosd.api.objects import Attachment, Namespace, NetworkAttachment, Node, Pod, Topology
from nqosd.cache.selections import PodSelection
from nqosd.compiler import effective_policy_index
from nqosd.compiler.definition import compile_everything
from nqosd.compiler.effective_policies import too_many
from nqosd.compiler.incremental import IncrementalCompiler
from nqosd.compiler.set_counts import SetCounts
from nqosd.compiler.set_ids import CountedSet, SetId
from nqosd.compiler.settings import Settings
from nqosd.config.options import Limits
from nqosd.status.conditions import condition

NODES = ("n1", "n2")
PLAIN = (EgressRule(1, Limit(1000)),)


def policy(name: str, *rules: EgressRule, scope: BandwidthScope = BandwidthScope.RULE) -> NetworkQoS:
    """Make a policy for all pods of namespace a; names are in order of age."""
    spec = NetworkQoSSpec(1, rules, bandwidth_scope=scope)
    return NetworkQoS("a", name, f"2026-01-01T00:00:00Z{name}", spec=spec)


def pods(number: int) -> list[Change]:
    """Give pods on two nodes."""
    addresses = (f"10.0.{each // 250}.{each % 250}" for each in range(number))
    found = [
        Pod("a", f"pod{each}", {}, NODES[each % 2], attachments=(Attachment("default", (address,)),))
        for each, address in enumerate(addresses)
    ]
    return [Change(ResourceKind.POD, each.key, None, each) for each in found]


def put(*policies: NetworkQoS) -> list[Change]:
    """Give policies as they come in."""
    return [Change(ResourceKind.NETWORK_QOS, each.key, None, each) for each in policies]


def compiled(limits: Limits, *policies: NetworkQoS, senders: int = 2) -> IncrementalCompiler:
    """Compile policies, and pods that send."""
    compiler = IncrementalCompiler(Settings(limits=limits))
    compiler.apply([*put(*policies), *pods(senders)])
    return compiler


PREFIXES = Classifier(to=(IPBlock(IPNetwork.of("0.0.0.0/0"), (IPNetwork.of("10.0.0.1/32"),)),))
PORTS = Classifier(ports=tuple(Port(Protocol.UDP, number) for number in (1, 2, 4, 6)))
SELECTORS = Classifier(to=(PodPeer(), PodPeer(namespaces=PodPeer().pods)))
LARGE = {
    "prefixes": (policy("p", EgressRule(1, classifier=PREFIXES)), 32),
    "ports": (policy("p", EgressRule(1, classifier=PORTS)), 3),
    "selectors": (policy("p", EgressRule(1, classifier=SELECTORS)), 2),
    "members": (policy("p", EgressRule(1, classifier=SELECTORS)), 18),
    "rows": (policy("p", *PLAIN, scope=BandwidthScope.POD), 6),
}


@pytest.mark.parametrize("option", LARGE)
def test_a_policy_beyond_a_limit_is_not_applied_and_says_why(option: str) -> None:
    """Its condition is TooLarge with figure, bound and option; at the limit it is applied; others don't notice."""
    large, figure = LARGE[option]
    other = policy("q", *PLAIN)
    tight = attrs.evolve(Limits(), **{option: figure - 1})
    beyond, alone = compiled(tight, large, other, senders=6), compiled(tight, other, senders=6)
    report = beyond.report("a/p")
    assert report is not None
    assert not report.ready
    said = condition(large, report, "z")
    assert (said.status, said.reason) == ("False", "TooLarge")
    assert f"{figure} {option}" in said.message
    assert f"the {figure - 1} that limits.{option} allows" in said.message
    assert not any(key.policy == "a/p" for key in beyond.desired.rows)
    matches = [{row.match for row in each.desired.rows.values()} for each in (beyond, alone)]
    assert matches[0] == matches[1]
    beyond.configure(Settings(limits=attrs.evolve(Limits(), **{option: figure})))
    assert any(key.policy == "a/p" for key in beyond.desired.rows)


def test_only_the_oldest_policies_of_a_namespace_are_applied() -> None:
    """Beyond the limit the youngest wait, whatever came first, and one takes the room of another that goes."""
    policies = [policy(f"p{number}", *PLAIN) for number in range(4)]
    compiler = compiled(Limits(policies=2), *reversed(policies))
    assert {key.policy for key in compiler.desired.rows if key.policy} == {"a/p0", "a/p1"}
    report = compiler.report("a/p2")
    assert report is not None
    assert condition(policies[2], report, "z").reason == "TooLarge"
    compiler.apply([Change(ResourceKind.NETWORK_QOS, "a/p0", policies[0], None)])
    assert {key.policy for key in compiler.desired.rows if key.policy} == {"a/p1", "a/p2"}


def applied(compiler: IncrementalCompiler) -> set[str]:
    """Name the policies that have rows."""
    return {key.policy for key in compiler.desired.rows if key.policy}


LONG = LabelSelector.of(Requirement(f"key{number}", Operator.DOES_NOT_EXIST) for number in range(100))
NETWORKS = (
    NetworkSelector(NetworkSelectionType.DEFAULT_NETWORK),
    NetworkSelector(NetworkSelectionType.NETWORK_ATTACHMENT_DEFINITIONS, EVERYTHING, LONG),
)


@pytest.mark.parametrize(
    ("long", "figure"),
    [
        (policy("p", EgressRule(1, classifier=Classifier(to=(PodPeer(LONG),)))), 11),
        (policy("p", EgressRule(1, classifier=Classifier(from_=(PodPeer(LONG, LONG),)))), 21),
        (attrs.evolve(policy("p"), spec=NetworkQoSSpec(1, PLAIN, LONG)), 10),
        (attrs.evolve(policy("p"), spec=NetworkQoSSpec(1, PLAIN, network_selectors=NETWORKS)), 92),
    ],
    ids=["pods", "namespaces", "senders", "networks"],
)
def test_a_long_selector_counts_as_many(long: NetworkQoS, figure: int) -> None:
    """Each pod that comes, of anybody, is compared with each requirement: ten of them are a selector more.

    Each definition is compared with those of networkSelectors, of which each beyond the first ten is a selector.
    """
    report = compiled(attrs.evolve(Limits(), selectors=figure - 1), long).report("a/p")
    assert report is not None
    assert [each.message for each in report.problems if f"{figure} selectors are more than" in each.message]
    assert applied(compiled(attrs.evolve(Limits(), selectors=figure, namespace_selectors=figure), long)) == {"a/p"}
    assert applied(compiled(attrs.evolve(Limits(), namespace_selectors=figure - 1), long)) == set()


BLOCKED = EgressRule(1, classifier=PREFIXES)
SHARED = {
    "prefixes": ([policy(f"p{number}", BLOCKED) for number in range(3)], 64),
    "selectors": ([policy(f"p{number}", EgressRule(1, classifier=SELECTORS)) for number in range(3)], 4),
    "members": ([policy(f"p{number}", EgressRule(1, classifier=SELECTORS)) for number in range(3)], 22),
    "rows": ([policy(f"p{number}", *PLAIN, scope=BandwidthScope.POD) for number in range(3)], 8),
}


@pytest.mark.parametrize("what", SHARED)
def test_a_namespace_has_its_limit_too_and_the_oldest_come_first(what: str) -> None:
    """What the older policies leave no room for is TooLarge, and takes the room of one that goes."""
    policies, figure = SHARED[what]
    other = attrs.evolve(policies[0], namespace="b", name="other")
    stranger = Pod("b", "pod0", {}, "n1", attachments=(Attachment("default", ("10.0.1.0",)),))
    limits = attrs.evolve(Limits(), **{f"namespace_{what}": figure})
    compiler = compiled(limits, *reversed(policies), other, senders=4)
    compiler.apply([Change(ResourceKind.POD, stranger.key, None, stranger)])
    assert applied(compiler) == {"a/p0", "a/p1", "b/other"}
    report = compiler.report("a/p2")
    assert report is not None
    said = condition(policies[2], report, "z")
    assert said.reason == "TooLarge"
    assert f"the {what} of this policy and of the older ones of namespace a" in said.message
    assert f"the {figure} that limits.namespace_{what} allows" in said.message
    compiler.apply([Change(ResourceKind.NETWORK_QOS, "a/p0", policies[0], None)])
    assert applied(compiler) == {"a/p1", "a/p2", "b/other"}


def test_a_young_policy_may_fit_where_an_older_one_does_not() -> None:
    """A policy for which there is no room leaves it to those after it; they are told nothing."""
    large = policy("p1", *PLAIN, *PLAIN, scope=BandwidthScope.POD)
    compiler = compiled(Limits(namespace_rows=6), policy("p0", *PLAIN, scope=BandwidthScope.POD), large, senders=4)
    assert applied(compiler) == {"a/p0"}
    compiler.apply(put(policy("p2", *PLAIN)))
    assert applied(compiler) == {"a/p0", "a/p2"}


def test_limits_per_pod_come_and_go_with_the_pods() -> None:
    """A pod too many takes the policy's rows away, and they are back when it goes."""
    compiler = compiled(Limits(rows=4), policy("p", *PLAIN, scope=BandwidthScope.POD), senders=4)
    assert sum(key.policy == "a/p" for key in compiler.desired.rows) == 4
    fifth = pods(5)[4]
    compiler.apply([fifth])
    assert not compiler.desired.rows
    compiler.apply([Change(ResourceKind.POD, fifth.key, None, None)])
    assert sum(key.policy == "a/p" for key in compiler.desired.rows) == 4


CHOOSING = policy("p", EgressRule(1, classifier=Classifier(to=(PodPeer(namespaces=EVERYTHING),))))


def test_members_come_and_go_with_the_pods() -> None:
    """A pod of any namespace too many takes the rows away, and they are back when it goes or is no longer chosen."""
    absent = LabelSelector((Requirement("x", Operator.DOES_NOT_EXIST),))
    choosing = policy("p", EgressRule(1, classifier=Classifier(to=(PodPeer(absent, EVERYTHING),))))
    compiler = compiled(Limits(members=8), choosing, senders=4)
    assert applied(compiler) == {"a/p"}
    fifth = Pod("b", "other", {}, "n1", attachments=(Attachment("default", ("10.0.1.0",)),))
    for spared in (None, replace(fifth, labels={"x": ""}), replace(fifth, ended=True)):
        compiler.apply([Change(ResourceKind.POD, fifth.key, None, fifth)])
        assert applied(compiler) == set()
        compiler.apply([Change(ResourceKind.POD, fifth.key, None, spared)])
        assert applied(compiler) == {"a/p"}
    assert sorted(len(each.addresses) for each in compiler.desired.address_sets.values()) == [2, 2, 4]


def test_every_address_of_a_pod_counts() -> None:
    """A pod with two addresses is two members of each selector that chooses it."""
    pod = Pod("b", "b", {}, "n1", attachments=(Attachment("default", ("10.0.1.0", "fd00::1")),))
    for limit, expected in ((5, set()), (6, {"a/p"})):
        compiler = compiled(Limits(members=limit), CHOOSING)
        compiler.apply([Change(ResourceKind.POD, pod.key, None, pod)])
        assert applied(compiler) == expected


def test_of_a_policy_beyond_its_members_none_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """To count what 2,000 selectors choose of 500 pods takes no comparison of a pod with any of them, and no memory."""
    number, senders = 2000, 500
    absent = (LabelSelector((Requirement(f"a{each}", Operator.DOES_NOT_EXIST),)) for each in range(number))
    to = tuple(PodPeer(each, EVERYTHING) for each in absent)
    compiler = compiled(Limits(selectors=number, namespace_selectors=number), senders=senders)
    compared = count()
    matches = PodSelection.matches

    def compare(self: PodSelection, pod: Pod, namespaces: Mapping[str, Namespace]) -> bool:
        next(compared)
        return matches(self, pod, namespaces)

    monkeypatch.setattr(PodSelection, "matches", compare)
    compiler.apply(put(policy("p", EgressRule(1, classifier=Classifier(to=to)))))
    report = compiler.report("a/p")
    assert report is not None
    assert f"up to {number * senders + 10_000} members" in report.problems[0].message  # with its senders, 500
    assert next(compared) == 0
    known = compiler._membership.pods._known["a"].values()
    assert {len(each.selections) for each in known} == {0}
    assert not any(isinstance(each, SetId) for each in compiler._membership.sets._counts)


@pytest.mark.parametrize(("number", "said"), [(11, "11"), (29, "up to 30"), (30, "up to 30"), (31, "up to 32")])
def test_the_figure_is_true(number: int, said: str) -> None:
    """Where it is rounded, which it is up to what would be enough, it says so; a limit as high would do."""
    limits = Limits(members=10 if number == 11 else 28)
    senders = policy("p", *PLAIN)
    report = compiled(limits, senders, senders=number).report("a/p")
    assert report is not None
    assert report.problems[0].message.startswith(f"{said} members are more than the {limits.members} that")
    assert applied(compiled(Limits(members=int(said.rsplit(maxsplit=1)[-1])), senders, senders=number)) == {"a/p"}


def test_of_very_many_policies_only_the_oldest_are_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that comes, changes or goes costs what the policies cost that a namespace may have, and all is right."""
    limits, random = Limits(policies=3), Random(0)  # noqa: S311 (a seed makes the same sequence again)
    compiler = compiled(limits, *(policy(f"p{number:02}", *PLAIN) for number in range(50)))
    asked = Mock(wraps=too_many)
    monkeypatch.setattr(effective_policy_index, "too_many", asked)
    for _ in range(100):
        changed = policy(f"p{random.randrange(50):02}", *PLAIN)
        if random.random() < 0.5:
            compiler.apply(put(attrs.evolve(changed, created=f"2026-01-01T00:00:00Z{random.randrange(50)}")))
        else:
            compiler.apply([Change(ResourceKind.NETWORK_QOS, changed.key, changed, None)])
        assert asked.call_count <= 2
        asked.reset_mock()
        whole = compile_everything(compiler.tables, compiler.settings)
        assert compiler.desired == whole.desired
        assert tuple(compiler.report(each.key) for each in whole.reports) == whole.reports
        assert compiler._policies.readings.keys() == {each.key for each in whole.reports if each.ready}


def test_one_update_is_news_of_few_policies() -> None:
    """Of 201 policies of one priority, one that is changed changes what is to be told of itself alone."""
    policies = [policy(f"p{number:03}", *PLAIN) for number in range(201)]
    compiler = compiled(Limits(), *policies)
    reports = {each.key: compiler.report(each.key) for each in policies}
    changed = attrs.evolve(policies[150], spec=NetworkQoSSpec(2, PLAIN))
    compiler.apply(put(changed))
    assert {key for key, before in reports.items() if compiler.report(key) != before} == {"a/p150"}


def test_selectors_that_come_and_go_are_not_compared_with_each_other(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a policy with many selectors costs, or a pod that all of them choose, doesn't grow with their square."""
    number = 200

    def choosing(word: str) -> NetworkQoS:
        absent = (LabelSelector((Requirement(f"{word}{each}", Operator.DOES_NOT_EXIST),)) for each in range(number))
        return policy("0", EgressRule(1, None, Classifier(to=tuple(PodPeer(each, EVERYTHING) for each in absent))))

    compiler = compiled(Limits(selectors=number), choosing("a"), senders=20)
    compared = count()
    is_equal = PodSelection.__eq__

    def compare(one: PodSelection, other: object) -> bool:
        next(compared)
        return is_equal(one, other)

    monkeypatch.setattr(PodSelection, "__eq__", compare)
    (pod, *_) = compiler.tables.pods.values()
    moved = replace(pod, attachments=(Attachment("default", ("10.0.9.9",)),))
    compiler.apply([Change(ResourceKind.POD, pod.key, pod, moved)])
    compiler.apply(put(choosing("b")))
    assert compiler.selections == number + 1
    compiler.apply([Change(ResourceKind.NETWORK_QOS, "a/0", choosing("b"), None)])
    assert compiler.selections == 0
    assert next(compared) < number**2


def test_of_a_policy_that_is_not_applied_only_the_sizes_are_kept() -> None:
    """Its classifiers are read again when there is room for it, and then all is as if it had been applied before."""
    policies = [policy(f"p{number}", BLOCKED) for number in range(3)]
    compiler = compiled(Limits(namespace_prefixes=64), *policies)
    kept = {key: reading.criteria is not None for key, reading in compiler._policies.readings.items()}
    assert kept == {"a/p0": True, "a/p1": True, "a/p2": False}
    compiler.apply([Change(ResourceKind.NETWORK_QOS, "a/p0", policies[0], None)])
    assert all(reading.criteria for reading in compiler._policies.readings.values())
    alone = compiled(Limits(namespace_prefixes=64), *policies[1:])
    assert compiler.desired == alone.desired


def choosing_senders(name: str, absent: str) -> NetworkQoS:
    """Make a policy for the pods without a label."""
    selector = LabelSelector((Requirement(absent, Operator.DOES_NOT_EXIST),))
    return attrs.evolve(policy(name), spec=NetworkQoSSpec(1, PLAIN, selector))


def test_senders_count_as_members_once_in_a_namespace() -> None:
    """What a podSelector chooses counts for a policy's limit; for a namespace's what equal ones choose counts once."""
    assert applied(compiled(Limits(members=3), choosing_senders("p", "x"), senders=4)) == set()
    assert applied(compiled(Limits(members=4), choosing_senders("p", "x"), senders=4)) == {"a/p"}
    policies = [choosing_senders(f"p{number}", each) for number, each in enumerate("xxyx")]
    compiler = compiled(Limits(namespace_members=7), *policies, senders=4)
    assert applied(compiler) == {"a/p0", "a/p1", "a/p3"}
    report = compiler.report("a/p2")
    assert report is not None
    assert condition(policies[2], report, "z").reason == "TooLarge"
    known = compiler._membership.pods._known["a"].values()
    assert {len(each.selections) for each in known} == {1}
    for each in (policies[0], policies[1], policies[3]):
        compiler.apply([Change(ResourceKind.NETWORK_QOS, each.key, each, None)])
    assert applied(compiler) == {"a/p2"}


def idle_or_sending(name: str, label: str) -> NetworkQoS:
    """Make a policy for the pods with a label, to all pods."""
    selector = LabelSelector((Requirement(label, Operator.EXISTS),))
    to = Classifier(to=(PodPeer(namespaces=EVERYTHING),))
    return attrs.evolve(policy(name), spec=NetworkQoSSpec(1, (EgressRule(1, classifier=to),), selector))


def reasons(compiler: IncrementalCompiler) -> Mapping[str, str]:
    """Give the reason of each policy's condition, and hold rows and reports to those of all objects at once."""
    whole = compile_everything(compiler.tables, compiler.settings)
    assert compiler.desired == whole.desired
    assert [compiler.report(each.key) for each in whole.reports] == list(whole.reports)
    return {each.key: condition(compiler.tables.policies[each.key], each, "z").reason for each in whole.reports}


@pytest.mark.parametrize("limits", [Limits(members=22, namespace_members=30), Limits(members=40, namespace_members=30)])
def test_a_policy_without_senders_takes_no_room(limits: Limits) -> None:
    """Though it is older, and has many peers, until its first sender is there; then the younger one waits."""
    compiler = compiled(limits, idle_or_sending("p", "first"), idle_or_sending("q", "second"), senders=20)
    first, second = (
        Pod("a", label, {label: ""}, "n1", attachments=(Attachment("default", (address,)),))
        for label, address in (("first", "10.0.1.0"), ("second", "10.0.1.1"))
    )
    assert reasons(compiler) == {"a/p": "NoSourcePods", "a/q": "NoSourcePods"}
    compiler.apply([Change(ResourceKind.POD, second.key, None, second)])
    assert reasons(compiler) == {"a/p": "NoSourcePods", "a/q": "Applied"}
    for _ in range(2):
        compiler.apply([Change(ResourceKind.POD, first.key, None, first)])
        alone = "TooLarge" if limits.members == 22 else "Applied"
        assert reasons(compiler) == {"a/p": alone, "a/q": "TooLarge"}
        compiler.apply([Change(ResourceKind.POD, first.key, first, None)])
        assert reasons(compiler) == {"a/p": "NoSourcePods", "a/q": "Applied"}


def test_of_senders_those_of_the_zone_count() -> None:
    """Pods that send elsewhere are no members here, whichever way they came to be, or ceased to be, elsewhere."""
    compiler = IncrementalCompiler(Settings(zone="n1", limits=Limits(members=25)))
    nodes = [Change(ResourceKind.NODE, name, None, Node(name)) for name in NODES]
    compiler.apply([*nodes, *put(policy("p", *PLAIN)), *pods(50)])
    assert reasons(compiler) == {"a/p": "Applied"}
    for zone, reason in (("n1", "TooLarge"), ("other", "Applied")):
        compiler.apply([Change(ResourceKind.NODE, "n2", None, Node("n2", zone=zone))])
        assert reasons(compiler) == {"a/p": reason}
    compiler.apply([*put(choosing_senders("q", "x"))])
    assert reasons(compiler) == {"a/p": "Applied", "a/q": "Applied"}
    for zone in ("n1", "other"):
        compiler.apply([Change(ResourceKind.NODE, "n2", None, Node("n2", zone=zone))])
        reasons(compiler)


def test_pods_that_come_at_once_enter_no_set_that_there_is_no_room_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a batch of pods takes policies beyond a limit, none of it enters their sets of senders or of peers."""
    to = Classifier(to=tuple(PodPeer(LabelSelector((Requirement(each, Operator.DOES_NOT_EXIST),))) for each in "ab"))
    chosen = [choosing_senders(f"p{number}", f"x{number}") for number in range(9)]
    compiler = compiled(Limits(members=20, namespace_members=30), *chosen, policy("q", EgressRule(1, classifier=to)))
    entered = count()
    add = SetCounts._add

    def counted(self: SetCounts, set_id: CountedSet, members: Iterable[str]) -> bool:
        mine = list(members)
        for _ in mine if isinstance(set_id, SetId) else ():
            next(entered)
        return add(self, set_id, mine)

    monkeypatch.setattr(SetCounts, "_add", counted)
    assert len(applied(compiler)) == 10
    compiler.apply(pods(20))
    assert applied(compiler) == {"a/p0"}
    assert next(entered) == 18
    whole = compile_everything(compiler.tables, compiler.settings)
    assert compiler.desired == whole.desired


def definition(number: int, *, accepted: bool = False) -> NetworkAttachment:
    """Give a definition of a network that two share; names are in order of age."""
    created = f"2026-01-01T00:00:00Z{number:02}"
    topology = (Topology.LAYER2, Topology.LAYER3)[number % 3 == 0]
    name = f"d{number:02}"
    return NetworkAttachment("a", name, {}, f"net{number // 2}", topology, created=created, accepted=accepted)


def test_of_very_many_definitions_only_the_oldest_are_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that comes, changes or goes costs what those cost that a namespace may have, and all is right."""
    limits, random = Limits(definitions=5), Random(0)  # noqa: S311 (a seed makes the same sequence again)
    compiler = compiled(limits, policy("p", *PLAIN))
    kind = ResourceKind.NETWORK_ATTACHMENT_DEFINITION
    every = [definition(number) for number in range(50)]
    other = replace(every[0], namespace="b", network="other")
    sender = Pod("a", "wide", {}, "n1", attachments=tuple(Attachment(each.key, ()) for each in every))
    compiler.apply([Change(kind, each.key, None, each) for each in (*every, other)])
    compiler.apply([Change(ResourceKind.POD, sender.key, None, sender)])
    taken = Mock(wraps=compiler._topology._index.take)
    monkeypatch.setattr(compiler._topology._index, "take", taken)
    for _ in range(60):
        number = random.randrange(50)
        new = None if random.random() < 0.5 else definition(number, accepted=random.random() < 0.1)
        compiler.apply([Change(kind, every[number].key, None, new)])
        [(changed, looked_at)] = [each.args for each in taken.call_args_list]
        assert len(changed) <= 2  # one more begins to count, or ceases to
        assert len(looked_at) == limits.definitions + 1
        whole = compile_everything(compiler.tables, compiler.settings)
        assert compiler.desired == whole.desired
        taken.reset_mock()
        mine = [each for each in compiler.tables.attachments.values() if each.namespace == "a"]
        first = sorted(mine, key=lambda each: (not each.accepted, each.created))[: limits.definitions]
        beyond = {each.key for each in mine if "limits.definitions allows" in compiler.ignores(each)}
        assert beyond == {each.key for each in mine if each not in first}
        assert compiler.crowded == {"a"}
        assert not compiler.ignores(other)
    compiler.apply([Change(kind, each.key, each, None) for each in every[limits.definitions :]])
    assert not compiler.crowded
