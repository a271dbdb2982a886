"""Statuses arrive in a real API server, as the daemon's least-privileged user, and nothing holds them up."""

import asyncio
import json
import re

import attrs
import structlog
from msgspec.structs import replace

from nqosd.kube.client import KubeClient, Response
from nqosd.kube.credentials import KubeOptions
from nqosd.status.readiness import APPLIED
from nqosd.status.writer import TESTED, StatusWriter
from tests.services.etcd import Etcd
from tests.services.kubernetes import ApiServer
from tests.status import policies
from tests.status.cluster import CRD, Cluster
from tests.status.conftest import Running
from tests.status.fakes import Counting, FakeBody, FakeClient, Heard, eventually, patched
from tests.status.policies import WAITING, verdict

TIME = "2026-11-24T10:00:00Z"


async def drained(writer: StatusWriter, seconds: float = 60.0) -> None:
    """Wait until everything has been written."""
    await asyncio.wait_for(writer.drain(), seconds)


async def test_a_status_is_written_once(cluster: Cluster, client: KubeClient, running: Running) -> None:
    """A policy gets its condition and the guide's STATUS; the echo and a repeated verdict write nothing."""
    counting = Counting()
    writer = StatusWriter(client, counting)
    policy = cluster.create()
    async with running(writer.run):
        writer.submit(policy, verdict())
        await drained(writer)
        version = cluster.resource_version()
        writer.submit(policy, verdict())  # the informer hasn't shown the write yet
        writer.submit(cluster.get(), verdict())
        writer.submit(cluster.get(), verdict())
        await drained(writer)
    condition = cluster.ready()
    assert (condition.status, condition.reason, condition.observed_generation) == ("True", "Applied", 1)
    assert cluster.resource_version() == version
    assert counting.results == {"written": 1}
    table = cluster.server.kubectl("get", "networkqoses", "video", "-n", cluster.namespace)
    assert [re.split(r"\s{2,}", line)[:5] for line in table.splitlines()] == [
        ["NAME", "GENERATION", "READY", "ZONES", "STATUS"],
        ["video", "1", "True for generation 1", "1/1", APPLIED],
    ]


async def test_a_new_daemon_writes_nothing(cluster: Cluster, client: KubeClient, running: Running) -> None:
    """After a restart or a failover, a status that is right is left alone."""
    writer = StatusWriter(client, Counting())
    async with running(writer.run):
        writer.submit(cluster.create(), verdict())
        await drained(writer)
    counting = Counting()
    again = StatusWriter(client, counting)
    async with running(again.run):
        again.submit(cluster.get(), verdict())
        await drained(again)
    assert counting.results == {}


async def test_a_change_is_written_and_heard(cluster: Cluster, client: KubeClient, running: Running) -> None:
    """A status turns with its reason and a new transition time, and who listens hears of each change once."""
    heard = Heard()
    writer = StatusWriter(client, Counting(), listener=heard)
    policy = cluster.create()
    async with running(writer.run):
        writer.submit(policy, WAITING)
        await drained(writer)
        waiting = cluster.get()
        assert waiting.status.summary == WAITING.summary
        writer.submit(waiting, verdict())
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
        writer.submit(cluster.create(), verdict())
        await drained(writer)
        first = cluster.ready()
        await asyncio.sleep(1.1)
        writer.submit(cluster.create(priority=11), verdict(generation=2, message="n"))
        await drained(writer)
    second = cluster.ready()
    assert second.observed_generation == 2
    assert second.message != first.message
    assert second.last_transition_time == first.last_transition_time


async def test_counts_alone_are_written_slowly(cluster: Cluster, client: KubeClient, running: Running) -> None:
    """What only says more of the same waits for a while after the last write; what turns `Ready` doesn't."""
    counting = Counting()
    writer = StatusWriter(client, counting)
    policy = cluster.create()
    async with running(writer.run):
        writer.submit(policy, WAITING)
        await drained(writer)
        writer.submit(cluster.get(), replace(WAITING, summary="Not applied in zone z (and in 1 other zone)"))
        await drained(writer)
        assert counting.results == {"written": 1}
        writer.submit(cluster.get(), verdict())
        await drained(writer)
    assert counting.results == {"written": 2}
    assert cluster.get().status.summary == APPLIED


async def test_conditions_of_others_stay(cluster: Cluster, client: KubeClient, running: Running) -> None:
    """Whoever wrote it: conditions of other types stay, those of zones go, but for zones that don't report yet."""
    policy = cluster.create()
    apply = "application/apply-patch+yaml"
    for manager, type_ in (("node-1", "Ready-In-Zone-node-1"), ("nqosd-b", "Ready-In-Zone-b"), ("me", "Accepted")):
        condition = {"type": type_, "status": "True", "reason": "r", "message": "", "lastTransitionTime": TIME}
        body = {"apiVersion": "k8s.ovn.org/v1alpha1", "kind": "NetworkQoS", "status": {"conditions": [condition]}}
        path = f"{cluster.path('video')}/status?fieldManager={manager}&force=true"
        cluster.server.request("PATCH", path, body, content_type=apply)
    writer = StatusWriter(client, Counting())
    async with running(writer.run):
        policy = cluster.get()
        writer.submit(policy, verdict(kept=frozenset({"Ready-In-Zone-b"})))
        await drained(writer)
        assert {each.type for each in cluster.get().status.conditions} == {"Ready", "Ready-In-Zone-b", "Accepted"}
    managers = json.loads(cluster.server.request("GET", cluster.path("video")))["metadata"]["managedFields"]
    assert "node-1" not in {each["manager"] for each in managers}


async def test_another_hands_edit_is_undone(cluster: Cluster, client: KubeClient, running: Running) -> None:
    """A status that somebody has edited is put right when the informer shows it."""
    writer = StatusWriter(client, Counting())
    async with running(writer.run):
        writer.submit(cluster.create(), verdict())
        await drained(writer)
        writer.submit(cluster.get(), verdict())
        edit = {"status": {"status": "fine", "conditions": []}}
        cluster.server.request(
            "PATCH", f"{cluster.path('video')}/status", edit, content_type="application/merge-patch+json"
        )
        assert cluster.get().status.conditions == ()
        writer.submit(cluster.get(), verdict())
        await drained(writer)
    assert cluster.get().status.summary == APPLIED
    assert cluster.ready().status == "True"


async def test_only_the_newest_state_is_written(cluster: Cluster, client: KubeClient, running: Running) -> None:
    """States that follow each other faster than they can be written cost one write, of the last one."""
    counting = Counting()
    writer = StatusWriter(client, counting)
    policy = cluster.create()
    async with running(writer.run):
        for number in range(100):
            writer.submit(policy, verdict("True" if number % 2 else "False", message=f"net-{number}"))
        await drained(writer)
    assert cluster.ready().message == "net-99"
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
                writer.submit(policy, verdict())
            writer.submit(cluster.create(), verdict())
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
            writer.submit(policy, verdict())
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
        writer.submit(old, WAITING)
        await drained(writer)
        assert counting.results == {"gone": 1}
        assert heard.conditions == []
        writer.submit(cluster.get(), verdict())
        await drained(writer)
    assert cluster.get().status.summary == APPLIED
    assert cluster.ready().reason == "Applied"


async def test_a_deposed_daemon_falls_silent(cluster: Cluster, client: KubeClient, running: Running) -> None:
    """After `clear`, nothing that was waiting is written any more."""
    counting = Counting()
    writer = StatusWriter(client, counting)
    writer.submit(cluster.create(), verdict())
    writer.clear()
    async with running(writer.run):
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
                writer.submit(policy, verdict())
                await eventually(lambda: counting.results["refused"] >= 2)
                await asyncio.to_thread(server.start)
                await drained(writer, 60.0)
        assert cluster.get().status.summary == APPLIED


async def test_a_request_that_hangs_delays_nobody(running: Running) -> None:
    """While one policy's write gets no answer, another's is written."""
    hanging = policies.policy()
    other = attrs.evolve(hanging, name="other", uid="u-2")
    client = FakeClient(patched(other))
    client.hanging.add("/apis/k8s.ovn.org/v1alpha1/namespaces/team-a/networkqoses/video/status")
    counting = Counting()
    writer = StatusWriter(client, counting)
    async with running(writer.run):
        writer.submit(hanging, verdict())
        writer.submit(other, verdict())
        await eventually(lambda: counting.results["written"] == 1)
        assert counting.pending == 1
    assert len(client.requests) == 2


async def test_a_namespace_keeps_no_other_waiting(running: Running) -> None:
    """Who has one policy waits for one write of somebody who has hundreds, whenever those came."""
    mine = policies.policy()
    crowd = [attrs.evolve(mine, namespace="crowd", name=f"p{number}", uid=f"u-{number}") for number in range(100)]
    client = FakeClient(*(patched(each) for each in (crowd[0], mine, *crowd[1:])))
    counting = Counting()
    writer = StatusWriter(client, counting)
    for each in (*crowd, mine):
        writer.submit(each, verdict())
    async with running(writer.run):
        await eventually(lambda: counting.results["written"] == len(crowd) + 1)
    written = [path.split("/")[5] for _method, path, _body in client.requests]
    assert written == ["crowd", "team-a", *["crowd"] * (len(crowd) - 1)]


async def test_the_server_says_when_to_come_back(running: Running) -> None:
    """A server that is too busy isn't asked again before the time that it names."""
    client = FakeClient(Response(429, b"too many requests", 1.5), patched(policies.policy()))
    counting = Counting()
    writer = StatusWriter(client, counting)
    loop = asyncio.get_running_loop()
    async with running(writer.run):
        begun = loop.time()
        writer.submit(policies.policy(), verdict())
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
            writer.submit(policies.policy(), verdict())
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
            writer.submit(policy, verdict())
            await eventually(lambda: bool(counting.results))
            await asyncio.sleep(0.1)
    assert len(client.requests) == 1
    assert counting.results == {"refused": 1}
    assert heard.conditions == []
    assert "doesn't keep it" in said[0]["event"]


async def test_a_generation_that_comes_during_a_write_is_written_next(running: Running) -> None:
    """The server refuses what is about the generation before; that says nothing against the verdict on the new one."""
    new = policies.policy(2)

    def refuse(_body: FakeBody) -> Response:
        writer.submit(new, verdict(generation=2))
        return Response(422, f'{{"message": "{TESTED} due to an error in our request"}}'.encode())

    counting = Counting()
    writer = StatusWriter(FakeClient(refuse, patched(new)), counting)
    async with running(writer.run):
        writer.submit(policies.policy(), verdict())
        await eventually(lambda: counting.results == {"gone": 1, "written": 1})
