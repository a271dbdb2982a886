"""Why an exporter gives nothing is said in words that name the way out."""

import asyncio
import contextlib
import socket
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from nqosd.statistics.endpoints import EndpointOptions, collect
from tests.services.tls import Authority


@contextlib.asynccontextmanager
async def serving(answer: bytes | None, context: ssl.SSLContext | None = None) -> AsyncIterator[str]:
    """Serve one answer to whoever asks, or none at all and keep the connection; gives the address."""
    ended = asyncio.Event()

    async def serve(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if answer is None:
            await ended.wait()
        else:
            writer.write(answer)
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context) as server:
        try:
            yield "127.0.0.1:{}".format(*server.sockets[0].getsockname()[1:])
        finally:
            ended.set()


@pytest.mark.parametrize(
    ("answer", "scheme", "said"),
    [
        (b"SSH-2.0-OpenSSH\r\n", "http", "no HTTP is spoken there; does `nqosd stats` listen there?"),
        (b"", "http", "the connection was closed without an answer; is it TLS, https://, that is spoken there?"),
        (b"HTTP/1.0 200 OK\r\n\r\n", "https", "no TLS is spoken there; write http:// in place of https://"),
        (b"HTTP/1.0 503 No\r\n\r\nlater", "http", "503 later"),
        (b"HTTP/1.0 200 OK\r\n\r\n# nothing\n", "http", "serves no statistics: `nqosd stats` must listen there"),
        (None, "http", "no answer in time"),
    ],
)
async def test_what_listens_is_no_exporter(answer: bytes | None, scheme: str, said: str) -> None:
    """Another protocol, another page or none at all is told apart."""
    async with serving(answer) as address:
        collected = await collect(EndpointOptions((f"{scheme}://{address}",)), 0.5 if answer is None else 60.0)
    assert dict(collected.failures) == {f"{scheme}://{address}": said}


async def test_nobody_listens() -> None:
    """A port that is closed is named as what it is."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    collected = await collect(EndpointOptions((url,)), 60.0)
    assert collected.failures[url] == "Connection refused; does `nqosd stats` listen there?"


async def test_files_that_can_not_be_used(tmp_path: Path) -> None:
    """A certificate of an authority that isn't known, and files that can't be read, are named."""
    server = Authority(tmp_path).issue("server")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(server.certificate, server.key)
    async with serving(b"", context) as address:
        url = f"https://{address}"
        collected = await collect(EndpointOptions((url,)), 60.0)
    assert "stats.ca_certificate names its authority" in collected.failures[url]
    (tmp_path / "token").write_bytes(b"\xff")
    for options, said in (
        (EndpointOptions(("a",), token_file=str(tmp_path / "token")), f"{tmp_path}/token: is not UTF-8"),
        (EndpointOptions(("a",), token_file=str(tmp_path / "none")), f"{tmp_path}/none: No such file or directory"),
        (EndpointOptions(("a",), authority=str(tmp_path / "none")), f"{tmp_path}/none: No such file or directory"),
    ):
        assert (await collect(options, 60.0)).failures["a"].startswith(said)
