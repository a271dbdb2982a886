"""What goes wrong between zones, and what `Ready` says meanwhile."""

import asyncio
import datetime as dt
import json
from collections.abc import Sequence
from typing import cast

import attrs
import pytest
from msgspec.structs import replace

from nqosd.api.networkqos import NetworkQoS
from nqosd.kube.client import KubeClient, Response
from nqosd.status import summariser
from nqosd.status.conditions import condition, condition_type
from nqosd.status.digests import Digests
from nqosd.status.job import AT_ONCE
from nqosd.status.leases import Election, Leases, report_name
from nqosd.status.readiness import sum_up
from nqosd.status.reports import OLD, Renewal, Reports
from nqosd.status.writer import StatusWriter
from nqosd.status.zone_report import OF_NAMESPACE, ZoneFinding, ZoneReport, decode_report
from nqosd.status.zone_state import PolicyStanding, Progress, ZoneState
from tests.status.cluster import Cluster
from tests.status.conftest import Running
from tests.status.fakes import eventually
from tests.status.findings import listed_of
from tests.status.policies import policy, report
from tests.status.test_zone_status import Zone, both_apply, ready

DEEP = "[" * 100_000 + "]" * 100_000
MAX_ANNOTATIONS = 262_144


class LeaseClient:
    """Answers as it is told, first in, first out, and remembers each request."""

    def __init__(self, *answers: Response) -> None:
        self.answers = list(answers)
        self.requests: list[tuple[str, str, object]] = []

    async def request(self, method: str, path: str, **options: object) -> Response:
        """Remember and answer; each removal is done."""
        self.requests.append((method, path, options.get("body")))
        return Response(200, b"{}") if method == "DELETE" else self.answers.pop(0)


def lists(version: int, leases: Sequence[object], of_policies: int | str) -> list[Response]:
    """Give the lists of Leases and of policies, of these resource versions."""
    return [
        Response(200, json.dumps({**kind, "metadata": {"resourceVersion": str(of)}, "items": items}).encode())
        for kind, of, items in (
            ({"apiVersion": "coordination.k8s.io/v1", "kind": "LeaseList"}, version, leases),
            ({"apiVersion": "k8s.ovn.org/v1alpha1", "kind": "NetworkQoSList"}, of_policies, []),
        )
    ]


def standing(found: NetworkQoS, zone: str = "a", *sources: str) -> PolicyStanding:
    """Say that a policy is applied in a zone."""
    return PolicyStanding(found, condition(found, report("default"), zone), frozenset(sources or (zone,)))


async def test_who_takes_over_believes_no_old_report(cluster: Cluster, client: KubeClient, running: Running) -> None:
    """A zone that has been silent for long doesn't become ready when another zone's daemon begins to sum up."""
    zones = frozenset({"a", "b"})
    one = Zone(client, cluster, "a", zones)
    found = cluster.create()
    held = Leases(client, cluster.namespace)
    dead = ZoneReport("b", int(cluster.resource_version()))
    path = f"/apis/coordination.k8s.io/v1/namespaces/{cluster.namespace}/leases"
    then = (dt.datetime.now(dt.UTC) - dt.timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    cluster.server.request(
        "POST",
        path,
        {
            "apiVersion": "coordination.k8s.io/v1",
            "kind": "Lease",
            "metadata": {
                "name": report_name("b"),
                "labels": {"nqosd.io/report": "zone"},
                "annotations": {"nqosd.io/report": dead.encode()},
            },
            "spec": {"holderIdentity": "dead", "renewTime": then},
        },
    )
    assert (await held.reports())[1] is not None
    async with running(one.run):
        one.commit(found)
        await eventually(lambda: one.counting.sum is not None)
        for _ in range(50):
            assert ready(cluster)[0] != "True", "its last report is an hour old"
            await asyncio.sleep(0.1)


async def test_who_is_elected_without_its_database(cluster: Cluster, client: KubeClient, running: Running) -> None:
    """A daemon that hears nothing of its database lets another zone's daemon sum up: its own word is old."""
    zones = frozenset({"a", "b"})
    one, two = (Zone(client, cluster, name, zones) for name in sorted(zones))
    found = cluster.create()
    has_database = True
    one.status._reporter._may_report = one.status._summariser._may_report = lambda: has_database
    async with running(one.run), running(two.run):
        await both_apply(cluster, found, one, two)
        has_database = False
        two.commit(cluster.create("second"))
        await eventually(lambda: ready(cluster, "second") == ("Unknown", "WaitingForZone"), 60.0)


def test_what_is_needed_goes_back_with_the_store() -> None:
    """When etcd is restored from a backup, a policy waits for no resource version that is long in the future."""
    state = ZoneState()
    found = attrs.evolve(policy(), resource_version="9000")
    state.committed(Progress("a", 9000, frozenset("ab")), [standing(found)], (), 0.0)
    state.committed(
        Progress("a", 310, frozenset("ab")), [standing(attrs.evolve(found, resource_version="300"))], (), 1.0
    )
    assert state.entries[found.key].needed == 300


def test_a_pending_namespace_reaches_no_further_than_the_round() -> None:
    """After a restore, a namespace with something to write isn't said to be done up to a version of before."""
    state = ZoneState()
    state.committed(Progress("a", 9000, frozenset("a")), [], (), 0.0)
    state.committed(Progress("a", 310, frozenset("a"), frozenset({"team-a"})), [], (), 1.0)
    assert state.report is not None
    assert state.report.reaches("team-a") <= 310


@pytest.mark.parametrize("what", ["pending", "overflow"])
def test_a_report_about_many_namespaces_fits(what: str) -> None:
    """An API server takes a report however many namespaces it names, and what it can't name isn't well."""
    names = [f"{number:05}-{'n' * 57}" for number in range(5000)]
    told = (
        ZoneReport("b", 2_000_000_000, pending=dict.fromkeys(names, 1_999_999_999))
        if what == "pending"
        else (ZoneReport("b", 2_000_000_000, overflow=dict.fromkeys(names, Digests())))
    )
    text = told.encode()
    assert len(text) < MAX_ANNOTATIONS
    assert decode_report(text) is not None


def test_warnings_make_no_policy_fail() -> None:
    """In a namespace where most policies have warnings and one fails, the others don't count as failing."""
    warned = condition(policy(), report("default", warnings=("w",)), "z")
    failing = replace(warned, status="False", reason="Blocked", message="x")
    conditions = [*((f"team-a/{number:04}", warned) for number in range(OF_NAMESPACE)), ("team-a/last", failing)]
    found, overflow = listed_of(conditions)
    assert not overflow
    assert found["team-a/last"].fails


def test_each_failure_says_why() -> None:
    """Where the report has no more room for messages, the summary still says where to look."""
    held = Reports()
    held.renewed(Renewal(ZoneReport("b", 10, findings={"team-a/video": ZoneFinding("Blocked")}), "x"), 0.0)
    view = held.view(frozenset("b"), 0.0).standing("team-a/video", 10, frozenset("b"))
    said = sum_up(condition(policy(), report("default"), "a"), "a", frozenset("b"), view)
    assert not said.summary.rstrip().endswith(":"), said.summary


async def test_zones_that_are_gone_take_no_time_from_the_election() -> None:
    """However many zones are gone, few of their Leases are removed at a time, so that the election is renewed."""
    names = [f"n{number}" for number in range(500)]
    items = [
        {
            "metadata": {"name": report_name(name), "annotations": {"nqosd.io/report": ZoneReport(name, 1).encode()}},
            "spec": {"holderIdentity": "h", "renewTime": "x"},
        }
        for name in names
    ]
    client = LeaseClient(*(lists(10, items, 10) * 2))
    held = Leases(client, "n")
    found = summariser.Summariser(
        held,
        Election(client, held),
        ZoneState,
        cast("StatusWriter", None),
        in_touch=lambda: True,
        may_report=lambda: True,
        took=lambda _what, _answer: None,
        observe=lambda _summed: None,
    )
    progress = Progress("a", 1, frozenset("a"))
    assert await found._list(progress, 0.0)
    assert await found._list(progress, OLD + 1)
    removed = [path for method, path, _body in client.requests if method == "DELETE"]
    assert 0 < len(removed) <= 50


@pytest.mark.parametrize(
    "body",
    [
        '{"apiVersion": "v1", "kind": "PodList", "metadata": {"resourceVersion": "9"}, "items": []}',
        '{"apiVersion": "coordination.k8s.io/v1", "kind": "LeaseList", "metadata": {}, "items": []}',
        f'{{"kind": "LeaseList", "metadata": {{}}, "items": [], "more": {DEEP}}}',
        f'{{"metadata": {{}}, "spec": {{"more": {DEEP}}}}}',
    ],
    ids=["pods", "no version", "a deep list", "a deep object"],
)
async def test_what_is_no_lease_says_nothing_and_ends_nobody(body: str) -> None:
    """An answer with status 200 that isn't what was asked for is neither that there are none, nor an error of ours."""
    answer = Response(200, body.encode())
    good = lists(10, [], 10)
    client = LeaseClient(answer, good[1], good[0], answer, answer, answer)
    held = Leases(client, "n")
    for _which in ("Leases", "policies"):
        assert (await held.reports())[1] is None
    await Election(client, held).campaign("a")


async def test_a_version_of_thousands_of_digits_is_none() -> None:
    """Python refuses to read such a number; no store counts so far."""
    version = "9" * 5000
    item = {"metadata": {"name": report_name("b"), "annotations": {"nqosd.io/report": ZoneReport("b", 1).encode()}}}
    _, listed = await Leases(LeaseClient(*lists(10, [item], version)), "n").reports()
    assert listed is not None
    assert listed.names.keys() == {"b"}
    state = ZoneState()
    found = attrs.evolve(policy(), resource_version=version)
    state.committed(Progress("a", 1, frozenset("a")), [standing(found)], (), 0.0)
    assert state.entries[found.key].needed == 0


@pytest.mark.parametrize(("leases", "policies", "counts"), [(40, 6000, True), (9000, 300, False)])
async def test_leases_with_a_store_of_their_own(leases: int, policies: int, *, counts: bool) -> None:
    """Where Leases are kept in another etcd, only the versions of policies say whether a report is from the future."""
    item = {
        "metadata": {"name": report_name("b"), "annotations": {"nqosd.io/report": ZoneReport("b", 5000).encode()}},
        "spec": {"holderIdentity": "h", "renewTime": "x"},
    }
    _answer, found = await Leases(LeaseClient(*lists(leases, [item], policies)), "n").reports()
    assert found is not None
    assert found.renewals.keys() == ({"b"} if counts else set())


@pytest.mark.parametrize("odd", ["Node/A", "Ü", "a" * 400])
def test_no_two_zones_share_a_name(odd: str) -> None:
    """A zone can't be called so that its report or condition is another zone's."""
    assert report_name(odd) != report_name(report_name(odd).removeprefix("nqosd-zone-"))
    assert condition_type(odd) != condition_type(condition_type(odd).removeprefix("Ready-In-Zone-"))


async def test_a_standby_of_the_elected_zone_is_another_candidate(
    cluster: Cluster, client: KubeClient, running: Running
) -> None:
    """Two daemons of one zone never both sum up; when the other one writes the rows, it is elected at once."""
    zones = frozenset({"a", "b"})
    one, two = (Zone(client, cluster, "a", zones, holder=name) for name in ("first", "second"))
    policy = cluster.create()
    async with running(one.run), running(two.run):
        one.commit(policy)
        await eventually(lambda: one.counting.sum is not None)
        two.commit(policy)  # it has the lock of the database, and the first doesn't know yet
        await eventually(lambda: two.counting.reports["answered"] >= 4)
        assert two.counting.sum is None
        one.status.clear()
        await eventually(lambda: two.counting.sum is not None)
        assert one.counting.sum is None


async def test_columns_of_kubectl_that_others_write_are_put_right(
    cluster: Cluster, client: KubeClient, running: Running
) -> None:
    """Whoever writes the columns READY, ZONES or REPORTED, they soon say again what the conditions do."""
    one = Zone(client, cluster, "a", frozenset("a"))

    def columns() -> tuple[str, str, str]:
        shown = json.loads(cluster.server.request("GET", cluster.path("video")))["status"]
        return shown["ready"], shown["zones"]["summary"], shown["reportedAt"]

    async with running(one.run):
        one.commit(cluster.create())
        await eventually(lambda: ready(cluster) == ("True", "Applied"))
        written = columns()
        forged = {"ready": "True for generation 7", "zones": {"summary": "7/7"}, "reportedAt": "2099-01-01T00:00:00Z"}
        change = json.dumps({"status": forged})
        name = ("networkqos", "video", "-n", cluster.namespace)
        cluster.server.kubectl("patch", *name, "--subresource=status", "--type=merge", "-p", change)
        assert columns() != written
        one.commit(cluster.get())
        await eventually(lambda: columns()[:2] == written[:2] and columns()[2] < "2099", 30.0)


async def test_two_that_sum_up_differently_write_ever_more_slowly(
    cluster: Cluster, client: KubeClient, running: Running
) -> None:
    """Two daemons that each take theirs for the only zone and disagree count what is undone, and say so."""
    one, two = (Zone(client, cluster, name, frozenset({name})) for name in ("a", "b"))
    found = cluster.create()
    async with running(one.run), running(two.run), asyncio.timeout(120):
        while not any(found.key in note for zone in (one, two) for note in zone.notes):
            found = cluster.get()  # as informers do: each sees what the other has written
            one.commit(found)
            invalid = condition(found, report(ready=False), "b")
            progress = Progress("b", int(cluster.resource_version()), two.zones)
            two.status.publish(progress, [PolicyStanding(found, invalid, two.zones)])
            await asyncio.sleep(0.05)
    undone = [zone.counting.results["undone"] for zone in (one, two)]
    assert max(undone) >= AT_ONCE
