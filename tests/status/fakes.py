"""Faults that a real API server doesn't show on demand, and observers that remember."""

import asyncio
import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence

from nqosd.api.networkqos import Condition, NetworkQoS
from nqosd.kube.client import KubeConnectionError, Response
from nqosd.status.summariser import Summed


async def eventually(holds: Callable[[], bool], seconds: float = 60.0) -> None:
    """Wait until something holds, at most so many seconds."""
    async with asyncio.timeout(seconds):
        while True:
            if holds():
                return
            await asyncio.sleep(0.02)


FakeBody = Mapping[str, object] | Sequence[object]
FakeAnswer = Response | Callable[[FakeBody], Response]


def patched(policy: NetworkQoS) -> FakeAnswer:
    """Answer a patch of a policy's status as an API server does: with the object that it is now."""
    metadata = {"namespace": policy.namespace, "name": policy.name, "uid": policy.uid, "generation": policy.generation}

    def answer(body: FakeBody) -> Response:
        assert isinstance(body, Sequence)
        operation = body[-1]
        assert isinstance(operation, Mapping)
        return Response(200, json.dumps({"metadata": metadata, "status": operation["value"]}).encode())

    return answer


class FakeClient:
    """Answers as it is told, first in, first out; without an answer it fails to connect. Remembers each request."""

    def __init__(self, *answers: FakeAnswer) -> None:
        self.answers = list(answers)
        self.requests: list[tuple[str, str, FakeBody]] = []
        self.hanging: set[str] = set()
        """Paths that never get an answer."""

    async def request(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: FakeBody | None = None,
        content_type: str = "application/json",
        timeout: float = 30.0,  # noqa: ASYNC109 - the signature of KubeClient
    ) -> Response:
        """Remember and answer."""
        assert method == "GET" or query is None or query["fieldManager"] == "nqosd"
        assert content_type.startswith("application/")
        self.requests.append((method, path, body or {}))
        if path in self.hanging:
            await asyncio.sleep(timeout)
            raise KubeConnectionError("no answer in time", silent=True)
        if not self.answers:
            raise KubeConnectionError("connection refused")
        answer = self.answers.pop(0)
        return answer if isinstance(answer, Response) else answer(body or {})


class Counting:
    """An observer of status writes, requests about Leases, and Events."""

    def __init__(self) -> None:
        self.results: Counter[str] = Counter()
        self.reports: Counter[str] = Counter()
        self.pending = 0
        self.sum: Summed | None = None

    def status_write(self, result: str) -> None:
        """Count."""
        self.results[result] += 1

    def status_pending(self, number: int) -> None:
        """Remember."""
        self.pending = number

    def zone_report(self, result: str) -> None:
        """Count."""
        self.reports[result] += 1

    def summed(self, summed: Summed | None) -> None:
        """Remember."""
        self.sum = summed

    def event(self, result: str) -> None:
        """Count."""
        self.results[result] += 1


class Heard:
    """A listener that remembers."""

    def __init__(self) -> None:
        self.conditions: list[tuple[str, str | None, str]] = []
        """Key of the policy, the old reason and the new one."""

    def __call__(self, policy: NetworkQoS, old: Condition | None, new: Condition) -> None:
        """Remember."""
        self.conditions.append((policy.key, old.reason if old else None, new.reason))
