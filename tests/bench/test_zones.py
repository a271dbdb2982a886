"""`make bench-zones` at its smallest: what is counted is what was sent, and the fleet is as the real daemons are."""

import statistics

import attrs
import pytest

from tests.services.latency import Latency
from tools.zones.__main__ import measured
from tools.zones.fleet import script
from tools.zones.measure import Cost, Load, PolicyChange, Started, Window
from tools.zones.one_pod import BARE
from tools.zones.recorder import Request
from tools.zones.report import markdown

LOAD = Load(daemons=1, seconds=3, changes=10, quiet=3, pods=5)
PODS = "/api/v1/pods?watch=true"
LEASE = "/apis/coordination.k8s.io/v1/namespaces/kube-system/leases/nqosd-zone-node-00000"


def grown(nodes: int) -> Cost:
    """Give a cost that grows with the nodes."""
    started = [Started(first_list=0.3, ready=0.5, received=nodes * 1000, resident=60.0)]
    change = PolicyChange(seconds=1.0, writes={"reports": nodes}, slow=0, reported=1, size=1000)
    idle, busy = Window(0, 0, 0.0), Window(0, 56_000, 0.1)
    return Cost(
        nodes,
        "all",
        started,
        {"own": Latency(0.9, 1.5, 2.0)},
        idle,
        busy,
        1.0,
        60.0,
        with_fleet=False,
        fleet_start_cpu=0,
        fleet_start_bytes=0,
        change=change,
    )


def request(target: str, method: str = "GET", body: bytes = b"") -> Request:
    """Give a request of a daemon."""
    return Request(0.0, method, target, {"accept": "application/json"}, body)


def test_a_script_has_a_stream_for_each_selection_and_the_last_report() -> None:
    """A list and the watches after it are one stream, a probe is another one, and of reports the last one counts."""
    requests = [
        request(f"{PODS}&sendInitialEvents=true"),
        request(f"{PODS}&resourceVersion=1"),
        request(f"{PODS}&resourceVersion=2"),
        request("/api/v1/namespaces?limit=1"),
        request("/api/v1/namespaces?limit=1"),
        request(LEASE, "PATCH", b"1"),
        request(LEASE, "PATCH", b"2"),
    ]
    found = script("node-00000", requests, 10.0)
    pods, probe = found.streams
    assert pods.again is not None
    assert (pods.first.target, pods.again.target) == (f"{PODS}&sendInitialEvents=true", f"{PODS}&resourceVersion=2")
    assert (probe.again is not None, probe.every) == (True, 5.0)
    assert found.report is not None
    assert found.report.body == b"2"


def test_what_all_receive_together_is_reckoned_from_what_one_receives() -> None:
    """The first lists of 1,000 daemons are a thousand times that of one, read off the line through the sizes."""
    text = markdown([grown(10), grown(20)], LOAD)
    assert "| KB until ready | 10 | 20 | 1,000 | 5,000 |" in text
    # 1 MB each, and 5,600 bytes for each of 17.4 changes a second
    assert "| 1,000 | all | 1 | 97.2 |" in text


@pytest.mark.parametrize(
    ("seconds", "slow", "words"),
    [(9.9, 0, ["met", "met"]), (10.1, 2, ["MISSED", "MISSED"]), (None, 0, ["MISSED", "met"])],
)
def test_the_goals_for_a_changed_policy_are_met_or_missed(seconds: float | None, slow: int, words: list[str]) -> None:
    """Ready within 10 s, and no write above 100 ms, are said of each size at which every node had a daemon."""
    cost = grown(1000)
    change = attrs.evolve(cost.change, seconds=seconds, slow=slow)
    text = markdown([grown(500), attrs.evolve(cost, with_fleet=True, change=change)], LOAD)
    goals = [line for line in text.splitlines() if line.startswith("- goal")]
    assert [line.rpartition(" ")[2] for line in goals if "until Ready" in line or "100 ms" in line] == words
    assert all("1,000 nodes" in line for line in goals)


def test_the_other_goals_are_those_of_what_was_measured() -> None:
    """Memory, writes, the policy, and what is received beside what it is by default."""
    whole = grown(1000)
    change = attrs.evolve(whole.change, writes={"reports": 1000, "status": 21}, size=16 * 1024 + 1)
    less = attrs.evolve(
        whole, mode="auto", with_fleet=True, resident=86.0, change=change, busy=Window(0, 560_000, 0.1), heard=0.0019
    )
    text = markdown([whole, less], LOAD)
    found = {line.partition(",")[0]: line for line in text.splitlines() if line.startswith("- goal")}
    for goal in ("85 MiB", "a write for each node and 20 more", "16 KiB of the policy"):
        assert found[f"- goal {goal}"].endswith("MISSED")
    assert found["- goal 1/50 of what a daemon receives by default"].endswith("1/53, met")


@pytest.mark.parametrize(
    ("first_list", "ready", "words"), [(0.35, 1.0, ["met", "met"]), (0.36, 1.01, ["MISSED", "MISSED"])]
)
def test_the_goals_for_a_start_are_those_of_its_median(first_list: float, ready: float, words: list[str]) -> None:
    """One start of three that takes long is shown, and misses nothing."""
    cost = grown(1000)
    least, median, most = (
        attrs.evolve(cost.started[0], first_list=first_list + by, ready=ready + by) for by in (-0.1, 0, 4)
    )
    text = markdown([attrs.evolve(cost, with_fleet=True, started=[most, least, median])], LOAD)
    goals = [line for line in text.splitlines() if line.startswith("- goal")][:2]
    assert [line.rpartition(" ")[2] for line in goals] == words
    assert f"{ready:.3g} s ({ready - 0.1:.3g} to {ready + 4:.3g}, starts: 3)" in goals[1]


@pytest.mark.parametrize(("p50", "word"), [(1.0, "met"), (1.1, "MISSED")])
def test_the_goal_for_a_pod_is_said_of_each_way(p50: float, word: str) -> None:
    """The median counts, and a bare transaction is no pod."""
    pods = {"own": Latency(p50, 9.0, 10.0), BARE: Latency(5.0, 5.0, 5.0)}
    text = markdown([attrs.evolve(grown(1000), with_fleet=True, pods=pods)], LOAD)
    [goal] = [line for line in text.splitlines() if line.startswith("- goal 1 ms")]
    assert "alone, own, 1,000 nodes" in goal
    assert goal.endswith(word)


@pytest.mark.timeout(600)
async def test_a_small_run_measures_real_daemons_and_a_fleet_that_costs_the_same() -> None:
    """Two nodes with a real daemon and one of the fleet: both receive as much, and a changed policy becomes Ready."""
    load = attrs.evolve(LOAD, starts=1)
    [cost] = await measured([2], {"auto": {"kubernetes": {"pods": "auto"}}}, load)
    assert len(cost.started) == 2
    received = statistics.mean(each.received for each in cost.started)
    assert received > 250 * 5000
    assert 0.9 < cost.fleet_start_bytes / received < 1.1
    assert set(cost.pods) == {"own", "own and peer", BARE}
    assert cost.change.seconds is not None
    assert cost.change.writes["status"] >= 1


@pytest.mark.timeout(600)
async def test_zones_that_only_report_are_waited_for_too() -> None:
    """With no zone of the fleet that does all a daemon does, a changed policy is Ready when all have reported it."""
    load = attrs.evolve(LOAD, fleet=0)
    [cost] = await measured([3], {"auto": {"kubernetes": {"pods": "auto"}}}, load)
    received = statistics.mean(each.received for each in cost.started)
    assert cost.fleet_start_bytes < received / 2
    assert cost.change.seconds is not None
    assert cost.change.writes["reports"] >= 3
