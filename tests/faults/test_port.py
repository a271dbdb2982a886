"""The HTTP port is a guest: taken, without a usable certificate, or held by others, it keeps nobody from working."""

import contextlib
import http.client
import re
import resource
import socket
import ssl
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from nqosd.web.connections import MOST
from tests.faults.notified import Notified, NotifiedExporter
from tests.services.ovsdb import OvsdbServer
from tests.services.tls import Authority

SILENT = 1100
"""More connections than a process may have descriptors by default, 1,024."""
OWN = 60
"""Descriptors that a daemon has without any connection to its port, at most."""


@pytest.fixture
def daemon(ovsdb_nb: OvsdbServer, tmp_path: Path) -> Notified:
    """Give a daemon that isn't started yet."""
    return Notified([ovsdb_nb.unix], manifests=[tmp_path])


@pytest.fixture(params=["daemon", "exporter"])
def service(request: pytest.FixtureRequest) -> Notified | NotifiedExporter:
    """Give each of the services that have a port; the exporter has nothing to read."""
    if request.param == "exporter":
        return NotifiedExporter("unix:/absent/nb", "unix:/absent/sb", Path("/absent/br-int.mgmt"), "node")
    found: Notified = request.getfixturevalue("daemon")
    return found


@contextlib.contextmanager
def many(port: int, number: int = SILENT) -> Iterator[list[socket.socket]]:
    """Connect many times, and keep the connections."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, max(soft, 4 * number)), hard))
    with contextlib.ExitStack() as stack:
        stack.callback(resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard))
        yield [stack.enter_context(socket.create_connection(("127.0.0.1", port), timeout=60)) for _ in range(number)]


def descriptors(pid: int) -> int:
    """Count the open descriptors of a process."""
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))


def healthz(port: int, context: ssl.SSLContext | None = None) -> int:
    """Ask /healthz once; gives the status."""
    connection = (
        http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        if context is None
        else http.client.HTTPSConnection("127.0.0.1", port, timeout=60, context=context)
    )
    try:
        connection.request("GET", "/healthz")
        return connection.getresponse().status
    finally:
        connection.close()


def asked(port: int, context: ssl.SSLContext | None = None) -> int | None:
    """Ask /healthz; None if nobody answers."""
    with contextlib.suppress(OSError, http.client.HTTPException):
        return healthz(port, context)
    return None


def test_the_port_is_taken(service: Notified | NotifiedExporter) -> None:
    """It works without its port, says so to the log and to systemd, and opens the port when it becomes free."""
    taken = rf"(http|stats)\.listen: 127\.0\.0\.1:{service.port}: Address already in use; choose another one"
    service.awaits_port = False
    with socket.create_server(("127.0.0.1", service.port)) as other, service:
        service.wait_until(lambda: bool(re.search(taken, service.state())), what="telling systemd")
        assert re.search(taken, service.log_file.read_text())
        assert service.was_ready()
        other.close()
        service.wait_until(lambda: asked(service.port) == 200, what="serving")
        service.wait_until(lambda: "Address already in use" not in service.state(), what="content")


def test_a_certificate_that_cannot_be_loaded(daemon: Notified, tmp_path: Path) -> None:
    """Absent at the start it is waited for; broken at a reload, the old one serves, and the rest of the file counts."""
    authority = Authority(tmp_path / "authority")
    files = authority.issue("nqosd")
    context = ssl.create_default_context(cafile=str(authority.certificate))
    certificate, key = tmp_path / "tls.crt", tmp_path / "tls.key"
    daemon.configure({"http": {"certificate": str(certificate), "private_key": str(key)}})
    daemon.awaits_port = False
    with daemon:
        daemon.wait_until(lambda: "tls.crt is not a file that can be read" in daemon.state(), what="telling systemd")
        daemon.wait_until(lambda: "active" in daemon.state(), what="the active one")
        certificate.write_bytes(files.certificate.read_bytes())
        key.write_bytes(files.key.read_bytes())
        daemon.wait_until(lambda: asked(daemon.port, context) == 200, what="serving")
        key.write_text("broken")
        daemon.configure({"daemon": {"batch_window": 0.01}})
        daemon.reload()
        daemon.wait_until(lambda: "http.private_key" in daemon.state(), what="telling systemd")
        assert "configuration reloaded" in daemon.log_file.read_text()
        assert asked(daemon.port, context) == 200
        key.write_bytes(files.key.read_bytes())
        daemon.wait_until(lambda: "http.private_key" not in daemon.state(), what="content")
        assert asked(daemon.port, context) == 200


def silent(connection: socket.socket) -> None:
    """Send nothing."""
    del connection


def slow_headers(connection: socket.socket) -> None:
    """Send half a header."""
    connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: a\r\nX-Slow: ")


def slow_body(connection: socket.socket) -> None:
    """Send the headers of a request, and little of its body."""
    connection.sendall(b"POST /metrics HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\nabc")


def slow_reader(connection: socket.socket) -> None:
    """Ask again and again without reading."""
    with contextlib.suppress(OSError):
        connection.sendall(b"GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n" * 100)


def garbage(connection: socket.socket) -> None:
    """Send what is no HTTP, behind a request that is."""
    with contextlib.suppress(OSError):
        connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n" + b"\x00\xff garbage \r\n" * 1000)


BEHAVIOURS = [silent, slow_headers, slow_body, slow_reader, garbage]


@pytest.mark.parametrize("behave", BEHAVIOURS, ids=lambda each: each.__name__)
def test_somebody_holds_the_port(service: Notified | NotifiedExporter, behave: Callable[[socket.socket], None]) -> None:
    """1,100 connections take no more descriptors than a hundred would, and probes are answered all the time."""
    with service, many(service.port) as connections:
        for number, connection in enumerate(connections):
            with contextlib.suppress(ConnectionError):  # the oldest were ended already
                behave(connection)
            if number % 100 == 0:
                assert healthz(service.port) == 200
        assert descriptors(service.pid) <= MOST + OWN
        assert healthz(service.port) == 200
        assert service.is_running


def test_somebody_holds_the_port_without_a_handshake(daemon: Notified, tmp_path: Path) -> None:
    """The same holds for connections to a port with TLS that never begin to speak it."""
    authority = Authority(tmp_path / "authority")
    files = authority.issue("nqosd")
    context = ssl.create_default_context(cafile=str(authority.certificate))
    daemon.configure({"http": {"certificate": str(files.certificate), "private_key": str(files.key)}})
    daemon.awaits_port = False
    with daemon:
        daemon.wait_until(lambda: asked(daemon.port, context) == 200, what="serving")
        with many(daemon.port):
            assert healthz(daemon.port, context) == 200
            assert descriptors(daemon.pid) <= MOST + OWN


def test_a_silent_connection_is_ended(daemon: Notified) -> None:
    """A connection that asks for nothing is closed after a while, and gives its descriptor back."""
    with daemon:
        before = descriptors(daemon.pid)
        with many(daemon.port, 10) as connections:
            for each in connections:
                assert each.recv(1) == b"", "only who has accepted a connection closes it"
            daemon.wait_until(lambda: descriptors(daemon.pid) <= before, what="rid of them")
