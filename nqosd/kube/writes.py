"""Writing to the API server without ever failing: each request ends in an `Answer`, and refusals are logged once.

In: a request. Out: what became of it. Rule: what is said about a refusal is said at the first one of its reason, and
again only after something has been accepted in between.
"""

from collections.abc import Mapping, Sequence
from typing import Protocol

import msgspec
import structlog

from nqosd.api.decoding.envelopes import decode_failure
from nqosd.api.decoding.metadata import DecodeError
from nqosd.kube.client import KubeConnectionError, Response
from nqosd.kube.credentials import KubeConfigError

_log = structlog.get_logger()

TIMEOUT = 10.0
"""Seconds that the API server may take for an answer."""
NO_ANSWER = 0
NOT_FOUND = 404
FORBIDDEN = 403
CONFLICT = 409
UNPROCESSABLE = 422
TOO_MANY_REQUESTS = 429
SERVER_ERROR = 500
_SUCCESS = range(200, 300)


class ApiClient(Protocol):
    """What is needed of a `KubeClient`."""

    async def request(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Mapping[str, object] | Sequence[object] | None = None,
        content_type: str = "application/json",
        timeout: float = 30.0,  # noqa: ASYNC109 - the signature of KubeClient
    ) -> Response:
        """Send a request and read the whole answer."""


class Answer(msgspec.Struct, frozen=True):
    """What became of a request: an HTTP status (0: no answer), the reason and message of a refusal, or the body.

    `retry_after` is what the server asked for, in seconds.
    """

    status: int
    reason: str = ""
    message: str = ""
    body: bytes = b""
    retry_after: float | None = None

    @property
    def accepted(self) -> bool:
        """Say whether it was done."""
        return self.status in _SUCCESS

    @property
    def may_pass(self) -> bool:
        """Say whether the same request may succeed later, without anybody changing a permission or the object."""
        return self.status in (NO_ANSWER, TOO_MANY_REQUESTS) or self.status >= SERVER_ERROR


async def send(
    client: ApiClient,
    method: str,
    path: str,
    body: Mapping[str, object] | Sequence[object] | None = None,
    *,
    query: Mapping[str, str] | None = None,
    content_type: str = "application/json",
) -> Answer:
    """Send a request; whatever happens is the answer."""
    try:
        response = await client.request(
            method, path, query=query, body=body, content_type=content_type, timeout=TIMEOUT
        )
    except (KubeConnectionError, KubeConfigError) as error:
        return Answer(NO_ANSWER, "NoAnswer", str(error))
    if response.status in _SUCCESS:
        return Answer(response.status, body=response.body)
    try:
        failure = decode_failure(response.body)
        reason, message = failure.reason, failure.message
    except DecodeError:  # a proxy, for one, doesn't answer in the API's own form
        reason, message = "", response.body[:200].decode(errors="replace")
    return Answer(response.status, reason or f"HTTP {response.status}", message, retry_after=response.retry_after)


class Complaints:
    """Logs refusals of one kind of write, each reason once; `what` names the kind, such as "a status"."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._said: set[str] = set()

    def refused(self, answer: Answer, about: str) -> None:
        """Take note of a refusal of what was to be written about an object."""
        if answer.reason not in self._said:
            self._said.add(answer.reason)
            _log.warning(
                f"{self._what} can't be written; further refusals for this reason are not logged",
                about=about,
                reason=answer.reason,
                message=answer.message,
            )

    def accepted(self) -> None:
        """Take note that a write was done."""
        if self._said:
            _log.info(f"{self._what} can be written again", after=sorted(self._said))
            self._said.clear()
