"""The HTTP server, asked by a real client over real sockets."""

import asyncio
import contextlib
import ssl
import threading
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import Collector

from nqosd.telemetry.health import Role
from nqosd.telemetry.http import HttpOptions, HttpServer
from tests.services.tls import Authority
from tests.telemetry.serving import make_server


@pytest.fixture
async def client() -> AsyncIterator[aiohttp.ClientSession]:
    """Give a client without cookies, proxies or retries."""
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=10)) as session:
        yield session


@contextlib.asynccontextmanager
async def serving(options: HttpOptions) -> AsyncIterator[HttpServer]:
    """Run a server for as long as the context lasts."""
    server = make_server(options)
    await server.start()
    try:
        yield server
    finally:
        await server.stop()


@pytest.fixture(name="server")
async def _server() -> AsyncIterator[HttpServer]:
    """Give a plain server on a free port, with a health that a test may change through `server._health`."""
    async with serving(HttpOptions()) as server:
        yield server


async def test_metrics_are_prometheus_text(server: HttpServer, client: aiohttp.ClientSession) -> None:
    """/metrics has the content type of the text format and parses as it, with the build among the series."""
    async with client.get(f"{server.url}/metrics") as answer:
        assert answer.status == 200
        assert answer.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
        families = {family.name for family in text_string_to_metric_families(await answer.text())}
    assert {"nqosd_build_info", "nqosd_rounds", "process_cpu_seconds"} <= families


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
async def test_metrics_can_be_compressed(server: HttpServer, client: aiohttp.ClientSession, encoding: str) -> None:
    """A client that accepts compression gets it, and the same text."""
    async with client.get(f"{server.url}/metrics", headers={"Accept-Encoding": encoding}) as answer:
        assert answer.headers["Content-Encoding"] == encoding
        assert "nqosd_build_info" in await answer.text()
    async with client.get(f"{server.url}/metrics", headers={"Accept-Encoding": "identity"}) as answer:
        assert "Content-Encoding" not in answer.headers


async def test_healthz_says_why_not(server: HttpServer, client: aiohttp.ClientSession) -> None:
    """/healthz is 200 while the daemon lives, and 503 with the reasons once a task of it has ended."""
    async with client.get(f"{server.url}/healthz") as answer:
        assert (answer.status, await answer.json()) == (200, {"healthy": True, "problems": []})
    ended = asyncio.create_task(asyncio.sleep(0))
    await ended
    server._health.supervise("rounds", ended)
    async with client.get(f"{server.url}/healthz") as answer:
        assert (answer.status, await answer.json()) == (
            503,
            {"healthy": False, "problems": ["the task rounds has ended"]},
        )


async def test_readyz_says_what_is_awaited_and_which_role(server: HttpServer, client: aiohttp.ClientSession) -> None:
    """/readyz is 503 with a reason for each missing part, and 200 with the role when none is missing."""
    server._health.wait_for("northbound", "not connected")
    async with client.get(f"{server.url}/readyz") as answer:
        assert answer.status == 503
        assert await answer.json() == {
            "ready": False,
            "role": "unknown",
            "waiting_for": {"northbound": "not connected"},
        }
    server._health.has("northbound")
    server._health.role = Role.STANDBY
    async with client.get(f"{server.url}/readyz") as answer:
        assert (answer.status, await answer.json()) == (200, {"ready": True, "role": "standby", "waiting_for": {}})


async def test_the_index_leads_to_the_rest(server: HttpServer, client: aiohttp.ClientSession) -> None:
    """The root names each page; headers tell neither interpreter nor library, and forbid caching and scripts."""
    async with client.get(server.url) as answer:
        text = await answer.text()
        assert answer.status == 200
        assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'; ")
        assert all(path in text for path in ("/metrics", "/healthz", "/readyz"))
        assert answer.headers["Server"] == "nqosd"
        assert answer.headers["Cache-Control"] == "no-store"


async def test_nothing_else_is_served(server: HttpServer, client: aiohttp.ClientSession) -> None:
    """Other paths are not found, and nothing can be changed."""
    async with client.get(f"{server.url}/debug") as answer:
        assert answer.status == 404
    async with client.post(f"{server.url}/metrics") as answer:
        assert answer.status == 405
    async with client.head(f"{server.url}/healthz") as answer:
        assert answer.status == 200


async def test_the_port_is_free_again(client: aiohttp.ClientSession) -> None:
    """After `stop` nobody answers, the port can be taken again, and stopping twice is no error."""
    server = make_server(HttpOptions())
    await server.start()
    url = server.url
    async with client.get(f"{url}/healthz") as answer:
        assert answer.status == 200
    await server.stop()
    await server.stop()
    with pytest.raises(aiohttp.ClientConnectionError):
        await client.get(f"{url}/healthz")
    async with serving(HttpOptions(port=int(url.rpartition(":")[2]))) as again:
        assert again.url == url


async def test_a_taken_port_is_an_error(server: HttpServer) -> None:
    """A second server on the same port fails to start, and leaves nothing behind."""
    second = make_server(HttpOptions(port=int(server.url.rpartition(":")[2])))
    with pytest.raises(OSError, match="address already in use"):
        await second.start()


async def test_ipv6_loopback(client: aiohttp.ClientSession) -> None:
    """An IPv6 address is served, and stands in brackets in the address."""
    async with serving(HttpOptions(host="::1")) as server:
        assert server.url.startswith("http://[::1]:")
        async with client.get(f"{server.url}/healthz") as answer:
            assert answer.status == 200


async def test_a_token_protects_metrics(client: aiohttp.ClientSession, tmp_path: Path) -> None:
    """With a token file, /metrics wants exactly that token, probes want none, and a new token counts at once."""
    file = tmp_path / "token"
    file.write_text("correct\n")

    async def status(path: str, authorization: str | None = None) -> int:
        headers = {} if authorization is None else {"Authorization": authorization}
        async with client.get(f"{server.url}{path}", headers=headers) as answer:
            if answer.status == 401:
                assert answer.headers["WWW-Authenticate"] == "Bearer"
                assert "correct" not in await answer.text()
            return answer.status

    async with serving(HttpOptions(bearer_token_file=str(file))) as server:
        assert await status("/metrics") == 401
        assert await status("/metrics", "Bearer wrong") == 401
        assert await status("/metrics", "Bearer") == 401
        assert await status("/metrics", "Basic correct") == 401
        assert await status("/metrics", "Bearer correct") == 200
        assert await status("/metrics", "bearer correct") == 200
        assert await status("/healthz") == 200
        assert await status("/readyz") == 200
        file.write_text("new")
        assert await status("/metrics", "Bearer correct") == 401
        assert await status("/metrics", "Bearer new") == 200
        file.write_text("\n")
        assert await status("/metrics", "Bearer ") == 401
        file.unlink()
        assert await status("/metrics", "Bearer new") == 401


async def test_tls_and_a_rotated_certificate(client: aiohttp.ClientSession, tmp_path: Path) -> None:
    """With a certificate the server speaks TLS only; a reload uses the new files for new connections."""
    old, new = Authority(tmp_path / "old"), Authority(tmp_path / "new")
    first = old.issue("nqosd")
    second = new.issue("nqosd")

    async def trusted_by(authority: Authority) -> bool:
        trust = ssl.create_default_context(cafile=str(authority.certificate))
        connector = aiohttp.TCPConnector(ssl=trust, force_close=True)
        async with aiohttp.ClientSession(connector=connector) as session:
            try:
                async with session.get(f"{server.url}/healthz") as answer:
                    return answer.status == 200
            except aiohttp.ClientConnectorCertificateError:
                return False

    async with serving(HttpOptions(certificate=str(first.certificate), private_key=str(first.key))) as server:
        assert server.url.startswith("https://127.0.0.1:")
        assert await trusted_by(old)
        assert not await trusted_by(new)
        with pytest.raises(aiohttp.ClientConnectionError):
            await client.get(server.url.replace("https:", "http:"))
        first.certificate.write_bytes(second.certificate.read_bytes())
        with pytest.raises(ssl.SSLError):
            server.reload_certificate()
        assert await trusted_by(old)
        first.key.write_bytes(second.key.read_bytes())
        server.reload_certificate()
        assert await trusted_by(new)
        assert not await trusted_by(old)


async def test_a_slow_scrape_holds_nobody_up(server: HttpServer, client: aiohttp.ClientSession) -> None:
    """While metrics are being written out, the loop answers others."""
    begun, may_end = threading.Event(), threading.Event()

    class Slow(Collector):
        def collect(self) -> list[Metric]:
            begun.set()
            may_end.wait(timeout=10)
            return []

    async def scrape() -> int:
        async with client.get(f"{server.url}/metrics") as answer:
            return answer.status

    server._registry.register(Slow())
    scraping = asyncio.create_task(scrape())
    assert await asyncio.to_thread(begun.wait, 10)
    async with client.get(f"{server.url}/healthz") as answer:
        assert answer.status == 200
    assert not scraping.done()
    may_end.set()
    assert await scraping == 200
