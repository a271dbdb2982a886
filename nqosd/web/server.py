"""The HTTP server: /metrics for Prometheus, /healthz and /readyz for probes, / and /state/… for people and `nqosd get`.

In: a registry of metrics, the health, and the daemon's state; `nqosd stats` has none to show. Out: answers, one for
each connection. Rules: a request changes nothing, and what it costs is taken from the loop in small pieces: texts are
written out in a thread. The daemon works without its port, and the port is opened as soon as that can be.
"""

import asyncio
import contextlib
import logging
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping

import structlog
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest

from nqosd.telemetry.health import Health
from nqosd.web.access import Access
from nqosd.web.connections import Connections
from nqosd.web.listener import HttpOptions, bind, close_all, tls_context
from nqosd.web.server_library import HttpProcessingError, web
from nqosd.web.state_pages import StatePages
from nqosd.web.views import StateSource

__all__ = ["HttpOptions", "HttpServer"]

SHUTDOWN_TIMEOUT = 2.0
"""Seconds that requests in progress may take when the server stops."""
LINGERING = 1.0
"""Seconds for which the body of a request that has its answer is still read."""
RETRY = 2.0
"""Seconds between two attempts to open the port or to load the certificate."""

_log = structlog.get_logger()


class HttpServer:
    """The server; between `start` and `stop` it answers. `tell` takes what is wrong with it, "" when all is well."""

    def __init__(
        self,
        options: HttpOptions,
        registry: CollectorRegistry,
        health: Health,
        state: StateSource | None,
        tell: Callable[[str], None] = lambda _why: None,
    ) -> None:
        self._options = options
        self._access = Access(options.bearer_token_file)
        self._state = state
        self._registry = registry
        self._health = health
        self._tell = tell
        self._renewal = asyncio.Event()
        self._runner: web.AppRunner | None = None
        self._connections: Connections | None = None

    @property
    def url(self) -> str:
        """The server's address, with the port that it really has."""
        assert self._connections is not None  # noqa: S101 - there is none before `start`
        host, port = self._connections.addresses[0]
        scheme = "https" if self._options.certificate else "http"
        return f"{scheme}://{f'[{host}]' if ':' in host else host}:{port}"

    @contextlib.asynccontextmanager
    async def serving(self) -> AsyncIterator[None]:
        """Serve meanwhile; what is in the way is told, and tried again."""
        task = asyncio.create_task(self._run(), name="http")
        self._health.supervise("http", task)
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _run(self) -> None:
        try:
            await self._until_done(self.start)
            _log.info("serving HTTP", url=self.url)
            while True:
                await self._renewal.wait()
                self._renewal.clear()
                await self._until_done(self.load_certificate)
        finally:
            await self.stop()

    def renew_certificate(self) -> None:
        """Read the certificate and its key again, for new connections; the old ones serve until that succeeds."""
        self._renewal.set()

    async def start(self) -> None:
        """Begin to listen.

        Raises:
            OSError: the address is taken or isn't this machine's, or the certificate can't be used.
        """
        listeners = await bind(self._options)
        try:
            context = await self._context()
        except BaseException:
            close_all(listeners)
            raise
        self._runner = web.AppRunner(
            self._application(),
            access_log=None,
            logger=_logger(),
            shutdown_timeout=SHUTDOWN_TIMEOUT,
            lingering_time=LINGERING,
            auto_decompress=False,
        )
        await self._runner.setup()
        assert self._runner.server is not None  # noqa: S101 - `setup` has made it
        self._connections = Connections(self._runner.server)
        self._connections.tls = context
        self._connections.listen(listeners)

    async def stop(self) -> None:
        """Close all connections and the port."""
        runner, self._runner = self._runner, None
        if runner is not None and self._connections is not None:
            await self._connections.deafen()
            await runner.cleanup()
            await self._connections.close()

    async def load_certificate(self) -> None:
        """Read the certificate and its key, for connections from now on.

        Raises:
            OSError: one can't be read, or they don't belong together. The old ones stay in use.
        """
        if self._connections is not None:
            self._connections.tls = await self._context()

    async def _until_done(self, step: Callable[[], Awaitable[None]]) -> None:
        told = ""
        while True:
            try:
                await step()
            except OSError as error:
                why = str(error)
            else:
                self._tell("")
                return
            if why != told:
                _log.error("HTTP isn't served as it should be, trying again", why=why, every=RETRY)
                self._tell(why)
                told = why
            await asyncio.sleep(RETRY)

    async def _context(self) -> ssl.SSLContext | None:
        return await asyncio.to_thread(tls_context, self._options) if self._options.certificate else None

    def _application(self) -> web.Application:
        application = web.Application(middlewares=[self._note])
        if self._state is not None:
            shown = StatePages(self._state, self._access)
            application.router.add_get("/", shown.page)
            application.router.add_get("/policy/{namespace}/{name}", shown.policy)
            application.router.add_get("/state/policy/{namespace}/{name}", shown.policy_part)
            application.router.add_get("/state/database", shown.database)
            application.router.add_get("/state/{what}", shown.part)
        application.router.add_get("/metrics", self._metrics)
        application.router.add_get("/healthz", self._healthz)
        application.router.add_get("/readyz", self._readyz)
        application.on_response_prepare.append(_finish)
        return application

    @web.middleware
    async def _note(
        self, request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        if self._connections is not None:
            self._connections.asked(request.protocol)
        return await handler(request)

    async def _metrics(self, request: web.Request) -> web.Response:
        if (refusal := await self._access.refuse_metrics(request)) is not None:
            return refusal
        body = await asyncio.to_thread(generate_latest, self._registry)
        response = web.Response(body=body, headers={"Content-Type": CONTENT_TYPE_PLAIN_0_0_4})
        response.enable_compression()
        return response

    async def _healthz(self, _request: web.Request) -> web.Response:
        problems = self._health.problems()
        return _answer(ok=not problems, body={"healthy": not problems, "problems": list(problems)})

    async def _readyz(self, _request: web.Request) -> web.Response:
        state = self._health.readiness()
        body = {"ready": state.ready, "role": state.role.value, "waiting_for": dict(state.waiting_for)}
        if state.notes:
            body["notes"] = dict(state.notes)
        return _answer(ok=state.ready, body=body)


def _answer(*, ok: bool, body: Mapping[str, object]) -> web.Response:
    return web.json_response(body, status=200 if ok else 503)


async def _finish(_request: web.Request, response: web.StreamResponse) -> None:
    response.headers["Server"] = "nqosd"
    response.headers["Cache-Control"] = "no-store"
    response.headers["X-Content-Type-Options"] = "nosniff"
    # a connection has one question, so that its time can be limited as a whole; too late for aiohttp to say so itself
    response.headers["Connection"] = "close"
    response.force_close()


def _logger() -> logging.Logger:
    """Give aiohttp a log in which what clients send by mistake doesn't appear."""
    logger = logging.getLogger("nqosd.http")
    logger.filters = [lambda record: not (record.exc_info and isinstance(record.exc_info[1], HttpProcessingError))]
    return logger
