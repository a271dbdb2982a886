"""Zones report by Leases and one of them sums up, with a real API server; a thousand of them as two do."""

import asyncio
import contextlib
import functools
import json
from collections.abc import Awaitable, Callable, Iterator, Sequence

import pytest

from nqosd.api.networkqos import NetworkQoS
from nqosd.kube.client import KubeClient
from nqosd.kube.writes import Answer
from nqosd.status import leases as election_leases
from nqosd.status import reporter, reports, summariser
from nqosd.status.conditions import condition
from nqosd.status.leases import Election, Leases, report_name
from nqosd.status.readiness import APPLIED, MAX_ZONES
from nqosd.status.zone_report import ZoneFinding, ZoneReport
from nqosd.status.zone_state import PolicyStanding, Progress
from nqosd.status.zone_status import ZoneStatus
from tests.status.cluster import Cluster
from tests.status.conftest import Running
from tests.status.fakes import Counting, eventually
from tests.status.policies import report

BLOCKED = ZoneFinding("Blocked", "the set a1 belongs to the nqosd instance 'site-2'")
SMALL = 16_384


class Zone:
    """A zone's part of a daemon: what a round tells it, and what it counts."""

    def __init__(
        self, client: KubeClient, cluster: Cluster, name: str, zones: frozenset[str], *, holder: str = "host"
    ) -> None:
        self.name, self.zones, self.counting, self.cluster = name, zones, Counting(), cluster
        self.notes: list[str] = []
        self.is_well = True
        self.status = ZoneStatus(
            client,
            self.counting,
            namespace=cluster.namespace,
            holder=holder,
            in_touch=lambda: self.is_well,
            may_report=lambda: self.is_well,
            say=self.notes.append,
        )
        self.run = self.status.run

    def commit(self, *policies: NetworkQoS, sources: frozenset[str] | None = None) -> None:
        """Commit a round in which these policies were applied; they have senders in all zones unless told."""
        standings = [
            PolicyStanding(each, condition(each, report("default"), self.name), sources or self.zones)
            for each in policies
        ]
        version = json.loads(self.cluster.server.request("GET", "/apis/k8s.ovn.org/v1alpha1/networkqoses"))
        self.status.publish(Progress(self.name, int(version["metadata"]["resourceVersion"]), self.zones), standings)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make a zone silent after some seconds, and renew its report as much more often."""
    monkeypatch.setattr(reports, "OLD", 3.0)
    monkeypatch.setattr(reporter, "RENEWAL", 1.0)
    monkeypatch.setattr(summariser, "IDLE", 0.5)


def leases(cluster: Cluster) -> dict[str, dict[str, dict[str, object]]]:
    """Read all Leases of the namespace by name."""
    path = f"/apis/coordination.k8s.io/v1/namespaces/{cluster.namespace}/leases"
    return {each["metadata"]["name"]: each for each in json.loads(cluster.server.request("GET", path))["items"]}


def lease_versions(cluster: Cluster) -> dict[str, object]:
    """Give the resource versions of the zones' reports: they change with each renewal."""
    return {name: each["metadata"]["resourceVersion"] for name, each in leases(cluster).items() if "zone" in name}


def ready(cluster: Cluster, name: str = "video") -> tuple[str, str]:
    """Give status and reason of `Ready`, if it is there."""
    found = [each for each in cluster.get(name).status.conditions if each.type == "Ready"]
    return (found[0].status, found[0].reason) if found else ("", "")


async def both_apply(cluster: Cluster, policy: NetworkQoS, one: Zone, two: Zone) -> None:
    """Let the first zone sum up, and both apply a policy."""
    one.commit(policy)
    await eventually(lambda: one.counting.sum is not None)
    two.commit(policy)
    await eventually(lambda: ready(cluster) == ("True", "Applied"))


async def test_two_zones(cluster: Cluster, client: KubeClient, running: Running) -> None:
    """One of them sums up what both report; then nothing is written but renewals."""
    zones = frozenset({"a", "b"})
    one, two = (Zone(client, cluster, name, zones) for name in sorted(zones))
    policy = cluster.create()
    async with running(one.run), running(two.run):
        one.commit(policy)
        await eventually(lambda: ready(cluster) == ("Unknown", "WaitingForZone"))
        assert cluster.get().status.summary == "Waiting for zone b"
        two.commit(policy)
        await eventually(lambda: ready(cluster) == ("True", "Applied"))
        assert leases(cluster).keys() == {"nqosd-status", "nqosd-zone-a", "nqosd-zone-b"}
        renewed = lease_versions(cluster)
        version = cluster.resource_version()
        for zone in (one, two):
            zone.commit(cluster.get())
        await asyncio.sleep(3)
        assert cluster.resource_version() == version
        assert lease_versions(cluster) == renewed
        assert (one.counting.results + two.counting.results) == {"written": 2}
    assert {one.counting.sum is None, two.counting.sum is None} == {True, False}


async def test_another_zone_goes_on(cluster: Cluster, client: KubeClient, running: Running) -> None:
    """When the daemon that sums up ends, another zone's sums up at once, and writes nothing that stands there."""
    zones = frozenset({"a", "b"})
    one, two = (Zone(client, cluster, name, zones) for name in sorted(zones))
    policy = cluster.create()
    async with running(two.run):
        async with running(one.run):
            await both_apply(cluster, policy, one, two)
            two.commit(cluster.get())
        await eventually(lambda: two.counting.sum is not None)
        changed = cluster.create(priority=11)
        two.commit(changed)
        await eventually(lambda: cluster.get().status.summary == "Waiting for zone a")
        await eventually(lambda: two.counting.results == {"written": 1})


@pytest.mark.usefixtures("impatient")
async def test_a_zone_falls_silent(cluster: Cluster, client: KubeClient, running: Running) -> None:
    """A zone that doesn't renew its report makes `Ready` Unknown and is named; when it reports again, all is well."""
    zones = frozenset({"a", "b"})
    one, two = (Zone(client, cluster, name, zones) for name in sorted(zones))
    policy = cluster.create()
    async with running(one.run):
        async with running(two.run):
            await both_apply(cluster, policy, one, two)
        await eventually(lambda: ready(cluster) == ("Unknown", "ZoneSilent"))
        assert cluster.get().status.summary.startswith("No report from zone b since 2")
        again = Zone(client, cluster, "b", zones)
        async with running(again.run):
            again.commit(cluster.get())
            await eventually(lambda: ready(cluster) == ("True", "Applied"))


@pytest.mark.usefixtures("impatient")
async def test_who_is_out_of_touch_says_nothing(cluster: Cluster, client: KubeClient, running: Running) -> None:
    """Neither does it renew its report, nor sum up; another zone's daemon says that it is silent."""
    zones = frozenset({"a", "b"})
    one, two = (Zone(client, cluster, name, zones) for name in sorted(zones))
    policy = cluster.create()
    async with running(one.run), running(two.run):
        await both_apply(cluster, policy, one, two)
        one.is_well = False
        await eventually(lambda: cluster.get().status.summary.startswith("No report from zone a since"), 60.0)
        assert one.counting.sum is None


@pytest.mark.usefixtures("impatient")
async def test_a_zone_that_is_gone_leaves_nothing(cluster: Cluster, client: KubeClient, running: Running) -> None:
    """When its node is gone a zone counts no more, and its Lease is removed when it has fallen silent."""
    one, two = (Zone(client, cluster, name, frozenset({"a", "b"})) for name in ("a", "b"))
    policy = cluster.create()
    async with running(one.run):
        async with running(two.run):
            await both_apply(cluster, policy, one, two)
        one.zones = frozenset({"a"})
        one.commit(cluster.get())
        await eventually(lambda: leases(cluster).keys() == {"nqosd-status", "nqosd-zone-a"})
        assert ready(cluster) == ("True", "Applied")


async def test_conditions_of_before_are_taken_over(cluster: Cluster, client: KubeClient, running: Running) -> None:
    """Of a hundred zones that wrote a condition each, ten keep it until they report; the others are counted."""
    names = [f"node-{number:03}" for number in range(100)]
    one = Zone(client, cluster, names[0], frozenset(names))
    cluster.create()
    before = [
        {"type": f"Ready-In-Zone-{name}", "status": "True", "reason": "Success", "message": "m"}
        | {"lastTransitionTime": "2026-11-24T00:00:00Z"}
        for name in names
    ]
    patch = {"status": {"conditions": before}}
    content_type = "application/merge-patch+json"
    cluster.server.request("PATCH", f"{cluster.path('video')}/status", patch, content_type=content_type)
    assert len(cluster.get().status.conditions) == 100
    async with running(one.run):
        one.commit(cluster.get(), sources=frozenset(names[:1]))
        await eventually(lambda: ready(cluster) == ("True", "Applied"))
        kept = cluster.get().status.conditions[1:]
        assert [(each.type, each.reason) for each in kept] == [(each["type"], "Success") for each in before[1:11]]
        one.commit(cluster.create(priority=11))
        await eventually(lambda: ready(cluster) == ("Unknown", "WaitingForZone"))
        assert len(cluster.get().status.conditions) == 1 + MAX_ZONES
        assert "(1 of 100 zones are ready)" in cluster.ready().message
        driven = Leases(client, cluster.namespace)
        version = int(cluster.resource_version())
        for name in names[1:]:
            assert (await driven.report(ZoneReport(name, version), "driver")).accepted
        await eventually(lambda: len(cluster.get().status.conditions) == 1, 60.0)
        assert ready(cluster) == ("True", "Applied")


async def test_a_policy_created_anew(cluster: Cluster, client: KubeClient, running: Running) -> None:
    """A report from before doesn't reach up to another object of the same name and generation."""
    zones = frozenset({"a", "b"})
    one, two = (Zone(client, cluster, name, zones) for name in sorted(zones))
    async with running(one.run), running(two.run):
        await both_apply(cluster, cluster.create(), one, two)
        cluster.delete()
        one.commit(cluster.create())
        await eventually(lambda: ready(cluster) == ("Unknown", "WaitingForZone"))
        two.commit(cluster.get())
        await eventually(lambda: ready(cluster) == ("True", "Applied"))


async def test_without_rights_one_zone_needs_none(other_cluster: Cluster, client: KubeClient, running: Running) -> None:
    """The only zone sums up without Leases, says what is missing, and tries again."""
    other_cluster.grant()
    alone = Zone(client, other_cluster, "global", frozenset({"global"}))
    with without_leases(other_cluster):
        async with running(alone.run):
            alone.commit(other_cluster.create())
            await eventually(lambda: ready(other_cluster) == ("True", "Applied"))
            await eventually(lambda: "config/rbac/role.yaml" in alone.notes[-1])
    assert alone.counting.reports["refused"] > 0
    assert leases(other_cluster) == {}


@contextlib.contextmanager
def without_leases(cluster: Cluster) -> Iterator[None]:
    """Take the rights for Leases away, and give them back."""
    cluster.grant(leases=False)
    yield
    cluster.grant()


async def test_a_thousand_zones(
    cluster: Cluster, client: KubeClient, running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One policy changed: a report of each zone, a few writes of its status, and an object below 16 KiB throughout.

    One zone is real; a driver writes the reports of the others as their daemons do.
    """
    monkeypatch.setattr(reports, "OLD", 600.0)  # the driver doesn't renew
    names = [f"node-{number:04}.example.com" for number in range(1000)]
    one = Zone(client, cluster, names[0], frozenset(names))
    driven = Leases(client, cluster.namespace)

    async def in_all(request: Callable[[str], Awaitable[Answer]], names: Sequence[str]) -> None:
        for start in range(0, len(names), 50):
            answers = await asyncio.gather(*map(request, names[start : start + 50]))
            assert all(answer.accepted for answer in answers)

    def reported(name: str, *, fails: bool = False) -> Awaitable[Answer]:
        findings = {f"{cluster.namespace}/video": BLOCKED} if fails else {}
        report = ZoneReport(name, int(cluster.resource_version()), findings=findings)
        assert len(report.encode()) < 512
        return driven.report(report, "driver")

    async with running(one.run):
        one.commit(cluster.create())
        await eventually(lambda: ready(cluster) == ("Unknown", "WaitingForZone"), 120.0)
        assert size(cluster) < SMALL
        await in_all(reported, names[101:])
        await in_all(functools.partial(reported, fails=True), names[1:101])
        await eventually(lambda: ready(cluster) == ("False", "Blocked"), 120.0)
        assert size(cluster) < SMALL
        await eventually(lambda: len(cluster.get().status.conditions) == 11, 120.0)
        await in_all(reported, names[1:101])
        await eventually(lambda: cluster.get().status.summary == APPLIED, 120.0)
        assert one.counting.sum is not None
        assert (one.counting.sum.reporting, one.counting.sum.silent) == (1000, 0)
    assert size(cluster) < SMALL
    assert one.counting.results["written"] <= 20
    await in_all(lambda name: driven.remove(report_name(name)), names)


def size(cluster: Cluster) -> int:
    """Give the bytes of the policy as the server stores it."""
    return len(cluster.server.request("GET", cluster.path("video")))


async def test_only_one_is_elected(cluster: Cluster, client: KubeClient) -> None:
    """A Lease that is renewed stays with its holder; one that is given up is anybody's."""
    held = Leases(client, cluster.namespace)
    one, two = Election(client, held), Election(client, held)
    await one.campaign("a")
    await two.campaign("b")
    await one.campaign("a")
    assert (one.holder, two.holder) == ("a", "a")
    await one.resign("a")
    await two.campaign("b")
    assert (one.holder, two.holder) == ("", "b")


async def test_giving_it_up_holds_up_nothing(
    cluster: Cluster, client: KubeClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A daemon that ends doesn't wait for an API server that takes its time, and ends without an error."""
    monkeypatch.setattr(election_leases, "RELEASE", 0.0)
    one = Election(client, Leases(client, cluster.namespace))
    await one.campaign("a")
    assert one.holder == "a"
    await one.resign("a")
    assert one.holder == ""


async def test_what_is_no_report_is_left_out(cluster: Cluster, client: KubeClient) -> None:
    """A Lease without a report, with another zone's, or with one that is ahead of the cluster counts for nothing."""
    held = Leases(client, cluster.namespace)
    for zone, version in (("a", 1), ("b", 2**62)):
        assert (await held.report(ZoneReport(zone, version), "host")).accepted
    stolen = json.loads(json.dumps(leases(cluster)[report_name("a")]))
    stolen["metadata"] = {key: stolen["metadata"][key] for key in ("labels", "annotations")} | {"name": "nqosd-zone-c"}
    path = f"/apis/coordination.k8s.io/v1/namespaces/{cluster.namespace}/leases"
    cluster.server.request("POST", path, stolen)
    _answer, listed = await held.reports()
    assert listed is not None
    assert listed.names == {"a": "nqosd-zone-a"}


@pytest.mark.parametrize("zone", ["global", "ip-10-0-0-1.eu-west-1.compute.internal", "Über/Zone_1", "a..b", "x" * 253])
async def test_any_zone_has_a_lease(cluster: Cluster, client: KubeClient, zone: str) -> None:
    """Whatever a zone is called, the API server takes the name of its Lease, and it is read again."""
    held = Leases(client, cluster.namespace)
    assert (await held.report(ZoneReport(zone, 1), "host")).accepted
    _answer, listed = await held.reports()
    assert listed is not None
    assert listed.renewals[zone].report.zone == zone
