"""Whoever sums up, and however far zones lag behind each other: no policy is Ready that a zone knows isn't applied."""

import asyncio
from collections.abc import Mapping, Sequence
from random import Random

import attrs
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from nqosd.api.changes import Change, ResourceKind
from nqosd.api.networkqos import NetworkQoS
from nqosd.api.objects import Node
from nqosd.compiler.definition import compile_everything
from nqosd.compiler.settings import Settings
from nqosd.config.options import Limits
from nqosd.status.readiness import StatusVerdict
from tests.compiler.crowds import crowds
from tests.compiler.worlds import batches
from tests.daemon.test_hearing import LIMITS
from tests.daemon.zones import Zone, summed
from tests.examples import examples

NAMES = ("n1", "n2", "n3")
OF_ZONES = ("rows", "namespace_rows", "members", "namespace_members")
"""Limits of what a policy comes to in a zone."""
NODES = [Change(ResourceKind.NODE, name, None, Node(name)) for name in NAMES]


@attrs.frozen
class Stood:
    """How a policy stood in a zone with senders: which object, of which generation, and whether it was applied."""

    uid: str
    generation: int
    is_applied: bool


class Follower(Zone):
    """A zone that takes what has happened when it is its turn, and remembers how policies stood when it reported."""

    def __init__(self, name: str, limits: Limits, *, hears_all: bool) -> None:
        super().__init__(name, limits, hears_all=hears_all)
        self.version = 0
        self.stood: Mapping[str, Stood] = {}

    async def follow(self, log: Sequence[Change], version: int) -> None:
        """Take what has happened up to a version."""
        newest = {(change.kind, change.key): change for change in log[self.version : version]}
        self.version = version
        await self.take(newest.values(), version)

    def report(self) -> None:
        """Report, and remember."""
        super().report()
        self.stood = self.stands()

    def stands(self) -> Mapping[str, Stood]:
        """Say how policies stand now of which there are senders here."""
        found = {}
        for key in self.with_senders(self.name):
            policy, report = self.compiler.tables.policies[key], self.compiler.report(key)
            found[key] = Stood(policy.uid, policy.generation, report is not None and report.ready)
        return found

    def with_senders(self, name: str) -> set[str]:
        """Name the policies with senders in a zone, as far as this one has heard; they don't depend on limits."""
        settings = self.compiler.settings
        limits = attrs.evolve(settings.limits, **dict.fromkeys(OF_ZONES, 1000))
        unlimited = compile_everything(self.compiler.tables, Settings(zone=name, limits=limits))
        return {each.key for each in unlimited.reports if each.networks}


def log_of(every: Sequence[Sequence[Change]]) -> list[Change]:
    """Give what happens in a row, policies with the versions, generations and uids of an API server."""
    known: dict[str, NetworkQoS] = {}
    log = list(NODES)
    for change in (each for batch in every for each in batch):
        new = change.new
        if change.kind is ResourceKind.NODE:
            continue  # each node has a daemon
        if isinstance(new, NetworkQoS):
            version = len(log) + 1
            old = known.get(change.key)
            uid, generation = (old.uid, old.generation + 1) if old is not None else (f"u{version}", 1)
            new = attrs.evolve(new, uid=uid, generation=generation, resource_version=str(version))
            known[change.key] = new
        elif change.kind is ResourceKind.NETWORK_QOS and known.pop(change.key, None) is None:
            continue
        log.append(replace(change, new=new))
    return log


def lies(zone: Follower, zones: Sequence[Follower]) -> list[str]:
    """Name the policies that this zone calls Ready, and one with senders has not applied, or not looked at."""
    ready = {key for key, verdict in summed(zone, zones).items() if verdict.ready.status == "True"}
    found = []
    for each in zones:
        reached = each.reported.version if each.reported is not None else 0
        for key in ready & zone.with_senders(each.name):
            policy = zone.compiler.tables.policies[key]
            failing = Stood(policy.uid, policy.generation, is_applied=False)
            if reached < int(policy.resource_version) or each.stood.get(key) == failing:
                found.append(f"{zone.name}: {key} is Ready, and not applied in {each.name}")
    return found


async def settled(log: Sequence[Change], zones: Sequence[Follower]) -> list[Mapping[str, StatusVerdict]]:
    """Let all take everything and report it; give what each says."""
    for zone in zones:
        await zone.follow(log, len(log))
        zone.report()
    return [summed(zone, zones) for zone in zones]


@given(
    st.one_of(batches, crowds),
    LIMITS,
    st.sampled_from([(True,), (False,), (True, False)]),
    st.randoms(use_true_random=True),
)
@settings(max_examples=examples(200), deadline=None)
def test_ready_is_true(every: list[list[Change]], limits: Limits, hears_all: Sequence[bool], random: Random) -> None:
    """In the end a policy is Ready if each zone with senders applies it, and not if one doesn't, whoever sums up."""

    async def run() -> None:
        log = log_of(every)
        zones = [Follower(name, limits, hears_all=random.choice(hears_all)) for name in NAMES]
        for _ in range(random.randrange(12)):
            for zone in zones:
                if random.random() < 0.5:
                    await zone.follow(log, random.randint(max(zone.version, len(NODES)), len(log)))
                if zone.version and random.random() < 0.4:
                    zone.report()
            found = [text for zone in zones if zone.version for text in lies(zone, zones)]
            assert not found, found
        said = await settled(log, zones)
        known = zones[0].compiler.tables.policies
        assert [set(each) for each in said] == [set(known)] * len(zones)
        for key in known:
            stood = [zone.stood[key].is_applied for zone in zones if key in zone.stood]
            statuses = {each[key].ready.status for each in said}
            if not all(stood):
                assert statuses == {"False"}, key
            elif stood and all(zone.compiler.knows_senders(key) for zone in zones):
                assert statuses == {"True"}, key
            else:  # a zone has no room to see that the pods which the policy chooses there are on none of its networks
                assert statuses in ({"True"}, {"False"}), key

    asyncio.run(run())
