"""The HTTP server, asked by a real client over real sockets."""

import asyncio
import contextlib
import logging
import os
import re
import ssl
import subprocess
import threading
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import Collector

from nqosd.telemetry.health import LockRole
from nqosd.web.server import HttpOptions, HttpServer
from tests.services.tls import Authority
from tests.web.serving import make_server


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
    server._health.role = LockRole.STANDBY
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


async def test_a_port_that_is_taken_or_no_address(server: HttpServer) -> None:
    """A server on a taken port, or under a name that is none, doesn't start, says which option, and leaves nothing."""
    second = make_server(HttpOptions(port=int(server.url.rpartition(":")[2])))
    with pytest.raises(OSError, match=r"http\.listen: 127\.0\.0\.1:[0-9]+: Address already in use; choose another one"):
        await second.start()
    third = make_server(HttpOptions(host="a" * 70))
    with pytest.raises(OSError, match=r"http\.listen: a+:0: .*; choose another one"):
        await third.start()


async def test_ipv6_loopback(client: aiohttp.ClientSession) -> None:
    """An IPv6 address is served, and stands in brackets in the address."""
    async with serving(HttpOptions(host="::1")) as server:
        assert server.url.startswith("http://[::1]:")
        async with client.get(f"{server.url}/healthz") as answer:
            assert answer.status == 200


async def test_every_address(client: aiohttp.ClientSession) -> None:
    """`[::]` answers over IPv4 and over IPv6, whatever the kernel's default for new sockets is."""
    async with serving(HttpOptions(host="::")) as server:
        port = server.url.rpartition(":")[2]
        for host in ("127.0.0.1", "[::1]"):
            async with client.get(f"http://{host}:{port}/healthz") as answer:
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
        with pytest.raises(
            OSError, match=r"http\.certificate, http\.private_key: .*KEY_VALUES_MISMATCH.*must be a pair"
        ):
            await server.load_certificate()
        assert await trusted_by(old)
        first.key.write_bytes(second.key.read_bytes())
        await server.load_certificate()
        assert await trusted_by(new)
        assert not await trusted_by(old)


@pytest.mark.parametrize("fault", ["absent", "folder", "FIFO", "text", "passphrase"])
async def test_a_certificate_that_cannot_be_used(tmp_path: Path, fault: str) -> None:
    """Whatever is wrong with it, nobody is waited for, the message names option and file, and the port stays free."""
    files = Authority(tmp_path).issue("nqosd")
    key = tmp_path / "other.key"
    if fault == "folder":
        key.mkdir()
    elif fault == "FIFO":
        os.mkfifo(key)
    elif fault == "text":
        key.write_text("no key")
    elif fault == "passphrase":
        encrypt = ["openssl", "ec", "-aes256", "-passout", "pass:x", "-in", str(files.key), "-out", str(key)]
        subprocess.run(encrypt, check=True, capture_output=True, timeout=30)  # noqa: ASYNC221 - nothing else runs
    server = make_server(HttpOptions(certificate=str(files.certificate), private_key=str(key)))
    with pytest.raises(OSError, match=re.escape(str(key))) as caught:
        await server.start()
    assert "http.private_key" in str(caught.value)


GARBAGE = [
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    b"GET / HTTP/9.9\r\n\r\n",
    b"GET http://[ HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET /state/%ff%zz HTTP/1.1\r\nHost: localhost\r\n\r\n",
    b"GET /state/policies HTTP/1.1\r\nHost: [::1\r\n\r\n",
    b"GET /state/policies HTTP/1.1\r\nHost: a:99999999\r\n\r\n",
    b"GET /state/policies HTTP/1.1\r\nHost: \xff\xfe\r\n\r\n",
    b"GET /state/policies HTTP/1.1\r\n\r\n",
    b"GET /metrics HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer \xc3\xa4\r\n\r\n",
    b"GET /metrics HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer \xff\xfe\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: a\r\nAuthorization: Basic \xff\xfe\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: a\r\nAuthorization: Basic /////w==\r\n\r\n",
    b"GET /metrics HTTP/1.1\r\nHost: a\r\nAuthorization:\r\n\r\n",
    b"GET /metrics HTTP/1.1\r\nHost: a\r\nAccept-Encoding: \xff;q=z\r\n\r\n",
    b"GET /metrics HTTP/1.1\r\nHost: a\r\nCookie: \xff=\xff;;=\r\n\r\n",
    b"GET /metrics HTTP/1.1\r\nHost: a\r\nExpect: the worst\r\n\r\n",
    b"GET /metrics HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n",
    b"GET /metrics HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
    b"POST /metrics HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    b"GET /metrics HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n\x00\xff",
    b"GET /metrics HTTP/1.1\r\nHost: a\r\nX: " + b"x" * 100_000 + b"\r\n\r\n",
    b"GET /metrics HTTP/1.1\r\n" + b"X: y\r\n" * 10_000 + b"\r\n",
    b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\n\r\n",
]


@pytest.mark.parametrize("request_", GARBAGE, ids=range(len(GARBAGE)))
async def test_no_request_is_a_failure_of_the_server(
    client: aiohttp.ClientSession, tmp_path: Path, caplog: pytest.LogCaptureFixture, request_: bytes
) -> None:
    """Whatever bytes come, the answer is of status 2xx to 4xx, with or without a token, and nothing is logged."""
    token = tmp_path / "token"
    token.write_bytes(b"p\xc3\xa4ss\n")
    for options in (HttpOptions(), HttpOptions(bearer_token_file=str(token))):
        async with serving(options) as server:
            port = int(server.url.rpartition(":")[2])
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(request_)
            writer.write_eof()
            with contextlib.suppress(ConnectionResetError):  # it doesn't read a long request to its end
                answer = await asyncio.wait_for(reader.read(), 20)
                assert re.match(rb"HTTP/1\.[01] [234]\d\d ", answer) or not answer
            writer.close()
            async with client.get(f"{server.url}/healthz") as healthy:
                assert healthy.status == 200
    assert [record for record in caplog.records if record.levelno >= logging.ERROR] == []


async def test_a_token_of_any_bytes(tmp_path: Path) -> None:
    """A token that isn't ASCII counts byte by byte; a file that can't be read is a token that nobody has."""
    token = tmp_path / "token"

    async def status(given: bytes) -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", int(server.url.rpartition(":")[2]))
        writer.write(b"GET /metrics HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer " + given + b"\r\n\r\n")
        answer = await reader.read()
        writer.close()
        return answer.split()[1]

    async with serving(HttpOptions(bearer_token_file=str(token))) as server:
        for content in (b"p\xc3\xa4ss", b"\xff\xfe"):
            token.write_bytes(content + b"\n")
            assert await status(content) == b"200"
            assert await status(b"p\xe4ss") == b"401"
            assert await status(b"pass") == b"401"
        token.unlink()
        os.mkfifo(token)
        assert [await status(b"x") for _ in range(40)] == [b"401"] * 40
        token.unlink()
        token.mkdir()
        assert await status(b"x") == b"401"


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
