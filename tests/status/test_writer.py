"""Statuses arrive in a real API server, as the daemon's least-privileged user, and nothing holds them up."""

import asyncio
import json
import re

import attrs
import structlog

from nqosd.kube.client import KubeClient, Response
from nqosd.kube.credentials import KubeOptions
from nqosd.northbound.results import Lacking
from nqosd.status.conditions import APPLIED
from nqosd.status.writer import StatusWriter
from tests.services.etcd import Etcd
from tests.services.kubernetes import ApiServer
from tests.status import policies
from tests.status.cluster import CRD, Cluster
from tests.status.conftest import Running
from tests.status.fakes import Counting, FakeClient, Heard, applied, eventually
from tests.status.policies import report

WAITING = Lacking(switches=("blue_node-1",))


async def drained(writer: StatusWriter, seconds: float = 20.0) -> None:
    """Wait until everything has been written."""
    await asyncio.wait_for(writer.drain(), seconds)


async def test_a_status_is_written_once(cluster: Cluster, client: KubeClient, running: Running) -> None:
    """A committed policy gets its condition and the guide's STATUS; the echo and a repeated verdict write nothing."""
    counting = Counting()
    writer = StatusWriter(client, counting)
    policy = cluster.create()
    async with running(writer.run):
        writer.submit(policy, report("default"), "node-1")
        await drained(writer)
        version = cluster.resource_version()
        writer.submit(policy, report("default"), "node-1")  # the informer hasn't shown the write yet
        writer.observe(cluster.get())
        writer.submit(cluster.get(), report("default"), "node-1")
        await drained(writer)
    condition = cluster.condition("node-1")
    assert (condition.status, condition.reason, condition.observed_generation) == ("True", "Applied", 1)
    assert cluster.resource_version() == version
    assert counting.results == {"written": 1}
    table = cluster.server.kubectl("get", "networkqoses", "video", "-n", cluster.namespace)
    assert [re.split(r"\s{2,}", line)[:2] for line in table.splitlines()] == [["NAME", "STATUS"], ["video", APPLIED]]


async def test_a_new_daemon_writes_nothing(cluster: Cluster, client: KubeClient, running: Running) -> None:
    """After a restart or a failover, a status that is right is left alone."""
    writer = StatusWriter(client, Counting())
    async with running(writer.run):
        writer.submit(cluster.create(), report("default"), "node-1")
        await drained(writer)
    counting = Counting()
    again = StatusWriter(client, counting)
    async with running(again.run):
        again.submit(cluster.get(), report("default"), "node-1")
        await drained(again)
    assert counting.results == {}


async def test_a_change_is_written_and_heard(cluster: Cluster, client: KubeClient, running: Running) -> None:
    """A status turns with its reason and a new transition time, and who listens hears of each change once."""
    heard = Heard()
    writer = StatusWriter(client, Counting(), listener=heard)
    policy = cluster.create()
    async with running(writer.run):
        writer.submit(policy, report("blue"), "z", WAITING)
        await drained(writer)
        waiting = cluster.get()
        assert waiting.status.summary.startswith("Not applied in zone z: Waiting for logical switch blue_node-1")
        writer.submit(waiting, report("blue"), "z")
        await drained(writer)
        assert cluster.get().status.summary == APPLIED
    assert heard.conditions == [
        (policy.key, None, "WaitingForSwitch"),
        (policy.key, "WaitingForSwitch", "Applied"),
    ]


async def test_the_transition_time_stays(cluster: Cluster, client: KubeClient, running: Running) -> None:
    """Another message or generation with the same status keeps the time of the last transition."""
    writer = StatusWriter(client, Counting())
    async with running(writer.run):
        writer.submit(cluster.create(), report("default"), "z")
        await drained(writer)
        first = cluster.condition("z")
        await asyncio.sleep(1.1)
        writer.submit(cluster.create(priority=11), report("default", "blue"), "z")
        await drained(writer)
    second = cluster.condition("z")
    assert second.observed_generation == 2
    assert second.message != first.message
    assert second.last_transition_time == first.last_transition_time


async def test_zones_share_one_status(cluster: Cluster, client: KubeClient, running: Running) -> None:
    """Each zone's daemon owns its own condition, and together they agree on one summary."""
    one, two = StatusWriter(client, Counting()), StatusWriter(client, Counting())
    policy = cluster.create()
    async with running(one.run), running(two.run):
        one.submit(policy, report("blue"), "a")
        two.submit(policy, report("blue"), "b", WAITING)
        for _ in range(2):  # each sees what the other has written
            await drained(one)
            await drained(two)
            one.observe(cluster.get())
            two.observe(cluster.get())
        await drained(one)
        assert cluster.get().status.summary.startswith("Not applied in zone b: Waiting for")
        assert cluster.condition("a").status == "True"
        version = cluster.resource_version()
        one.observe(cluster.get())
        two.observe(cluster.get())
        await drained(one)
        await drained(two)
        assert cluster.resource_version() == version
        two.submit(cluster.get(), report("blue"), "b")
        await drained(two)
    assert cluster.get().status.summary == APPLIED
    assert {each.type for each in cluster.get().status.conditions} == {"Ready-In-Zone-a", "Ready-In-Zone-b"}


async def test_another_hands_edit_is_undone(cluster: Cluster, client: KubeClient, running: Running) -> None:
    """A status that somebody has edited is put right when the informer shows it."""
    writer = StatusWriter(client, Counting())
    async with running(writer.run):
        writer.submit(cluster.create(), report("default"), "z")
        await drained(writer)
        writer.observe(cluster.get())
        edit = {"status": {"status": "fine", "conditions": []}}
        cluster.server.request(
            "PATCH", f"{cluster.path('video')}/status", edit, content_type="application/merge-patch+json"
        )
        assert cluster.get().status.conditions == ()
        writer.observe(cluster.get())
        await drained(writer)
    assert cluster.get().status.summary == APPLIED
    assert cluster.condition("z").status == "True"


async def test_only_the_newest_state_is_written(cluster: Cluster, client: KubeClient, running: Running) -> None:
    """States that follow each other faster than they can be written cost one write, of the last one."""
    counting = Counting()
    writer = StatusWriter(client, counting)
    policy = cluster.create()
    async with running(writer.run):
        for number in range(100):
            writer.submit(policy, report(f"net-{number}"), "z", WAITING if number % 2 == 0 else Lacking())
        await drained(writer)
    assert cluster.condition("z").message == "In force on network net-99."
    assert counting.results == {"written": 1}


async def test_a_refusal_delays_nobody_and_passes(
    cluster: Cluster, other_cluster: Cluster, client: KubeClient, running: Running
) -> None:
    """Without rights in one namespace the others get their statuses; with the rights the refused one follows."""
    counting = Counting()
    writer = StatusWriter(client, counting)
    refused = [other_cluster.create(f"refused-{number}") for number in range(5)]
    with structlog.testing.capture_logs() as said:
        async with running(writer.run):
            for policy in refused:
                writer.submit(policy, report("default"), "z")
            writer.submit(cluster.create(), report("default"), "z")
            await eventually(lambda: cluster.get().status.summary == APPLIED)
            await eventually(lambda: counting.results["refused"] >= 5)
            await eventually(lambda: counting.pending == 5)
            other_cluster.grant()
            await drained(writer)
    assert {other_cluster.get(each.name).status.summary for each in refused} == {APPLIED}
    assert counting.pending == 0
    warnings = [entry for entry in said if entry["log_level"] == "warning"]
    assert len(warnings) <= 2, "once for each time that it begins"
    assert warnings[0]["reason"] == "Forbidden"


async def test_a_policy_that_is_gone(cluster: Cluster, client: KubeClient, running: Running) -> None:
    """A write to a deleted policy is no refusal, disturbs nobody, and is over when the informer tells of the end."""
    counting = Counting()
    writer = StatusWriter(client, counting)
    policy = cluster.create()
    cluster.delete()
    with structlog.testing.capture_logs() as said:
        async with running(writer.run):
            writer.submit(policy, report("default"), "z")
            await eventually(lambda: bool(counting.results))
            writer.forget(policy.key)
            await drained(writer)
    assert counting.results == {"gone": 1}
    assert said == []


async def test_a_policy_that_was_replaced(cluster: Cluster, client: KubeClient, running: Running) -> None:
    """What was meant for an earlier object of the same name is no news, and the new object gets its own status."""
    counting, heard = Counting(), Heard()
    writer = StatusWriter(client, counting, listener=heard)
    old = cluster.create()
    cluster.delete()
    new = cluster.create()
    assert new.uid != old.uid
    async with running(writer.run):
        writer.submit(old, report("default"), "z", WAITING)
        await drained(writer)
        assert counting.results == {"gone": 1}
        assert heard.conditions == []
        writer.submit(cluster.get(), report("default"), "z")
        await drained(writer)
    assert cluster.get().status.summary == APPLIED
    assert cluster.condition("z").reason == "Applied"


async def test_a_deposed_daemon_falls_silent(cluster: Cluster, client: KubeClient, running: Running) -> None:
    """After `clear`, nothing that was waiting is written any more."""
    counting = Counting()
    writer = StatusWriter(client, counting)
    writer.submit(cluster.create(), report("default"), "z")
    writer.clear()
    async with running(writer.run):
        writer.observe(cluster.get())
        await asyncio.sleep(0.3)
        await drained(writer)
    assert counting.results == {}
    assert cluster.get().status.conditions == ()


async def test_the_api_server_goes_and_comes_back(running: Running) -> None:
    """What couldn't be written while the API server was down is written soon after it is back."""
    with Etcd() as etcd, ApiServer(etcd) as server:
        server.apply_crds(CRD)
        cluster = Cluster(server, "default")
        policy = cluster.create()
        counting = Counting()
        async with KubeClient(KubeOptions(kubeconfig=str(server.kubeconfig()))) as client:
            writer = StatusWriter(client, counting)
            async with running(writer.run):
                await asyncio.to_thread(server.kill)
                writer.submit(policy, report("default"), "z")
                await eventually(lambda: counting.results["refused"] >= 2)
                await asyncio.to_thread(server.start)
                await drained(writer, 60.0)
        assert cluster.get().status.summary == APPLIED


async def test_a_request_that_hangs_delays_nobody(running: Running) -> None:
    """While one policy's write gets no answer, another's is written."""
    hanging = policies.policy()
    other = attrs.evolve(hanging, name="other", uid="u-2")
    client = FakeClient(applied(other))
    client.hanging.add("/apis/k8s.ovn.org/v1alpha1/namespaces/team-a/networkqoses/video/status")
    counting = Counting()
    writer = StatusWriter(client, counting)
    async with running(writer.run):
        writer.submit(hanging, report("default"), "z")
        writer.submit(other, report("default"), "z")
        await eventually(lambda: counting.results["written"] == 1)
        assert counting.pending == 1
    assert len(client.requests) == 2


async def test_the_server_says_when_to_come_back(running: Running) -> None:
    """A server that is too busy isn't asked again before the time that it names."""
    client = FakeClient(Response(429, b"too many requests", 1.5), applied(policies.policy()))
    counting = Counting()
    writer = StatusWriter(client, counting)
    loop = asyncio.get_running_loop()
    async with running(writer.run):
        begun = loop.time()
        writer.submit(policies.policy(), report("default"), "z")
        await drained(writer)
        assert loop.time() - begun >= 1.5 * 0.8
    assert counting.results == {"refused": 1, "written": 1}


async def test_an_answer_that_is_none(running: Running) -> None:
    """A success that carries no policy, as from a wrong proxy, is not believed, and is tried again much later."""
    client = FakeClient(Response(200, b"<html>welcome</html>"))
    counting, heard = Counting(), Heard()
    writer = StatusWriter(client, counting, listener=heard)
    with structlog.testing.capture_logs() as said:
        async with running(writer.run):
            writer.submit(policies.policy(), report("default"), "z")
            await eventually(lambda: bool(counting.results))
            assert counting.pending == 1
    assert counting.results == {"refused": 1}
    assert heard.conditions == []
    assert [entry["log_level"] for entry in said] == ["warning"]


async def test_a_server_that_keeps_nothing(running: Running) -> None:
    """A status that the server takes and drops, as with another CRD, is no news and is not written in a busy loop."""
    policy = policies.policy()
    forgetful = Response(200, json.dumps({"metadata": {"namespace": "team-a", "name": "video", "uid": "u-1"}}).encode())
    client = FakeClient(*[forgetful] * 10)
    counting, heard = Counting(), Heard()
    writer = StatusWriter(client, counting, listener=heard)
    with structlog.testing.capture_logs() as said:
        async with running(writer.run):
            writer.submit(policy, report("default"), "z")
            await eventually(lambda: bool(counting.results))
            await asyncio.sleep(0.1)
    assert len(client.requests) == 1
    assert counting.results == {"refused": 1}
    assert heard.conditions == []
    assert "doesn't keep it" in said[0]["event"]
