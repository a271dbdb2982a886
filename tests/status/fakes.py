"""Faults that a real API server doesn't show on demand, and observers that remember."""

import asyncio
import json
from collections import Counter
from collections.abc import Callable, Mapping

from nqosd.api.networkqos import Condition, NetworkQoS
from nqosd.kube.client import KubeConnectionError, Response


async def eventually(holds: Callable[[], bool], seconds: float = 20.0) -> None:
    """Wait until something holds, at most so many seconds."""
    async with asyncio.timeout(seconds):
        while True:
            if holds():
                return
            await asyncio.sleep(0.02)


FakeAnswer = Response | Callable[[Mapping[str, object]], Response]


def applied(policy: NetworkQoS) -> FakeAnswer:
    """Answer an apply to a policy's status as an API server does: with the object that it is now."""
    metadata = {"namespace": policy.namespace, "name": policy.name, "uid": policy.uid, "generation": policy.generation}
    return lambda body: Response(200, json.dumps({"metadata": metadata, "status": body["status"]}).encode())


class FakeClient:
    """Answers as it is told, first in, first out; without an answer it fails to connect. Remembers each request."""

    def __init__(self, *answers: FakeAnswer) -> None:
        self.answers = list(answers)
        self.requests: list[tuple[str, str, Mapping[str, object]]] = []
        self.hanging: set[str] = set()
        """Paths that never get an answer."""

    async def request(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Mapping[str, object] | None = None,
        content_type: str = "application/json",
        timeout: float = 30.0,  # noqa: ASYNC109 - the signature of KubeClient
    ) -> Response:
        """Remember and answer."""
        assert query is None or query["force"] == "true"
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
    """An observer of status writes and Events."""

    def __init__(self) -> None:
        self.results: Counter[str] = Counter()
        self.pending = 0

    def status_write(self, result: str) -> None:
        """Count."""
        self.results[result] += 1

    def status_pending(self, number: int) -> None:
        """Remember."""
        self.pending = number

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
