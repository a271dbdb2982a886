"""What a server that wants to be left alone brings about for statuses and Events, on a real API server."""

import time
from collections import defaultdict
from functools import partial
from pathlib import Path

import pytest

from nqosd.kube.client import KubeClient
from nqosd.kube.credentials import KubeOptions
from nqosd.runtime import backoff
from nqosd.status.condition_changes import Note
from nqosd.status.events import EventRecorder
from nqosd.status.writer import StatusWriter
from tests.faults.liar import WRITES, Answer, Liar
from tests.services.kubernetes import DAEMON, ApiServer
from tests.status.cluster import Cluster
from tests.status.conftest import Running
from tests.status.fakes import Counting, eventually
from tests.status.policies import verdict

LONGEST = 2.0
JITTER = 0.8
NOTE = Note("Applied", "Apply", "In force on network default.")


async def test_a_day_s_patience_is_some_seconds(
    crd_server: ApiServer, cluster: Cluster, running: Running, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A write that is refused for a day is tried again after the longest wait that is heeded, and not before."""
    monkeypatch.setattr(backoff, "LONGEST_WAIT", LONGEST)
    asked: defaultdict[str, list[float]] = defaultdict(list)
    token = tmp_path / "token"
    token.write_text(crd_server.tokens[DAEMON])
    with Liar(crd_server) as liar:
        liar.tell(partial(leave_alone, asked), WRITES)
        given = KubeOptions(server=liar.url, ca_file=str(crd_server.ca_file), token_file=str(token))
        async with KubeClient(given) as client:
            writer, recorder = StatusWriter(client, Counting()), EventRecorder(client, Counting(), instance="host")
            async with running(writer.run), running(recorder.run):
                writer.submit(cluster.create(), verdict())
                recorder.record(cluster.get(), NOTE)
                await eventually(lambda: len(asked) == 2 and all(len(times) > 1 for times in asked.values()), 60.0)
                liar.stop_lying()
                await eventually(lambda: bool(cluster.get().status.conditions and cluster.events()), 60.0)
    for path, (first, second, *_) in asked.items():
        assert second - first >= JITTER * LONGEST, path


def leave_alone(asked: defaultdict[str, list[float]], path: str) -> Answer:
    """Note when a path was asked for, and refuse for a day."""
    asked[path.partition("?")[0]].append(time.monotonic())
    return Answer(status=429, headers=(("Retry-After", "86400"),))
