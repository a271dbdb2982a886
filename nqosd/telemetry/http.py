"""The HTTP server: /metrics for Prometheus, /healthz and /readyz for probes, / and /state/… for people and `nqosd get`.

In: a registry of metrics, the health, and the daemon's state; `nqosd stats` has none to show. Out: answers. Rule: a
request changes nothing, and what it costs is taken from the loop in small pieces: texts are written out in a thread.
"""

import asyncio
import json
import ssl
from collections.abc import Mapping, Sequence

import attrs
from aiohttp import web
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest

from nqosd.telemetry.access import Access
from nqosd.telemetry.health import Health
from nqosd.telemetry.page import POLICY, page
from nqosd.telemetry.state import StateSource

SHUTDOWN_TIMEOUT = 2.0
"""Seconds that requests in progress may take when the server stops."""


@attrs.frozen
class HttpOptions:
    """Where to listen and how to protect it; empty paths mean no TLS, and no token (see `access`)."""

    host: str = "127.0.0.1"
    port: int = 0
    certificate: str = ""
    private_key: str = ""
    bearer_token_file: str = ""


class HttpServer:
    """The server; between `start` and `stop` it answers."""

    def __init__(
        self, options: HttpOptions, registry: CollectorRegistry, health: Health, state: StateSource | None
    ) -> None:
        self._options = options
        self._access = Access(options.bearer_token_file)
        self._state = state
        self._registry = registry
        self._health = health
        self._tls: ssl.SSLContext | None = None
        self._runner: web.AppRunner | None = None

    @property
    def url(self) -> str:
        """The server's address, with the port that it really has."""
        addresses = self._runner.addresses if self._runner else []
        host, port = addresses[0][:2]
        return f"{'https' if self._tls else 'http'}://{f'[{host}]' if ':' in host else host}:{port}"

    async def start(self) -> None:
        """Begin to listen.

        Raises:
            OSError: the address is taken or isn't this machine's, or the certificate can't be used.
        """
        options = self._options
        if options.certificate:
            self._tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
            self._tls.minimum_version = ssl.TLSVersion.TLSv1_2
            self.reload_certificate()
        application = web.Application()
        if self._state is not None:
            shown = _StatePages(self._state, self._access)
            application.router.add_get("/", shown.page)
            application.router.add_get("/state/{what}", shown.part)
        application.router.add_get("/metrics", self._metrics)
        application.router.add_get("/healthz", self._healthz)
        application.router.add_get("/readyz", self._readyz)
        application.on_response_prepare.append(_add_headers)
        self._runner = web.AppRunner(application, access_log=None, shutdown_timeout=SHUTDOWN_TIMEOUT)
        await self._runner.setup()
        try:
            await web.TCPSite(self._runner, options.host, options.port, ssl_context=self._tls).start()
        except OSError:
            await self.stop()
            raise

    async def stop(self) -> None:
        """Close all connections and the port."""
        runner, self._runner = self._runner, None
        if runner is not None:
            await runner.cleanup()

    def reload_certificate(self) -> None:
        """Read the certificate and its key again, for connections from now on; nothing without TLS.

        Raises:
            OSError: a file can't be read, or key and certificate don't belong together (`ssl.SSLError`). The old ones
                stay in use.
        """
        if self._tls is not None:
            files = self._options.certificate, self._options.private_key
            # on a context of its own first: a pair that is refused half-way would leave the one in use with no pair
            ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(*files)
            self._tls.load_cert_chain(*files)

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
        return _answer(ok=state.ready, body=body)


@attrs.frozen
class _StatePages:
    """The answers that show the state."""

    _state: StateSource
    _access: Access

    async def page(self, request: web.Request) -> web.Response:
        """Answer /."""
        if (refusal := await self._access.refuse_state(request, browser=True)) is not None:
            return refusal
        statistics = await self._state.statistics()
        policies, rows = await self._state.policies(), await self._state.rows()
        text = await asyncio.to_thread(page, self._state.overview(), policies, rows, statistics)
        headers = {"Content-Security-Policy": POLICY, "Referrer-Policy": "no-referrer"}
        return web.Response(text=text, content_type="text/html", headers=headers)

    async def part(self, request: web.Request) -> web.Response:
        """Answer /state/…."""
        if (refusal := await self._access.refuse_state(request)) is not None:
            return refusal
        found: object
        match request.match_info["what"]:
            case "overview":
                found = attrs.asdict(self._state.overview())
            case "policies":
                found = await asyncio.to_thread(_plain, await self._state.policies())
            case "selections":
                found = await asyncio.to_thread(_plain, await self._state.selections())
            case "rows":
                found = await asyncio.to_thread(_plain, await self._state.rows())
            case "networks":
                found = await asyncio.to_thread(_plain, await self._state.networks())
            case _:
                raise web.HTTPNotFound
        text = await asyncio.to_thread(json.dumps, found)
        response = web.Response(text=text, content_type="application/json")
        response.enable_compression()
        return response


def _plain(entries: Sequence[attrs.AttrsInstance]) -> list[dict[str, object]]:
    return [attrs.asdict(each) for each in entries]


def _answer(*, ok: bool, body: Mapping[str, object]) -> web.Response:
    return web.json_response(body, status=200 if ok else 503)


async def _add_headers(_request: web.Request, response: web.StreamResponse) -> None:
    response.headers["Server"] = "nqosd"
    response.headers["Cache-Control"] = "no-store"
    response.headers["X-Content-Type-Options"] = "nosniff"
