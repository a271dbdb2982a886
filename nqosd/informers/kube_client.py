"""The connection to the API server: requests and streams of bytes, with credentials that stay fresh.

In: paths, queries and JSON bodies. Out: status, bytes and Retry-After; a status is never an exception, a connection
that isn't made or breaks always is (`KubeConnectionError`). Authentication, TLS and transport are kubernetes-asyncio's;
its types don't leave this module. Rule: credentials that were replaced on disk are taken up without a restart: they are
read again each minute, after a 401 and after a lost connection; streams that run on the old ones are left alone.
"""

import asyncio
import contextlib
import math
import socket
import time
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from types import TracebackType
from typing import Self

import aiohttp
import attrs
import structlog

from nqosd.informers.kube_credentials import Credentials, KubeConfigError, KubeOptions, load_credentials
from nqosd.informers.kube_session import KubeConnectionError, Session, translated

__all__ = ["KubeClient", "KubeConnectionError", "Response", "Stream"]

UNAUTHORIZED = 401
FAILURES_BEFORE_REBUILD = 50
"""Lost connections in a row after which the TLS context is built anew, although no file of ours has changed: the
system's own certificate store may have."""
KEEPALIVE = {socket.TCP_KEEPIDLE: 15, socket.TCP_KEEPINTVL: 5, socket.TCP_KEEPCNT: 3}
"""Seconds and probes after which the kernel gives up a stream whose server has vanished without a word."""

_log = structlog.get_logger()


@attrs.frozen
class Response:
    """A whole answer; `retry_after` is in seconds, None if the server didn't say."""

    status: int
    body: bytes
    retry_after: float | None = None


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
        self._suspect = False
        self._failures = 0
        self._complaint = ""

    async def request(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Mapping[str, object] | None = None,
        content_type: str = "application/json",
        timeout: float = 30.0,  # noqa: ASYNC109 - aiohttp keeps it, and tells a slow server from a dead one
    ) -> Response:
        """Send a request with a JSON body, or none, and read the whole answer within `timeout` seconds.

        Raises:
            KubeConnectionError: there was no answer, or only a part of one.
            KubeConfigError: there are no credentials yet, and reading them failed.
        """
        limit = aiohttp.ClientTimeout(total=timeout, sock_connect=self._options.connect_timeout)
        async with self._open(method, path, query=query, limit=limit, body=body, content_type=content_type) as response:
            with translated():
                return Response(response.status, await response.read(), _retry_after(response))

    @contextlib.asynccontextmanager
    async def stream(self, path: str, *, query: Mapping[str, str], silence: float) -> AsyncIterator[Stream]:
        """GET an answer that may never end; it counts as broken when nothing arrives for `silence` seconds.

        Raises:
            KubeConnectionError: there was no answer.
            KubeConfigError: there are no credentials yet, and reading them failed.
        """
        limit = aiohttp.ClientTimeout(total=None, sock_connect=self._options.connect_timeout, sock_read=silence)
        async with self._open("GET", path, query=query, limit=limit, patience=self._options.answer_timeout) as response:
            _keep_alive(response)
            try:
                yield Stream(response)
            finally:
                _abandon(response)

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
        body: Mapping[str, object] | None = None,
        content_type: str = "application/json",
        patience: float | None = None,
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        async with (await self._fresh_session()).borrowed() as api:
            try:
                with translated():
                    async with asyncio.timeout(patience):
                        response: aiohttp.ClientResponse = await api.call_api(
                            path,
                            method,
                            query_params=list((query or {}).items()),
                            header_params={"Accept": "application/json", "Content-Type": content_type},
                            body=None if body is None else dict(body),
                            auth_settings=["BearerToken"],
                            _preload_content=False,
                            _request_timeout=limit,
                        )
            except KubeConnectionError:
                self._suspect = True
                self._failures += 1
                raise
            self._failures = 0
            self._suspect |= response.status == UNAUTHORIZED
            async with response:
                yield response

    async def _fresh_session(self) -> Session:
        async with self._lock:
            session, credentials = self._session, self._credentials
            age = time.monotonic() - self._read_at
            if session is None or credentials is None:
                session = await self._rebuild(await load_credentials(self._options))
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
    return float(text) if text.isdecimal() else None


def _keep_alive(response: aiohttp.ClientResponse) -> None:
    """Turn on TCP keepalive for a stream that may be silent for minutes; nothing if it has already ended."""
    transport = _transport(response)
    connection = transport.get_extra_info("socket") if transport is not None else None
    if connection is not None:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for option, value in KEEPALIVE.items():
            connection.setsockopt(socket.IPPROTO_TCP, option, value)


def _abandon(response: aiohttp.ClientResponse) -> None:
    """Drop the connection of a stream that hasn't ended: TLS would wait half a minute for the other side's goodbye."""
    transport = _transport(response)
    if transport is not None:
        transport.abort()


def _transport(response: aiohttp.ClientResponse) -> asyncio.Transport | None:
    return response.connection.transport if response.connection is not None else None
