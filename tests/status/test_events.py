"""Events arrive in a real API server as people see them, never too many, and nothing waits for them."""

import datetime as dt
from collections.abc import Mapping
from typing import cast

import attrs
import pytest
import structlog
from msgspec.structs import replace

from nqosd.api.names import is_object
from nqosd.api.networkqos import NetworkQoS
from nqosd.kube.client import KubeClient, Response
from nqosd.kube.writes import Answer
from nqosd.runtime import budgets
from nqosd.status import events
from nqosd.status.condition_changes import Note, repaired
from nqosd.status.events import EventRecorder
from nqosd.status.writer import StatusWriter
from tests.status.cluster import Cluster
from tests.status.conftest import Running
from tests.status.fakes import Counting, FakeClient, eventually
from tests.status.policies import policy, verdict

NOTE = Note("Applied", "Apply", "In force on network default.")


async def test_an_event_is_what_people_see(cluster: Cluster, client: KubeClient, running: Running) -> None:
    """An Event has every field that the API asks for, and kubectl shows it with the policy."""
    counting = Counting()
    recorder = EventRecorder(client, counting, instance="host-1")
    policy = cluster.create()
    async with running(recorder.run):
        recorder.record(policy, NOTE)
        recorder.record(policy, repaired("QoS row of rule 0"))
        await recorder.drain()
    assert counting.results == {"written": 2}
    normal, warning = cluster.events()
    assert (normal["type"], warning["type"]) == ("Normal", "Warning")
    assert (normal["reason"], normal["action"], normal["note"]) == ("Applied", "Apply", NOTE.text)
    assert (normal["reportingController"], normal["reportingInstance"]) == ("nqosd", "host-1")
    assert normal["regarding"] == {
        "apiVersion": "k8s.ovn.org/v1alpha1",
        "kind": "NetworkQoS",
        "namespace": cluster.namespace,
        "name": "video",
        "uid": policy.uid,
    }
    age = dt.datetime.now(dt.UTC) - dt.datetime.fromisoformat(str(normal["eventTime"]))
    assert abs(age) < dt.timedelta(minutes=1)
    assert not any(value for name, value in normal.items() if name.startswith("deprecated"))
    described = cluster.server.kubectl("describe", "networkqoses", "video", "-n", cluster.namespace)
    assert NOTE.text in described
    assert "Repaired" in described


async def test_transitions_become_events(cluster: Cluster, client: KubeClient, running: Running) -> None:
    """The recorder listens to the writer: news gives an Event, and a restart gives none."""
    counting = Counting()
    recorder = EventRecorder(client, counting, instance="host-1")
    writer = StatusWriter(client, counting, listener=recorder.condition_changed)
    async with running(recorder.run), running(writer.run):
        writer.submit(cluster.create(), verdict(reason="NoSourcePods"))
        await writer.drain()
        writer.submit(cluster.get(), verdict())
        await writer.drain()
        invalid = verdict("False", reason="Invalid", generation=2)
        writer.submit(cluster.create(priority=11), invalid)
        await writer.drain()
        again = StatusWriter(client, counting, listener=recorder.condition_changed)
        async with running(again.run):
            again.submit(cluster.get(), invalid)
            await again.drain()
        await recorder.drain()
    assert [(each["type"], each["reason"]) for each in cluster.events()] == [
        ("Normal", "Applied"),
        ("Warning", "Invalid"),
    ]


async def test_a_long_note_fits(cluster: Cluster, client: KubeClient, running: Running) -> None:
    """A note of any length and alphabet is cut to what the API takes, and a long name of a policy does no harm."""
    counting = Counting()
    recorder = EventRecorder(client, counting, instance="h" * 300)
    name = "p" * 253
    policy = cluster.create(name)
    async with running(recorder.run):
        recorder.record(policy, replace(NOTE, text="aé€" * 1000))
        recorder.record(policy, replace(NOTE, text="x" * events.MAX_NOTE))
        await recorder.drain()
    assert counting.results == {"written": 2}
    notes = [str(each["note"]) for each in cluster.events(name)]
    assert notes[0].startswith("aé€aé€")
    assert notes[0].endswith("…")
    assert notes[1] == "x" * events.MAX_NOTE


async def test_a_restless_policy_is_limited(cluster: Cluster, client: KubeClient, running: Running) -> None:
    """A policy gets ten Events at once and then one a minute; another one is not affected."""
    now = 1_800_000_000.0
    counting = Counting()
    recorder = EventRecorder(client, counting, instance="h", clock=lambda: now)
    restless, other = cluster.create("restless"), cluster.create("other")
    async with running(recorder.run):
        for _ in range(15):
            recorder.record(restless, NOTE)
        recorder.record(other, NOTE)
        now += 61.0
        recorder.record(restless, NOTE)
        recorder.record(restless, NOTE)
        await recorder.drain()
    assert len(cluster.events("restless")) == 11
    assert len(cluster.events("other")) == 1
    assert counting.results == {"limited": 6, "written": 12}


async def test_without_the_right_nothing_breaks(other_cluster: Cluster, client: KubeClient, running: Running) -> None:
    """A refused Event is given up, and the log says so once."""
    counting = Counting()
    recorder = EventRecorder(client, counting, instance="h")
    policy = other_cluster.create()
    with structlog.testing.capture_logs() as said:
        async with running(recorder.run):
            for _ in range(3):
                recorder.record(policy, NOTE)
            await recorder.drain()
    assert counting.results == {"refused": 3}
    assert [entry["reason"] for entry in said] == ["Forbidden"]


def known() -> NetworkQoS:
    """Give a policy for faults that need no server."""
    return policy()


async def test_a_lost_answer_makes_no_second_event(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    """An attempt whose answer was lost is repeated under the same name, and that it exists then is success."""
    monkeypatch.setattr(events, "PAUSE", 0.01)
    client = FakeClient(Response(503, b"", 0.01), Response(409, b"{}"))
    counting = Counting()
    recorder = EventRecorder(client, counting, instance="h")
    async with running(recorder.run):
        recorder.record(known(), NOTE)
        await recorder.drain()
    assert counting.results == {"written": 1}
    first, second = (body["metadata"] for _method, _path, body in client.requests if isinstance(body, Mapping))
    assert first == second


async def test_a_server_that_stays_away_costs_a_few_attempts(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    """After four attempts an Event is given up."""
    monkeypatch.setattr(events, "PAUSE", 0.01)
    client = FakeClient(*(Response(503, b"", 0.01) for _ in range(10)))
    counting = Counting()
    recorder = EventRecorder(client, counting, instance="h")
    async with running(recorder.run):
        recorder.record(known(), NOTE)
        await recorder.drain()
    assert counting.results == {"refused": 1}
    assert len(client.requests) == events.ATTEMPTS


def test_a_server_that_asks_for_no_pause_gets_one() -> None:
    """Between two attempts lies at least the recorder's own pause, which doubles, whatever the server asks for."""
    answers = [Answer(503, "HTTP 503", "", retry_after=seconds) for seconds in (None, 0.0, 30.0)]
    pauses = [[events._pause(answer, attempt) for attempt in (1, 2, 3)] for answer in answers]
    own = [events.PAUSE, 2 * events.PAUSE, 4 * events.PAUSE]
    assert pauses == [own, own, [30.0] * 3]


async def test_the_queue_is_bounded() -> None:
    """When too many Events wait, more are dropped and counted, and the caller isn't held up."""
    counting = Counting()
    recorder = EventRecorder(FakeClient(), counting, instance="h")
    for number in range(events.QUEUE + 5):
        recorder.record(attrs.evolve(known(), uid=str(number)), NOTE)
    assert counting.results == {"dropped": 5}


async def test_a_namespace_takes_no_other_s_events(running: Running) -> None:
    """Where one fills the queue, what another one has to say is written next, and the first one loses an Event."""
    client, counting = FakeClient(), Counting()
    client.answers.extend(Response(201, b"{}") for _ in range(events.QUEUE))
    recorder = EventRecorder(client, counting, instance="h")
    for number in range(events.QUEUE):
        recorder.record(attrs.evolve(known(), namespace="crowded", uid=str(number)), NOTE)
    recorder.record(attrs.evolve(known(), namespace="shop", uid="mine"), NOTE)
    async with running(recorder.run):
        await recorder.drain()
    namespaces = [path.split("/")[-2] for _method, path, _body in client.requests]
    assert namespaces[:3] == ["crowded", "shop", "crowded"]
    assert counting.results == {"dropped": 1, "written": events.QUEUE}


async def test_the_name_of_an_event_is_one(running: Running) -> None:
    """Where an object's long name is cut behind a dot or a dash, the API server would refuse the rest with a dot."""
    client = FakeClient()
    client.answers.append(Response(201, b"{}"))
    recorder = EventRecorder(client, Counting(), instance="h")
    recorder.record(attrs.evolve(known(), name=f"{'n' * (events.MAX_SUBJECT_NAME - 2)}.-{'n' * 20}"), NOTE)
    async with running(recorder.run):
        await recorder.drain()
    ((_method, _path, body),) = client.requests
    assert isinstance(body, Mapping)
    name = cast("dict[str, str]", body["metadata"])["name"]
    assert is_object(name), name


async def test_budgets_are_bounded(running: Running) -> None:
    """However many policies come and go, only the last ones are remembered."""
    client = FakeClient()
    client.answers.extend(Response(201, b"{}") for _ in range(budgets.REMEMBERED + 50))
    counting = Counting()
    recorder = EventRecorder(client, counting, instance="h")
    async with running(recorder.run):
        for number in range(budgets.REMEMBERED + 50):
            recorder.record(attrs.evolve(known(), uid=str(number)), NOTE)
            if number % events.QUEUE == 0:
                await recorder.drain()
        await eventually(lambda: counting.results["written"] == budgets.REMEMBERED + 50)
    assert len(recorder._budgets._budgets) == budgets.REMEMBERED
