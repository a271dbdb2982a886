"""Who hears only of the pods that matter has the rows of who hears of all."""

import asyncio
import itertools
import math
from collections.abc import Sequence
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from nqosd.api.changes import Change, ResourceKind
from nqosd.api.labels import LabelSelector, Operator, Requirement
from nqosd.api.networkqos import Classifier, EgressRule, NetworkQoS, NetworkQoSSpec, PodPeer
from nqosd.api.objects import Namespace, Node, Pod
from nqosd.cache.tables import Tables
from nqosd.compiler.definition import compile_everything
from nqosd.compiler.effective_policies import peers_of
from nqosd.compiler.incremental import IncrementalCompiler
from nqosd.compiler.pod_addresses import Zone
from nqosd.compiler.policy_reports import PolicyReport
from nqosd.compiler.settings import Settings
from nqosd.config.options import Limits
from nqosd.daemon import hearing, needed_pods, peer_needs
from nqosd.daemon.hearing import LINGER
from nqosd.daemon.inbox import Inbox
from nqosd.daemon.needed_pods import ALL_PODS, watches_of
from nqosd.daemon.peer_needs import MOST, peers_among
from nqosd.informers.resource_versions import as_number
from nqosd.informers.resources import Resource
from tests.compiler.crowds import crowds
from tests.compiler.worlds import NAMESPACES, batches
from tests.daemon.fake_watches import Clock, FakeWatches
from tests.examples import examples

ZONES = ["n1", "n1", "n1", "n1", "n1", "n1", "n1", "east", "east", "n9", ""]
"""Names that the database's zone has, now and then one of no node or of the whole cluster."""
LIMITS = st.builds(
    Limits,
    policies=st.sampled_from([100, 100, 100, 100, 100, 3]),
    definitions=st.sampled_from([100, 100, 100, 1]),
    selectors=st.sampled_from([100, 100, 100, 100, 100, 1]),
    namespace_selectors=st.sampled_from([100, 100, 100, 100, 100, 3]),
    members=st.sampled_from([100, 2, 5, 9, 14]),
    namespace_members=st.sampled_from([100, 4, 9, 14, 20]),
    rows=st.sampled_from([100, 100, 100, 2]),
    namespace_rows=st.sampled_from([100, 100, 100, 4]),
)
"""Limits to which a few pods and policies come, those of members most often."""
BOUNDS = (
    (hearing, "MOST_COPIES", 2),
    (needed_pods, "FEW_NAMESPACES", 1),
    (needed_pods, "COMPARED", 2),
    (needed_pods, "REMEMBERED", 1),
    (peer_needs, "FEW", 0),
    (peer_needs, "LONGEST", 6),
)
"""Bounds of what is kept or asked for; beyond each of them more pods are heard of, and never fewer."""


class Site:
    """Watches, and a compiler that takes what they tell whenever the rounds would.

    The zone may get another name, watches may list anew, the server may be restored, and changes may stay in the inbox.
    """

    def __init__(self, zone: str, limits: Limits, random: Random, selectors: dict[str, LabelSelector]) -> None:
        self.zone = zone
        self.limits = limits
        self.random = random
        self.renamed, self.listed_anew = random.choice([0.0, 0.0, 0.05]), random.choice([0.0, 0.1, 0.3])
        self.is_kept, self.restored = random.choice([True, False]), random.choice([0.0, 0.0, 0.02])
        self.clock = Clock()
        self.inbox = Inbox(asyncio.Event())
        self.watches = FakeWatches(self.inbox, self.clock, selectors)
        self.compiler = IncrementalCompiler(self.settings)
        self.compiler.share = random.choice([1, math.inf])
        self.said: dict[str, PolicyReport | None] = {}
        """What was said of each policy when it was last due."""

    @property
    def settings(self) -> Settings:
        """What the compiler is to compile with."""
        return Settings(zone=self.zone, limits=self.limits)

    def go_on(self, steps: int) -> None:
        """Let things be told in any order, and rounds run in between."""
        while steps and (sources := self.watches.sources()):
            self.watches.tell(self.random.choice(sources), self.random.choice([None, 1, 2]))
            if self.watches.parts and self.random.random() < self.listed_anew:
                self.watches.list_anew(self.random.choice(list(self.watches.parts)))
            if self.random.random() < self.restored:
                self.watches.restore(self.random.randrange(self.watches.events + 1))
            if self.random.random() < self.renamed:
                self.zone = self.random.choice(ZONES)
            if self.random.random() < 0.3:
                self.clock.now += LINGER / 2
            if self.random.random() < 0.5:
                self.run_round()
            steps -= 1

    def settle(self) -> None:
        """Let all be told and compiled: what this leads to as well."""
        self.renamed = self.listed_anew = self.restored = 0.0
        self.is_kept = False
        for _ in range(4):
            self.go_on(-1)
            self.run_round()
        while self.compiler.left:
            self.run_round()

    def run_round(self) -> None:
        """Compile what was told, unless something hasn't been listed; then every peer that a row names has been.

        Where the inbox kept changes, watches may have been left that were needed before these.
        """
        self.watches.hearing.zone_is(self.zone)
        if self.inbox.unsynced:
            return
        changes, version = self._taken(), self.watches.hearing.reached(self.watches.versions)
        delta = self.compiler.configure(self.settings, changes)
        self.said |= {key: self.compiler.report(key) for key in delta.policies}
        self._check_claim(as_number(version))
        if not self.is_kept:
            self._check_all_listed()

    def _taken(self) -> list[Change]:
        if not self.is_kept:
            return self.inbox.take()
        kept = {name: self.random.choice([0, 1, math.inf]) for name in NAMESPACES}
        late = self.random.sample(NAMESPACES, self.random.randrange(2))
        return self.inbox.take(lambda name: kept.get(name, math.inf), lambda name: name in late)

    def _check_claim(self, version: int) -> None:
        """Hold the compiler to what a report would say: it has all policies up to a version, but for namespaces."""
        policies = {change.key: change.new for change in self.watches.policies[:version]}
        since = {change.key for change in self.watches.policies[version:]}
        for key in policies.keys() - since:
            if key.partition("/")[0] not in self.inbox.held:
                assert self.compiler.tables.policies.get(key) == policies[key]

    def _check_all_listed(self) -> None:
        for node in Zone.of(self.zone, self.compiler.tables.nodes).nodes or ():
            watches = self.watches
            assert watches.is_synced(ALL_PODS) or watches.is_synced(replace(ALL_PODS, node=node)), node
        for policy in self.compiler.tables.policies.values():
            if _has_senders(policy, self.compiler.tables, self.zone):
                self._check_listed(policy)

    def _check_listed(self, policy: NetworkQoS) -> None:
        watches, namespaces = self.watches, self.compiler.tables.namespaces
        assert policy.spec is not None
        needed: set[Resource] = set()
        for peers in peers_of(policy.spec, policy.namespace):
            names = {name for name in (*namespaces, policy.namespace) if peers.covers(name, namespaces)}
            if peers.namespaces != policy.namespace:
                names &= namespaces.keys()
            needed |= watches_of(peers_among(peers), names)
        assert watches.is_synced(ALL_PODS) or all(map(watches.is_synced, needed)), policy.key


def _has_senders(policy: NetworkQoS, tables: Tables, zone: str) -> bool:
    return policy.spec is not None and any(
        pod.namespace == policy.namespace
        and pod.node in (Zone.of(zone, tables.nodes).nodes or ())
        and not (pod.host_network or pod.ended)
        and policy.spec.pod_selector.matches(pod.labels)
        for pod in tables.pods.values()
    )


def _apart(batches: list[list[Change]]) -> list[list[Change]]:
    """Let no two namespaces claim an address: the pods of one have the odd ones."""
    return [[_of_its_own(change) for change in batch] for batch in batches]


def _of_its_own(change: Change) -> Change:
    pod = change.new
    if not isinstance(pod, Pod):
        return change
    found = tuple(
        replace(each, addresses=tuple(a for a in each.addresses if int(a[-1]) % 2 == (pod.namespace == "a")))
        for each in pod.attachments
    )
    return replace(change, new=replace(pod, attachments=found))


def _selectors(changes: list[Change]) -> dict[str, LabelSelector]:
    policies = [change.new.spec for change in changes if isinstance(change.new, NetworkQoS) and change.new.spec]
    rules = [rule.classifier for spec in policies for rule in spec.egress]
    peers = [peer for each in rules for peer in (*each.to, *each.from_) if isinstance(peer, PodPeer)]
    return {str(peer.pods): peer.pods for peer in peers}


@given(
    st.one_of(batches.map(_apart), crowds),
    st.sampled_from(ZONES),
    LIMITS,
    st.randoms(use_true_random=True),
    st.sampled_from([MOST, MOST, MOST, 2]),
)
@settings(max_examples=examples(200), deadline=None)
def test_the_rows_are_those_of_who_hears_of_all(
    every: list[list[Change]], zone: str, limits: Limits, random: Random, most: int
) -> None:
    """However far watches lag behind each other, and whatever selections come and go, in the end rows are the same.

    So are reports on policies, and what was last told of these, whatever limits they come to. In between, nothing is
    compiled before the pods of each of the zone's nodes have been listed, and no policy before all its peers have been,
    or is said to have been. In the end each pod has a namespace, as on any API server: who hears of some pods only asks
    for those of the namespaces that there are.
    """

    async def run() -> None:
        with pytest.MonkeyPatch.context() as patch:
            for module in (hearing, needed_pods, peer_needs):
                patch.setattr(module, "MOST", most)
            patch.setattr(hearing, "ALL_FOR", random.choice([LINGER / 2, 3 * LINGER]))
            for module, name, little in BOUNDS:
                if random.random() < 0.2:
                    patch.setattr(module, name, little)
            site = Site(zone, limits, random, _selectors([change for batch in every for change in batch]))
            for batch in every:
                for change in batch:
                    site.watches.happen(change)
                site.go_on(random.choice([*range(12), 40]))
            for name in sorted(set(NAMESPACES) - site.watches.truth.namespaces.keys()):
                site.watches.happen(Change(ResourceKind.NAMESPACE, name, None, Namespace(name, {})))
            site.settle()
            assert not site.inbox.unsynced
            assert site.compiler.desired == compile_everything(site.compiler.tables, site.settings).desired
            whole = compile_everything(site.watches.truth, site.settings)
            assert site.compiler.desired == whole.desired
            assert [site.compiler.report(each.key) for each in whole.reports] == list(whole.reports)
            assert [site.said[each.key] for each in whole.reports] == list(whole.reports)

    asyncio.run(run())


class OnePolicy:
    """A policy with a sender, whose peers a test chooses by the value of a label."""

    def __init__(self, values: Sequence[str]) -> None:
        self.clock = Clock()
        self._selectors = {each: LabelSelector((Requirement("app", Operator.IN, (each,)),)) for each in values}
        selectors = {str(each): each for each in self._selectors.values()}
        self.watches = FakeWatches(Inbox(asyncio.Event()), self.clock, selectors)
        self.watches.happen(Change(ResourceKind.NAMESPACE, "a", None, Namespace("a", {})))
        self.watches.happen(Change(ResourceKind.NODE, "n1", None, Node("n1")))
        self.watches.happen(Change(ResourceKind.POD, "a/s", None, Pod("a", "s", node="n1")))
        self.select(values[0])
        self.watches.hearing.zone_is("n1")
        self.settle()

    def select(self, value: str) -> None:
        """Let the policy have other peers."""
        rule = EgressRule(1, classifier=Classifier(to=(PodPeer(self._selectors[value]),)))
        policy = NetworkQoS("a", "p", spec=NetworkQoSSpec(1, (rule,)))
        self.watches.happen(Change(ResourceKind.NETWORK_QOS, policy.key, None, policy))

    def settle(self, *, but: Resource | None = None) -> None:
        """Let all be told, but for what one watch has to tell."""
        while sources := [each for each in self.watches.sources() if each != but]:
            self.watches.tell(sources[0])

    def watch_of(self, value: str) -> Resource:
        """Give the watch of these peers."""
        return replace(ALL_PODS, namespace="a", labels=str(self._selectors[value]))


async def test_no_watch_is_left_before_all_that_are_needed_have_told() -> None:
    """Though it isn't needed any more and time passes, it goes on until what is needed instead has been listed."""
    site = OnePolicy(("old", "new"))
    watches, of_old, of_new = site.watches, site.watch_of("old"), site.watch_of("new")
    assert watches.is_synced(of_old)
    site.select("new")
    site.settle(but=of_new)
    for _ in range(3):
        site.clock.now += LINGER
        watches.hearing.changed([])
        assert {of_old, of_new} <= set(watches.parts)
    site.settle()
    site.clock.now += LINGER
    watches.hearing.changed([])
    assert watches.is_synced(of_new)
    assert of_old not in watches.parts


@pytest.mark.parametrize("is_slow", [False, True])
async def test_peers_that_change_again_and_again_leave_few_watches(*, is_slow: bool) -> None:
    """Of the watches that nobody needs any more some stay, even where the next peers are always still to be listed."""
    values = [f"v{number}" for number in range(5 * MOST)]
    site = OnePolicy(values)
    for before, value in itertools.pairwise(values):
        site.clock.now += 0.1
        site.select(value)
        site.settle(but=site.watch_of(value) if is_slow else None)
        assert len(site.watches.parts) <= MOST + 3
        assert site.watches.is_synced(site.watch_of(before))
    site.settle()
    assert site.watches.is_synced(site.watch_of(values[-1]))
