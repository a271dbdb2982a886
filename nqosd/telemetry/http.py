"""The HTTP server: /metrics for Prometheus, /healthz and /readyz for probes, all on one port.

In: a registry of metrics and the daemon's health. Out: answers. Rule: a request changes nothing, and what it costs is
taken from the loop in small pieces only: metrics are written out in a thread.
"""

import asyncio
import hmac
import ssl
from collections.abc import Mapping
from pathlib import Path

import attrs
import structlog
from aiohttp import web
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest

from nqosd.telemetry.health import Health

_log = structlog.get_logger()

INDEX = """<!doctype html>
<title>nqosd</title>
<h1>nqosd</h1>
<ul>
<li><a href="/metrics">/metrics</a>: for Prometheus
<li><a href="/healthz">/healthz</a>: 200 while the daemon lives, 503 with reasons if it should be restarted
<li><a href="/readyz">/readyz</a>: 200 once it does its work, as the active one or as a standby; 503 with reasons before
</ul>
"""
SHUTDOWN_TIMEOUT = 2.0
"""Seconds that requests in progress may take when the server stops."""


@attrs.frozen
class HttpOptions:
    """Where to listen and how to protect it; empty paths mean no TLS, and no token for /metrics."""

    host: str = "127.0.0.1"
    port: int = 0
    certificate: str = ""
    private_key: str = ""
    bearer_token_file: str = ""


class HttpServer:
    """The server; between `start` and `stop` it answers."""

    def __init__(self, options: HttpOptions, registry: CollectorRegistry, health: Health) -> None:
        self._options = options
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
        application.router.add_get("/", self._index)
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

    async def _index(self, _request: web.Request) -> web.Response:
        return web.Response(text=INDEX, content_type="text/html")

    async def _metrics(self, request: web.Request) -> web.Response:
        if self._options.bearer_token_file and not await self._has_token(request):
            return web.Response(
                status=401, headers={"WWW-Authenticate": "Bearer"}, text="the token is missing or wrong\n"
            )
        body = await asyncio.to_thread(generate_latest, self._registry)
        response = web.Response(body=body, headers={"Content-Type": CONTENT_TYPE_PLAIN_0_0_4})
        response.enable_compression()
        return response

    async def _has_token(self, request: web.Request) -> bool:
        try:
            token = await asyncio.to_thread(Path(self._options.bearer_token_file).read_bytes)
        except OSError as error:
            _log.error("/metrics is refused, the token can't be read", file=error.filename, error=error.strerror)
            return False
        scheme, _, given = request.headers.get("Authorization", "").partition(" ")
        known = token.strip()
        return scheme.lower() == "bearer" and bool(known) and hmac.compare_digest(given.strip().encode(), known)

    async def _healthz(self, _request: web.Request) -> web.Response:
        problems = self._health.problems()
        return _answer(ok=not problems, body={"healthy": not problems, "problems": list(problems)})

    async def _readyz(self, _request: web.Request) -> web.Response:
        state = self._health.readiness()
        body = {"ready": state.ready, "role": state.role.value, "waiting_for": dict(state.waiting_for)}
        return _answer(ok=state.ready, body=body)


def _answer(*, ok: bool, body: Mapping[str, object]) -> web.Response:
    return web.json_response(body, status=200 if ok else 503)


async def _add_headers(_request: web.Request, response: web.StreamResponse) -> None:
    response.headers["Server"] = "nqosd"
    response.headers["Cache-Control"] = "no-store"
    response.headers["X-Content-Type-Options"] = "nosniff"
