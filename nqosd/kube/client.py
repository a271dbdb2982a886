"""The connection to the API server: requests and streams of bytes, with credentials that stay fresh.

In: paths, queries and JSON bodies. Out: status, bytes and Retry-After; a status is never an exception, a connection
that isn't made or breaks always is (`KubeConnectionError`). Authentication, TLS and transport are kubernetes-asyncio's;
its types don't leave this module. Rule: credentials that were replaced on disk are taken up without a restart: they are
read again each minute, after a 401 and after a lost connection; streams that run on the old ones are left alone.
After one connection has hung, no other one of its time is used again.
"""

import asyncio
import contextlib
import math
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Mapping, Sequence
from types import TracebackType
from typing import Self

import msgspec
import structlog

from nqosd.kube.credentials import DEFAULT_NAMESPACE, Credentials, KubeConfigError, KubeOptions, load_credentials
from nqosd.kube.transport import KubeConnectionError, Session, translated
from nqosd.runtime.backoff import bounded
from nqosd.runtime.http_library import aiohttp

__all__ = ["KubeClient", "KubeConnectionError", "Response", "Stream"]

UNAUTHORIZED = 401
FAILURES_BEFORE_REBUILD = 50
"""Lost connections in a row after which the TLS context is built anew, although no file of ours has changed: the
system's own certificate store may have."""

_log = structlog.get_logger()


class Response(msgspec.Struct, frozen=True):
    """A whole answer; `retry_after` is in seconds, bounded, and None if the server didn't say."""

    status: int
    body: bytes
    retry_after: float | None = None
    date: str = ""
    etag: str = ""


class Stream:
    """An answer that is still arriving."""

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self._response = response
        self.status = response.status
        self.retry_after = _retry_after(response)

    async def body(self) -> bytes:
        """Read the rest.

        Raises:
            KubeConnectionError: it broke, or nothing came in time.
        """
        with translated():
            return await self._response.read()

    async def chunks(self) -> AsyncGenerator[bytes]:
        """Give the bytes as they arrive, cut anywhere; ends when the server ends the answer properly.

        Raises:
            KubeConnectionError: it broke, or nothing came in time.
        """
        chunks = self._response.content.iter_any()
        while True:
            with translated():
                try:
                    chunk = await anext(chunks)
                except StopAsyncIteration:
                    return
            yield chunk


class KubeClient:
    """A client that many parts share; a context manager that closes its connections at the end."""

    def __init__(self, options: KubeOptions) -> None:
        self._options = options
        self._lock = asyncio.Lock()
        self._credentials: Credentials | None = None
        self._session: Session | None = None
        self._read_at = -math.inf
        self._hung: Session | None = None
        self._suspect = False
        self._failures = 0
        self._complaint = ""

    @property
    def server(self) -> str:
        """The address of the API server; empty before the first request."""
        return "" if self._credentials is None else str(self._credentials.configuration.host)

    async def request(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Mapping[str, object] | Sequence[object] | None = None,
        content_type: str = "application/json",
        headers: Mapping[str, str] | None = None,
        timeout: float = 30.0,  # noqa: ASYNC109 - aiohttp keeps it, and tells a slow server from a dead one
    ) -> Response:
        """Send a request with a JSON body, or none, and read the whole answer within `timeout` seconds.

        Raises:
            KubeConnectionError: there was no answer, or only a part of one.
            KubeConfigError: there are no credentials yet, and reading them failed.
        """
        limit = aiohttp.ClientTimeout(
            total=timeout, sock_connect=self._options.connect_timeout, sock_read=self._options.answer_timeout
        )
        described = {"Content-Type": content_type, **(headers or {})}
        async with self._open(method, path, query=query, limit=limit, body=body, headers=described) as response:
            with translated():
                date, etag = (response.headers.get(name, "") for name in ("Date", "ETag"))
                return Response(response.status, await response.read(), _retry_after(response), date, etag)

    @contextlib.asynccontextmanager
    async def stream(
        self,
        path: str,
        *,
        query: Mapping[str, str],
        accept: str = "application/json",
        limit: float,
        silence: float | None = None,
    ) -> AsyncIterator[Stream]:
        """GET an answer that arrives bit by bit.

        It counts as broken if it hasn't ended `limit` seconds after it began, or if nothing came for `silence` seconds.

        Raises:
            KubeConnectionError: there was no answer, or it didn't end in time.
            KubeConfigError: there are no credentials yet, and reading them failed.
        """
        times = aiohttp.ClientTimeout(total=None, sock_connect=self._options.connect_timeout, sock_read=silence)
        form, seconds = {"Accept": accept}, self._options.answer_timeout
        async with self._open("GET", path, query=query, limit=times, headers=form, seconds=seconds) as response:
            try:
                async with asyncio.timeout(limit):
                    yield Stream(response)
            except TimeoutError as error:
                raise KubeConnectionError(f"not ended {limit:g} s after it began", silent=True) from error
            finally:
                _abandon(response)

    async def namespace(self) -> str:
        """Say which namespace the credentials are for, where a kubeconfig says so; else `default`.

        Raises:
            KubeConfigError: there are no credentials yet, and reading them failed.
        """
        await self._fresh_session()
        return DEFAULT_NAMESPACE if self._credentials is None else self._credentials.namespace

    async def close(self) -> None:
        """Close all connections."""
        session, self._session = self._session, None
        if session is not None:
            await session.retire()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    @contextlib.asynccontextmanager
    async def _open(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None,
        limit: aiohttp.ClientTimeout,
        body: Mapping[str, object] | Sequence[object] | None = None,
        headers: Mapping[str, str] | None = None,
        seconds: float | None = None,
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        session = await self._fresh_session()
        try:
            async with session.borrowed() as api:
                call = api.call_api(
                    path,
                    method,
                    query_params=list((query or {}).items()),
                    header_params={"Accept": "application/json", "Content-Type": "application/json", **(headers or {})},
                    body=dict(body) if isinstance(body, Mapping) else body,
                    auth_settings=["BearerToken"],
                    _preload_content=False,
                    _request_timeout=limit,
                )
                response = await self._answer_to(call, seconds)
                async with response:
                    yield response
        except KubeConnectionError as error:
            if error.silent:
                self._hung = session
            raise

    async def _answer_to(
        self, call: Awaitable[aiohttp.ClientResponse], seconds: float | None
    ) -> aiohttp.ClientResponse:
        """Wait for the head of the answer to a request."""
        try:
            with translated():
                async with asyncio.timeout(seconds):
                    response = await call
        except KubeConnectionError:
            self._suspect = True
            self._failures += 1
            raise
        self._failures = 0
        self._suspect |= response.status == UNAUTHORIZED
        return response

    async def _fresh_session(self) -> Session:
        async with self._lock:
            session, credentials = self._session, self._credentials
            age = time.monotonic() - self._read_at
            if session is None or credentials is None:
                session = await self._rebuild(await load_credentials(self._options))
            elif session is self._hung:  # its other connections, kept for later requests, hang as well
                session = await self._rebuild(credentials)
            elif age >= (credentials.min_age if self._suspect else credentials.max_age):
                session = await self._refresh(session, credentials)
            return session

    async def _refresh(self, session: Session, old: Credentials) -> Session:
        self._read_at = time.monotonic()
        try:
            new = await load_credentials(self._options)
            if new.endpoint() != session.endpoint or self._failures >= FAILURES_BEFORE_REBUILD:
                session = await self._rebuild(new)
                _log.info("connecting anew to the API server", failures=self._failures)
                self._failures = 0
        except KubeConfigError as error:  # a file may be in the middle of being replaced
            if str(error) != self._complaint:
                _log.warning("credentials can't be read again, the old ones stay in use", error=str(error))
            self._complaint = str(error)
            return session
        self._complaint = ""
        self._accept(new)
        if new.token != old.token:
            session.api.configuration.api_key = dict(new.configuration.api_key)
        return session

    async def _rebuild(self, credentials: Credentials) -> Session:
        old, self._session = self._session, Session(credentials)
        self._accept(credentials)
        if old is not None:
            await old.retire()
        return self._session

    def _accept(self, credentials: Credentials) -> None:
        self._credentials = credentials
        self._read_at = time.monotonic()
        self._suspect = False


def _retry_after(response: aiohttp.ClientResponse) -> float | None:
    text = response.headers.get("Retry-After", "")
    return bounded(float(text)) if text.isdecimal() else None


def _abandon(response: aiohttp.ClientResponse) -> None:
    """Drop the connection of a stream that hasn't ended: TLS would wait half a minute for the other side's goodbye."""
    if response.connection is not None and response.connection.transport is not None:
        response.connection.transport.abort()
