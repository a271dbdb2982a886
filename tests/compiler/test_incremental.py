"""The incremental compiler is `compile_everything`, whatever happens in whatever order."""

from collections import Counter
from collections.abc import Iterable
from unittest.mock import Mock

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
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
    NetworkQoSStatus,
    PodPeer,
    Port,
    Protocol,
)
from nqosd.api.objects import Attachment, Namespace, NetworkAttachment, Pod, Topology
from nqosd.cache.selections import PodSelection
from nqosd.compiler import (
    address_owners,
    desired_state,
    expression,
    matching,
    rows,
    set_counts,
    stale_units,
)
from nqosd.compiler.definition import compile_everything
from nqosd.compiler.desired import Delta, Desired, Family
from nqosd.compiler.effective_policies import EffectivePolicy
from nqosd.compiler.incremental import IncrementalCompiler
from nqosd.compiler.matching import MatchScope
from nqosd.compiler.pod_addresses import PodAddress
from nqosd.compiler.pod_placement import FEW, REQUIREMENTS
from nqosd.compiler.prefixes import Prefixes, Range, covered
from nqosd.compiler.rows import SenderSwitch, Unit
from nqosd.compiler.set_ids import SetId
from nqosd.compiler.settings import Settings
from nqosd.compiler.stale_units import A_ROW, LITTLE
from nqosd.compiler.switches import Switches
from nqosd.config.options import Limits
from tests.compiler.crowds import crowds
from tests.compiler.worlds import NODES, batches, switches
from tests.examples import examples

small_limits = st.builds(
    Limits,
    members=st.sampled_from([*range(2, 12), 20, 100]),
    namespace_members=st.sampled_from([*range(4, 24, 2), 30, 100]),
    rows=st.sampled_from([1, 2, 4, 100, 100]),
    namespace_rows=st.sampled_from([1, 2, 4, 8, 100]),
)
"""Limits of rows and members to which a few pods and policies come."""
every_setting = st.builds(
    Settings,
    owner=st.just("nqosd"),
    zone=st.sampled_from(["", "east", *NODES]),
    ovn=st.sampled_from([None, (23, 3), (25, 3)]),
    any_network=st.booleans(),
    limits=small_limits
    | st.sampled_from(
        [
            Limits(),
            Limits(policies=1),
            Limits(rows=2),
            Limits(rows=4, namespace_rows=5),
            Limits(members=2),
            Limits(members=4, namespace_members=5),
            Limits(members=8, namespace_members=9),
            Limits(namespace_members=14),
            Limits(prefixes=20, ports=1, selectors=1),
            Limits(namespace_prefixes=40),
            Limits(definitions=1),
        ]
    ),
)


class Mirror:
    """A copy of the desired state that knows of changes by deltas alone."""

    def __init__(self) -> None:
        self.rows: dict[object, object] = {}
        self.sets: dict[str, set[str]] = {}

    def follow(self, delta: Delta, desired: Desired) -> None:
        """Apply a delta: rows by key, sets by the difference in their members."""
        for key in delta.rows:
            self.rows.pop(key, None)
            if key in desired.rows:
                self.rows[key] = desired.rows[key]
        wanted = desired.members()
        for name, members in delta.sets.items():
            mine = self.sets.pop(name, set())
            if name in wanted:
                if isinstance(wanted[name], Prefixes):
                    mine = set(wanted[name])
                assert not members.added & mine
                assert members.removed <= mine
                self.sets[name] = (mine | members.added) - members.removed

    def equals(self, desired: Desired) -> bool:
        """Say whether the copy is right."""
        return self.rows == desired.rows and self.sets == desired.members()


def check(compiler: IncrementalCompiler) -> None:
    """Hold the incremental result against the definition."""
    whole = compile_everything(compiler.tables, compiler.settings, compiler.switches)
    assert compiler.desired == whole.desired
    assert tuple(compiler.report(each.key) for each in whole.reports) == whole.reports
    assert {key: found for key in compiler.tables.pods if (found := compiler.refused(key))} == whole.refused


def check_each(events: list[list[Change]], setting: Settings) -> None:
    """Hold a new compiler's result against the definition after each batch."""
    compiler = IncrementalCompiler(setting)
    for batch in events:
        compiler.apply(batch)
        check(compiler)


@given(st.one_of(batches, crowds), every_setting, st.lists(switches, min_size=1, max_size=4))
@settings(max_examples=examples(300), deadline=None)
def test_equals_compile_everything(events: list[list[Change]], setting: Settings, seen: list[Switches]) -> None:
    """Any sequence of events, in any batching, ends in the state that compiling everything gives, at every step.

    Whatever is seen of switches in the database in between.
    """
    compiler, mirror = IncrementalCompiler(setting), Mirror()
    reports: dict[str, object] = {}
    for number, batch in enumerate(events):
        compiler.switches = seen[number // 2 % len(seen)]
        delta = compiler.apply(batch)
        check(compiler)
        mirror.follow(delta, compiler.desired)
        assert mirror.equals(compiler.desired)
        for key in delta.policies:
            reports[key] = compiler.report(key)
        assert all(reports[key] == compiler.report(key) for key in compiler.tables.policies)


@given(st.one_of(batches, crowds), every_setting, switches, st.integers(1, 3))
@settings(max_examples=examples(300), deadline=None)
def test_pods_that_are_left_change_nothing_in_the_end(
    events: list[list[Change]], setting: Settings, seen: Switches, often: int
) -> None:
    """Where nodes or networks move pods by and by, and more happens meanwhile, all ends as if they moved at once."""
    compiler, mirror = IncrementalCompiler(setting), Mirror()
    compiler.share, compiler.switches = 1, seen
    for number, batch in enumerate(events):
        mirror.follow(compiler.apply(batch), compiler.desired)
        while compiler.left and number % often == 0:
            mirror.follow(compiler.apply([]), compiler.desired)
        assert mirror.equals(compiler.desired)
        for key in compiler.tables.policies:
            compiler.report(key)
        if not compiler.left:
            check(compiler)
    while compiler.left:
        mirror.follow(compiler.apply([]), compiler.desired)
    check(compiler)
    assert mirror.equals(compiler.desired)


@given(batches, every_setting, st.integers(1, 2))
@settings(max_examples=examples(200), deadline=None)
def test_an_address_of_many_pods_counts_for_the_oldest_few(
    events: list[list[Change]], setting: Settings, sharers: int
) -> None:
    """Whatever pods come and go, it counts for those that compiling everything finds."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(address_owners, "SHARERS", sharers)
        check_each(events, setting)


@given(batches, every_setting)
@settings(max_examples=examples(100), deadline=None)
def test_batching_does_not_matter(events: list[list[Change]], setting: Settings) -> None:
    """The same events one by one and all at once end in the same state."""
    alone, together = IncrementalCompiler(setting), IncrementalCompiler(setting)
    for event in (event for batch in events for event in batch):
        alone.apply([event])
    together.apply([event for batch in events for event in batch])
    assert alone.desired == together.desired


@given(batches, every_setting, every_setting, switches)
@settings(max_examples=examples(100), deadline=None)
def test_settings_change(events: list[list[Change]], before: Settings, after: Settings, seen: Switches) -> None:
    """Other settings recompile everything, together with a batch, and the delta says exactly what that changed."""
    compiler, mirror = IncrementalCompiler(before), Mirror()
    for batch in events[:-1]:
        mirror.follow(compiler.apply(batch), compiler.desired)
    known, compiler.switches = set(compiler.tables.policies), seen
    delta = compiler.configure(after, events[-1])
    mirror.follow(delta, compiler.desired)
    check(compiler)
    assert mirror.equals(compiler.desired)
    if before != after:
        assert delta.policies >= known | compiler.tables.policies.keys()


@given(batches, switches)
@settings(max_examples=examples(50), deadline=None)
def test_nothing_is_kept(events: list[list[Change]], seen: Switches) -> None:
    """When every object has gone, nothing is desired and nothing is remembered."""
    compiler = IncrementalCompiler(Settings())
    compiler.switches = seen
    for batch in events:
        compiler.apply(batch)
    everything = compiler.tables.keys()
    compiler.apply([Change(kind, key, None, None) for kind, keys in everything.items() for key in keys])
    assert compiler.desired == Desired({}, {}, {})
    assert compiler.selections == 0
    assert len(compiler._placement._claims) == 0
    assert (compiler._switch_rows._demands, compiler.objections, compiler._membership.sets._counts) == ({}, {}, {})
    assert (compiler._membership.sizes._sizes, compiler._membership.sets._sites, compiler._membership.pods._known) == (
        {},
        {},
        {},
    )
    assert (compiler._topology.definitions.by_key, len(compiler._topology.definitions._ages)) == ({}, 0)
    assert (compiler._topology._index._known, compiler._topology._index._members) == ({}, {})
    assert (len(compiler._policies.readings), len(compiler._room)) == (0, 0)
    selected = compiler._policies.selected
    assert (len(selected._chosen), len(selected._seen)) == (0, 1)  # the default network
    assert sum(selected._users.values()) == 0


def test_first_use_tells_every_member() -> None:
    """A set that is used for the first time in the batch that also changes it is told with all its members."""
    peer = Pod("a", "peer", {"app": "x"}, "n2", attachments=(Attachment("default", ("10.0.0.1",)),))
    sender = Pod("a", "sender", {"tier": "x"}, "n1", attachments=(Attachment("default", ("10.0.0.2",)),))
    other = Pod("a", "other", {"app": "x"}, "n2", attachments=(Attachment("default", ("10.0.0.3",)),))
    to_peers = Classifier(to=(PodPeer(LabelSelector.of([Requirement("app", Operator.IN, ("x",))])),))
    senders = LabelSelector.of([Requirement("tier", Operator.IN, ("x",))])
    policy = NetworkQoS("a", "p", spec=NetworkQoSSpec(1, (EgressRule(1, classifier=to_peers),), senders))
    compiler, mirror = IncrementalCompiler(Settings()), Mirror()
    first = [Change(ResourceKind.NETWORK_QOS, "a/p", None, policy), Change(ResourceKind.POD, peer.key, None, peer)]
    mirror.follow(compiler.apply(first), compiler.desired)
    then = [Change(ResourceKind.POD, pod.key, None, pod) for pod in (other, sender)]
    mirror.follow(compiler.apply(then), compiler.desired)
    assert {"10.0.0.1", "10.0.0.3"} in mirror.sets.values()
    assert mirror.equals(compiler.desired)


def test_a_written_status_compiles_nothing() -> None:
    """A policy whose status was written is told as one to look at again, and nothing is compiled for it."""
    policy = NetworkQoS("a", "p", spec=NetworkQoSSpec(1, (EgressRule(1),)))
    written = attrs.evolve(policy, status=NetworkQoSStatus("NetworkQoS Destinations applied"))
    compiler = IncrementalCompiler(Settings())
    compiler.apply([Change(ResourceKind.NETWORK_QOS, "a/p", None, policy)])
    delta = compiler.apply([Change(ResourceKind.NETWORK_QOS, "a/p", policy, written)])
    assert (delta.rows, delta.sets, delta.policies) == (set(), {}, {"a/p"})
    assert compiler.tables.policies["a/p"] == written


def test_a_list_of_prefixes_is_read_once() -> None:
    """Senders that come to a switch after switch, a tie and a written status read no list of prefixes again."""
    read: list[Family] = []
    block = IPBlock(IPNetwork.of("0.0.0.0/0"), tuple(IPNetwork(4, 7919 * each, 32) for each in range(1, 30)))
    rules = tuple(EgressRule(1, classifier=Classifier(to=(block,))) for _ in range(3))
    policy = NetworkQoS("a", "p", "2026-01-01T00:00:00Z", spec=NetworkQoSSpec(1, rules))
    compiler = IncrementalCompiler(Settings())

    def noting(blocks: Iterable[IPBlock], family: Family) -> list[Range]:
        read.append(family)
        return covered(blocks, family)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(matching, "covered", noting)
        first = [Change(ResourceKind.NETWORK_QOS, "a/p", None, policy)]
        compiler.apply(first)
        for number in range(1, 9):
            node = f"n{number}"
            pod = Pod("a", node, {}, node, attachments=(Attachment("default", (f"10.0.0.{number}",)),))
            compiler.apply([Change(ResourceKind.POD, pod.key, None, pod)])
        written = attrs.evolve(policy, status=NetworkQoSStatus("x"), spec=NetworkQoSSpec(1, rules))
        compiler.apply([Change(ResourceKind.NETWORK_QOS, "a/p", None, written)])
        compiler.configure(Settings(ovn=(25, 3)))
        tied = NetworkQoS("a", "q", "2025-01-01T00:00:00Z", spec=NetworkQoSSpec(1, (EgressRule(1),)))
        compiler.apply([Change(ResourceKind.NETWORK_QOS, "a/q", None, tied)])
    assert len(compiler.desired.rows) == 32
    assert read == [*Family] * len(rules)


def test_what_may_take_long_is_known_before() -> None:
    """A few pods don't take long; a policy, many pods or other settings may, and what follows from limits per pod.

    So may a pod of whatever namespace that selectors with a thousand requirements may choose, or with a thousand
    addresses, when it comes and when it goes.
    """
    pods = [Pod("a", f"p{n}", {}, "n1", attachments=(Attachment("default", (f"10.0.0.{n}",)),)) for n in range(200)]
    changes = [Change(ResourceKind.POD, pod.key, None, pod) for pod in pods]
    spec = NetworkQoSSpec(1, (EgressRule(1, Limit(1000)),))
    plain = NetworkQoS("a", "p", spec=spec)
    alone = NetworkQoS("a", "p", spec=replace(spec, bandwidth_scope=BandwidthScope.POD))
    compiler = IncrementalCompiler(Settings())
    assert compiler.takes_long(compiler.settings, [Change(ResourceKind.NETWORK_QOS, "a/p", None, plain)])
    compiler.apply([Change(ResourceKind.NETWORK_QOS, "a/p", None, plain)])
    assert not compiler.takes_long(compiler.settings, changes[:1])
    assert compiler.takes_long(compiler.settings, changes)
    assert compiler.takes_long(Settings(ovn=(25, 3)), [])
    assert not takes_long_then(compiler, changes[0])
    compiler.apply([Change(ResourceKind.NETWORK_QOS, "a/p", plain, alone)])
    assert not compiler.takes_long(compiler.settings, changes[1:2])
    assert takes_long_then(compiler, changes[1])
    stranger = Pod("b", "p", {}, "n1")
    came, went = (Change(ResourceKind.POD, stranger.key, *both) for both in ((None, stranger), (stranger, None)))
    assert not compiler.takes_long(compiler.settings, [came])
    many = tuple(Attachment("default", (f"10.1.{each // 250}.{each % 250}",)) for each in range(1000))
    for both in ((None, replace(stranger, attachments=many)), (replace(stranger, attachments=many), None)):
        assert compiler.takes_long(compiler.settings, [Change(ResourceKind.POD, stranger.key, *both)])
    for each, number in ((1, FEW * REQUIREMENTS), (9, FEW * REQUIREMENTS // 9 + 1)):
        for few in (True, False):
            compiler = IncrementalCompiler(Settings())
            compiler.apply(absences(number // 2 if few else number, each))
            assert [compiler.takes_long(compiler.settings, [change]) for change in (came, went)] == [not few] * 2


def takes_long_then(compiler: IncrementalCompiler, change: Change) -> bool:
    """Compile a change; say whether others couldn't wait for what followed from it."""
    assert not compiler.takes_long(compiler.settings, [change])
    return any([*compiler.steps(compiler.settings, [change], Delta())])


@pytest.mark.parametrize("selectors", [1, 3])
def test_a_pod_with_many_units_takes_long(selectors: int) -> None:
    """The first sender of many policies on a switch does, whatever podSelectors they have, and not a second one.

    Nor does the first one of few policies.
    """
    absent = tuple(Requirement(f"k{number}", Operator.DOES_NOT_EXIST) for number in range(selectors))
    for number, is_long in ((LITTLE // 2 + 1, True), (LITTLE // 2 - 1, False)):
        compiler = IncrementalCompiler(Settings())
        for each in range(number):
            spec = NetworkQoSSpec(each % 100, (EgressRule(1),), LabelSelector(absent[: each % selectors]))
            policy = NetworkQoS("a", f"p{each}", spec=spec)
            compiler.apply([Change(ResourceKind.NETWORK_QOS, policy.key, None, policy)])
        first, second = (
            Pod("a", name, {}, "n1", attachments=(Attachment("default", (address,)),))
            for name, address in (("first", "10.0.0.1"), ("second", "10.0.0.2"))
        )
        came = [Change(ResourceKind.POD, pod.key, None, pod) for pod in (first, second)]
        assert [takes_long_then(compiler, each) for each in came] == [is_long, False]


def test_many_pods_on_new_switches_take_long_before_their_units_are_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    """Twenty first senders of fifty policies, each on a switch of its own, are a thousand units."""
    compiler = IncrementalCompiler(Settings())
    for number in range(50):
        policy = NetworkQoS("a", f"p{number}", spec=NetworkQoSSpec(number, (EgressRule(1),), LabelSelector()))
        compiler.apply([Change(ResourceKind.NETWORK_QOS, policy.key, None, policy)])
    pods = [
        Pod("a", f"p{n}", {}, f"n{n}", attachments=(Attachment("default", (f"10.0.0.{n}",)),)) for n in range(1, 21)
    ]
    looked = Mock(wraps=compiler._room.measure)
    monkeypatch.setattr(compiler._room, "measure", looked)
    steps = compiler.steps(
        compiler.settings, [Change(ResourceKind.POD, each.key, None, each) for each in pods], Delta()
    )
    assert next(steps)
    assert not looked.called
    assert all(steps)
    assert len(compiler.desired.rows) == 1000


@pytest.mark.parametrize(
    ("limits", "extra"),
    [
        (Limits(members=11), Pod("b", "extra", {"y": ""}, "n1")),
        (Limits(members=11), Pod("a", "extra", {"x": ""}, "n1")),
        (Limits(rows=1), Pod("a", "extra", {"x": ""}, "n2")),
        (Limits(members=11), Pod("c", "extra", {}, "n1", created="2025-01-01T00:00:00Z")),
    ],
    ids=["peer", "sender", "row", "claimant"],
)
def test_what_a_pod_turns_takes_long(limits: Limits, extra: Pod) -> None:
    """When it comes or goes a policy of whatever namespace is applied no more, or again, with all its rows and members.

    So it is if the pod only takes a peer's address, which brings the policy below its limit of members. Pods that turn
    nothing take no longer than before.
    """
    policy, sender, peers = turning("a")
    is_claimant = extra.namespace == "c"
    peers += [peer("twelfth", "10.0.1.2")] if is_claimant else []
    extra = replace(extra, attachments=(Attachment("default", ("10.0.1.2",)),))
    compiler = IncrementalCompiler(Settings(limits=limits))
    compiler.apply([Change(ResourceKind.NETWORK_QOS, policy.key, None, policy)])
    compiler.apply(Change(ResourceKind.POD, pod.key, None, pod) for pod in (sender, *peers))
    compiler.apply([Change(ResourceKind.NAMESPACE, name, None, Namespace(name, {})) for name in "ab"])
    came, went = (Change(ResourceKind.POD, extra.key, *both) for both in ((None, extra), (extra, None)))
    for change, is_applied in ((came, is_claimant), (went, not is_claimant)):
        assert takes_long_then(compiler, change)
        assert bool(compiler.desired.rows) == is_applied
        check(compiler)
        for stranger in (None, Pod("b", "stranger", {"x": ""}, "n1")):
            assert not takes_long_then(compiler, Change(ResourceKind.POD, "b/stranger", None, stranger))


@pytest.mark.parametrize(("blocks", "is_long"), [(LITTLE * A_ROW, True), (1_000, False)])
def test_the_first_sender_of_policies_with_many_prefixes_takes_long(blocks: int, *, is_long: bool) -> None:
    """Sets of them are named and counted then: 20 ms for 33,000."""
    entries = tuple(IPBlock(IPNetwork(4, (10 << 24) + 2 * each, 32)) for each in range(blocks))
    policy = NetworkQoS("a", "p", spec=NetworkQoSSpec(1, (EgressRule(1, classifier=Classifier(to=entries)),)))
    compiler = IncrementalCompiler(Settings())
    compiler.apply([Change(ResourceKind.NETWORK_QOS, policy.key, None, policy)])
    sender = peer("s", "10.0.0.1")
    sender = replace(sender, namespace="a")
    assert takes_long_then(compiler, Change(ResourceKind.POD, sender.key, None, sender)) is is_long


def peer(name: str, address: str) -> Pod:
    """Give a pod that policies choose as a peer."""
    return Pod("b", name, {"y": ""}, "n1", attachments=(Attachment("default", (address,)),))


def turning(namespace: str) -> tuple[NetworkQoS, Pod, list[Pod]]:
    """Give a policy with a sender, and ten peers of namespace b that it chooses."""
    senders, chosen = (LabelSelector.of([Requirement(each, Operator.EXISTS)]) for each in "xy")
    rule = EgressRule(1, Limit(1000), Classifier(to=(PodPeer(chosen, EVERYTHING),)))
    policy = NetworkQoS(namespace, "p", spec=NetworkQoSSpec(1, (rule,), senders))
    attachment = Attachment("default", (f"10.0.2.{ord(namespace[-1])}",))
    sender = Pod(namespace, "s", {"x": ""}, "n1", attachments=(attachment,))
    return policy, sender, [peer(f"p{number}", f"10.0.0.{number}") for number in range(10)]


def absences(number: int, requirements: int) -> list[Change]:
    """Give policies that select all pods so many times, each time with so many requirements."""
    found: list[Change] = []
    keys = ([f"{each}.{which}" for which in range(requirements)] for each in range(number))
    absent = ([Requirement(key, Operator.NOT_IN, ("x",)) for key in mine] for mine in keys)
    peers = tuple(PodPeer(LabelSelector.of(each), EVERYTHING) for each in absent)
    for first in range(0, len(peers), 50):
        rule = EgressRule(1, classifier=Classifier(to=peers[first : first + 50]))
        policy = NetworkQoS("c", str(first), spec=NetworkQoSSpec(first % 100, (rule,)))
        found.append(Change(ResourceKind.NETWORK_QOS, policy.key, None, policy))
    return found


def test_a_pod_that_many_are_concerned_by_takes_long() -> None:
    """One whose addresses pass to crowds, when it goes and when it comes; not one whose address passes to a crowd."""
    compiler, flat = IncrementalCompiler(Settings()), tuple(f"10.0.0.{host}" for host in range(1, 15))
    every = (Attachment("default", flat),)
    crowd = [Pod("evil", f"p{n:03}", {}, "n1", attachments=every, created="2026-01-02") for n in range(90)]
    old, one = Pod("shop", "a", {}, "n1", attachments=every, created="2026-01-01"), (Attachment("default", flat[:1]),)
    came = Change(ResourceKind.POD, old.key, None, old)
    alone = Change(ResourceKind.POD, "shop/b", None, replace(old, name="b", attachments=one))
    assert not compiler.takes_long(compiler.settings, [came])
    compiler.apply(Change(ResourceKind.POD, pod.key, None, pod) for pod in crowd)
    assert compiler.takes_long(compiler.settings, [came])
    assert not compiler.takes_long(compiler.settings, [alone])
    compiler.apply([came])
    assert compiler.takes_long(compiler.settings, [Change(ResourceKind.POD, old.key, old, None)])
    assert not compiler.takes_long(compiler.settings, [alone])


def test_a_pod_with_a_limit_of_its_own_leaves_the_rows_of_others() -> None:
    """A pod that comes, moves or goes builds its own rows alone; those of the others on its switch stay as they are."""
    spec = NetworkQoSSpec(1, (EgressRule(1, Limit(1000)), EgressRule(2)), bandwidth_scope=BandwidthScope.POD)
    policy = NetworkQoS("a", "p", spec=spec)
    pods = [Pod("a", f"p{n}", {}, "n1", attachments=(Attachment("default", (f"10.0.0.{n}",)),)) for n in range(5)]
    compiler = IncrementalCompiler(Settings())
    compiler.apply([Change(ResourceKind.NETWORK_QOS, "a/p", None, policy)])
    compiler.apply([Change(ResourceKind.POD, pod.key, None, pod) for pod in pods[:4]])
    first = dict(compiler.desired.rows)
    moved = replace(pods[0], attachments=(Attachment("default", ("10.0.1.0",)),))
    for key, pod in ((pods[4].key, pods[4]), (pods[0].key, moved), (pods[4].key, None)):
        compiler.apply([Change(ResourceKind.POD, key, None, pod)])
        check(compiler)
    changed = {key for key, row in compiler.desired.rows.items() if first.get(key) is not row}
    assert {key.part for key in changed} == {"pod/p0"}
    assert len(compiler.desired.rows) == len(first)


def test_another_switch_costs_no_comparison_of_sets(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many sets a rule refers to, they are compared and joined, and written into a match, once for all."""
    peers = tuple(PodPeer(LabelSelector.of([Requirement("a", Operator.IN, (str(each),))])) for each in range(40))
    found = []
    for number in (5, 25):
        ports = ((f"n{each}", (Attachment("default", (f"10.0.0.{each}",)),)) for each in range(number))
        pods = (Pod("a", f"on-{node}", {}, node, attachments=mine) for node, mine in ports)
        pods_and_policy = [*(Change(ResourceKind.POD, pod.key, None, pod) for pod in pods), _to(peers, 1)]
        compiler = IncrementalCompiler(Settings())
        compiler.apply(pods_and_policy)
        compared, hashed = Mock(wraps=LabelSelector.__eq__), Mock(wraps=SetId.__hash__)
        written = Mock(wraps=expression._bracketed)
        with monkeypatch.context() as patch:
            patch.setattr(LabelSelector, "__eq__", lambda mine, other, compared=compared: compared(mine, other))
            patch.setattr(SetId, "__hash__", lambda mine, hashed=hashed: hashed(mine))
            patch.setattr(expression, "_bracketed", written)
            compiler.apply([_to(peers, 2)])
        assert len(compiler.desired.rows) == 5 * number
        assert compiler.desired == compile_everything(compiler.tables, compiler.settings).desired
        found.append((compared.call_count, hashed.call_count, written.call_count))
    (few, little, short), (many, much, long) = found
    assert many - few < 20 * len(peers)
    assert much - little < 20 * len(peers) / 2
    assert long - short <= 20 * 5 * 2, "who sends, and all that is the same on each switch"


def _to(peers: tuple[PodPeer, ...], priority: int) -> Change:
    world = (IPBlock(IPNetwork.of("192.0.2.0/24")),)
    rules = (EgressRule(1, Limit(1000), Classifier(to=peers, from_=world, ports=(Port(Protocol.TCP, 80),))),) * 5
    policy = NetworkQoS("a", "p", spec=NetworkQoSSpec(priority, rules))
    return Change(ResourceKind.NETWORK_QOS, policy.key, None, policy)


def test_places_of_a_pod_that_are_alike_enter_their_set_together(monkeypatch: pytest.MonkeyPatch) -> None:
    """Many logical ports or addresses of pods on one switch take one look at each selection that chooses them."""
    looks = 0
    set_of = set_counts._set_of

    def counted(selection: PodSelection, place: PodAddress) -> SetId | None:
        nonlocal looks
        looks += 1
        return set_of(selection, place)

    spec = NetworkQoSSpec(1, (EgressRule(1),))
    compiler = IncrementalCompiler(Settings(ovn=(25, 3)))
    flat = NetworkAttachment("a", "flat", network="flat", topology=Topology.LAYER2)
    attachments = tuple(Attachment(f"a/flat/{number}", ()) for number in range(1, 65))
    pods = [Pod("a", f"p{number}", {}, "n1", attachments=attachments) for number in range(5)]
    compiler.apply([Change(ResourceKind.NETWORK_QOS, "a/p", None, NetworkQoS("a", "p", spec=spec))])
    compiler.apply([Change(ResourceKind.POD, each.key, None, each) for each in pods])
    monkeypatch.setattr(set_counts, "_set_of", counted)
    compiler.apply([Change(ResourceKind.NETWORK_ATTACHMENT_DEFINITION, flat.key, None, flat)])
    assert looks == 1
    (group,) = compiler.desired.port_groups.values()
    assert len(group.ports) == len(pods) * len(attachments)
    other = replace(flat, topology=Topology.LOCALNET)
    compiler.apply([Change(ResourceKind.NETWORK_ATTACHMENT_DEFINITION, flat.key, flat, other)])
    assert looks == 3
    check(compiler)


def test_a_unit_whose_senders_come_again_is_not_built_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Policies for a pod that comes and goes are built once, and anew when one or the kind of sender changes."""
    built: list[str] = []
    build = rows.build_unit

    def counted(effective: EffectivePolicy, site: SenderSwitch, scope: MatchScope, before: Unit | None = None) -> Unit:
        built.append(effective.key)
        return build(effective, site, scope, before)

    monkeypatch.setattr(stale_units, "build_unit", counted)
    policies = [NetworkQoS("a", f"p{each}", spec=NetworkQoSSpec(each + 1, (EgressRule(each),))) for each in range(5)]
    compiler = IncrementalCompiler(Settings(ovn=(25, 3)))
    compiler.apply([Change(ResourceKind.NETWORK_QOS, each.key, None, each) for each in policies])
    pod = Pod("a", "p", {}, "n1", attachments=(Attachment("default", ("10.0.0.1",)),))
    other = replace(pod, attachments=(Attachment("default", ("fd00::1",)),))
    for new in (pod, None, pod, None, other):
        compiler.apply([Change(ResourceKind.POD, pod.key, None, new)])
        check(compiler)
    assert Counter(built) == {each.key: 2 for each in policies}
    compiler.apply([Change(ResourceKind.POD, pod.key, other, None)])
    changed = NetworkQoS("a", "p0", spec=NetworkQoSSpec(1, (EgressRule(9),)))
    compiler.apply([Change(ResourceKind.NETWORK_QOS, changed.key, policies[0], changed)])
    compiler.apply([Change(ResourceKind.POD, pod.key, None, other)])
    assert built[10:] == ["a/p0"]
    check(compiler)


@given(batches, every_setting, st.sampled_from((0, 1, 3)))
@settings(max_examples=examples(100), deadline=None)
def test_few_spare_units_are_enough(events: list[list[Change]], setting: Settings, spare: int) -> None:
    """However few are kept, the desired state is the same."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(desired_state, "SPARE", spare)
        check_each(events, setting)


def test_a_share_of_pods_moves_at_once() -> None:
    """Where a network's topology changes its pods move by and by, the oldest first.

    A pod that changes itself doesn't wait. When the network goes, so do all rows there, and its pods leave by and by.
    """
    compiler = IncrementalCompiler(Settings())
    flat = NetworkAttachment("a", "flat", network="flat", topology=Topology.LAYER2)
    ports = tuple(Attachment(f"a/flat/{number}") for number in range(1, 5))
    pods = [Pod("a", f"p{number}", {}, "n1", attachments=ports) for number in range(6)]
    policy = NetworkQoS("a", "p", spec=NetworkQoSSpec(1, (EgressRule(1),)))
    compiler.apply([Change(ResourceKind.POD, pod.key, None, pod) for pod in pods])
    compiler.apply([_definition(flat), Change(ResourceKind.NETWORK_QOS, policy.key, None, policy)])
    check(compiler)
    compiler.share, compiler.moment = 2 * len(ports), 7.0
    compiler.apply([_definition(replace(flat, topology=Topology.LOCALNET))])
    assert list(compiler.left.items()) == [(f"a/p{number}", 7.0) for number in (2, 3, 4, 5)]
    assert _ports(compiler) == {"flat_ovn_localnet_switch": 8, "flat_ovn_layer2_switch": 16}
    assert compiler.takes_long(compiler.settings, [])
    changed = replace(pods[5], attachments=ports[:1])
    compiler.moment = 8.0
    compiler.apply([Change(ResourceKind.POD, changed.key, pods[5], changed)])
    assert list(compiler.left) == ["a/p4"]
    assert _ports(compiler) == {"flat_ovn_localnet_switch": 17, "flat_ovn_layer2_switch": 4}
    compiler.apply([_definition(flat)])
    assert compiler.left == {f"a/p{number}": 8.0 for number in (1, 2, 3, 5)}
    compiler.apply([Change(ResourceKind.NETWORK_ATTACHMENT_DEFINITION, flat.key, flat, None)])
    assert (len(compiler.left), compiler.desired.rows) == (4, {})
    compiler.apply([_definition(flat)])
    assert {key.switch for key in compiler.desired.rows} == {"flat_ovn_layer2_switch"}
    while compiler.left:
        compiler.apply([])
    check(compiler)


def _definition(found: NetworkAttachment) -> Change:
    return Change(ResourceKind.NETWORK_ATTACHMENT_DEFINITION, found.key, None, found)


def _ports(compiler: IncrementalCompiler) -> dict[str, int]:
    """Count the logical ports of senders by switch."""
    groups = compiler.desired.port_groups
    return {row.key.switch: len(groups[row.sets[0]].ports) for row in compiler.desired.rows.values() if row.key.policy}
