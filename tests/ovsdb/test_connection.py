"""How a connection is made, kept, lost and made again. Servers are real; only their misbehaviour is played."""

import asyncio
import contextlib
import errno
import os
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from nqosd.northbound.results import RoundOutcome
from nqosd.northbound.visit import ReadError, read_replica
from nqosd.ovsdb import connection, remotes
from nqosd.ovsdb.connection_options import Options, TlsFiles
from nqosd.ovsdb.remotes import NORTHBOUND_SOCKET, Remote, resolve
from tests.northbound.cases import BOTH
from tests.northbound.desires import address_set, desired
from tests.northbound.real import Daemon, add_switches, options_of, running
from tests.services.generation import GENERATIONS
from tests.services.ovsdb import OvsdbServer
from tests.services.tls import Authority, Credentials


def files_of(credentials: Credentials) -> TlsFiles:
    """Return the files as options."""
    return TlsFiles(credentials.key, credentials.certificate, credentials.authority)


@contextlib.asynccontextmanager
async def connecting(options: Options) -> AsyncIterator[Daemon]:
    """Run a daemon without waiting for its connection."""
    daemon = Daemon(options)
    await daemon.northbound.start()
    try:
        yield daemon
    finally:
        await daemon.northbound.close()


@contextlib.asynccontextmanager
async def serving(
    answer: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]], path: Path
) -> AsyncIterator[None]:
    """Play a server on a unix socket."""
    server = await asyncio.start_unix_server(answer, path)
    try:
        yield
    finally:
        server.close()


def count_open_files() -> int:
    """Count the open files of this process."""
    return len(list(Path("/proc/self/fd").iterdir()))


async def test_tcp_and_tls_serve_like_unix(tmp_path: Path) -> None:
    """Rows are written over TCP and over TLS as over a unix socket, by one daemon that is given all three."""
    authority = Authority(tmp_path / "ca")
    tls = files_of(authority.issue("nqosd"))
    with OvsdbServer(tcp=True, credentials=authority.issue("server")) as server:
        add_switches(server, "node1", "node2")
        states = [BOTH, desired(), BOTH]
        for remote, state in zip([server.tcp, server.ssl, server.unix], states, strict=True):
            async with running(options_of(remote, tls=tls)) as daemon:
                assert daemon.facts.remote == remote
                assert (await daemon.write(state)).outcome is RoundOutcome.COMMITTED


async def test_the_socket_is_looked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`auto` waits, and says where it has looked, until somebody answers at a usual place; the first one counts."""
    folders = [tmp_path / name for name in ("absent", "left", "served")]
    monkeypatch.setattr(remotes, "FOLDERS", [str(each) for each in folders])
    for folder in folders[1:]:
        folder.mkdir()
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(folders[1] / NORTHBOUND_SOCKET))  # as a server leaves it that was killed
    with OvsdbServer() as server:
        daemon = Daemon(options_of(f"auto:{NORTHBOUND_SOCKET}"))
        task = asyncio.create_task(daemon.northbound.run())
        await daemon.wait_until(lambda: bool(daemon.watcher.seen))
        problem = daemon.watcher.seen[-1].problem
        assert f"no server at any of the usual places ({folders[0]}/ovnnb_db.sock: No such file" in problem
        assert f"{folders[1]}/ovnnb_db.sock: Connection refused" in problem
        (folders[2] / NORTHBOUND_SOCKET).symlink_to(server.unix.removeprefix("unix:"))
        await daemon.wait_until(lambda: daemon.facts.lock_held)
        assert daemon.facts.remote == f"unix:{folders[2]}/ovnnb_db.sock"
        await daemon.northbound.close()
        await task


async def test_a_certificate_of_somebody_else_is_refused(tmp_path: Path) -> None:
    """A server whose certificate another authority signed is not used, and the problem gives TLS's own words."""
    ours, theirs = Authority(tmp_path / "ours"), Authority(tmp_path / "theirs")
    with OvsdbServer(credentials=theirs.issue("server")) as server:
        async with connecting(options_of(server.ssl, tls=files_of(ours.issue("nqosd")))) as daemon:
            await daemon.wait_until(lambda: "certificate verify failed" in daemon.facts.problem)
            assert not daemon.facts.synced


async def test_a_missing_file_is_named_and_waited_for(tmp_path: Path) -> None:
    """A TLS file that isn't there is named; when it is there the connection is made, without a restart."""
    authority = Authority(tmp_path / "ca")
    tls = files_of(authority.issue("nqosd"))
    kept = tls.certificate.read_bytes()
    tls.certificate.unlink()
    with OvsdbServer(credentials=authority.issue("server")) as server:
        async with connecting(options_of(server.ssl, tls=tls)) as daemon:
            await daemon.wait_until(lambda: str(tls.certificate) in daemon.facts.problem)
            tls.certificate.write_bytes(kept)
            await daemon.wait_until(lambda: daemon.facts.lock_held)


async def test_renewed_certificates_are_used_by_the_next_connection(tmp_path: Path) -> None:
    """Files that were replaced, with those of another authority even, need no restart of the daemon."""
    old, new = Authority(tmp_path / "old"), Authority(tmp_path / "new")
    tls = files_of(old.issue("nqosd"))
    server_files = old.issue("server")
    with OvsdbServer(credentials=server_files) as server:
        async with running(options_of(server.ssl, tls=tls)) as daemon:
            server.stop()
            for target, source in ((tls, new.issue("nqosd")), (files_of(server_files), new.issue("server"))):
                target.private_key.write_bytes(source.key.read_bytes())
                target.certificate.write_bytes(source.certificate.read_bytes())
                target.ca_certificate.write_bytes(source.authority.read_bytes())
            before = daemon.connections
            server.start()
            await daemon.wait_until(lambda: daemon.connections != before and daemon.facts.lock_held)


async def test_a_silent_tls_server_costs_nothing(tmp_path: Path) -> None:
    """While a server that accepts a connection says nothing, the daemon sleeps, and then gives it up."""
    authority = Authority(tmp_path / "ca")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        remote = f"ssl:127.0.0.1:{silent.getsockname()[1]}"
        async with connecting(options_of(remote, tls=files_of(authority.issue("nqosd")))) as daemon:
            begun = time.process_time()
            await asyncio.sleep(0.8)
            assert time.process_time() - begun < 0.2
            await daemon.wait_until(lambda: daemon.facts.problem == "no answer to the attempt to connect")


@pytest.mark.parametrize("remote", ["unix:/nonexistent/socket", "tcp:127.0.0.1:1"])
async def test_an_unreachable_server_costs_nothing(remote: str) -> None:
    """While there is nothing to connect to, the daemon sleeps between its attempts."""
    async with connecting(options_of(remote)) as daemon:
        begun = time.process_time()
        await asyncio.sleep(0.8)
        assert time.process_time() - begun < 0.2
        assert daemon.facts.problem


async def test_a_host_name_is_looked_up(ovsdb_nb: OvsdbServer) -> None:
    """A remote may name its host; every address of it is tried."""
    with OvsdbServer(tcp=True) as server:
        port = server.tcp.rpartition(":")[2]
        async with running(options_of(f"tcp:localhost:{port}")) as daemon:
            assert daemon.facts.remote == server.tcp
    assert await resolve([Remote(ovsdb_nb.unix), Remote("tcp:[::1]:6641")]) == [ovsdb_nb.unix, "tcp:[::1]:6641"]


async def test_a_name_without_an_address_is_told() -> None:
    """A host that nobody knows is named with its remote."""
    with pytest.raises(OSError, match=r"tcp:nobody\.invalid:6641: the host 'nobody\.invalid' has no address"):
        await resolve([Remote("tcp:nobody.invalid:6641")])


@pytest.mark.parametrize("text", ["unix:relative", "tcp:host", "tcp:host:0", "tcp:host:70000", "http://x", "ssl::6641"])
def test_a_wrong_remote_is_refused(text: str) -> None:
    """Text that names no remote is an error that shows the forms."""
    with pytest.raises(ValueError, match="is not of the form unix:/path, tcp:HOST:PORT or ssl:HOST:PORT"):
        Remote(text)


def test_tls_needs_files() -> None:
    """A remote with TLS needs the three files."""
    with pytest.raises(
        ValueError, match=r"ssl:127\.0\.0\.1:6641 needs a private key, a certificate and a CA certificate"
    ):
        options_of("ssl:127.0.0.1:6641")


async def test_reasons_that_alternate_are_told_once_each(ovsdb_nb: OvsdbServer) -> None:
    """A socket that comes and goes while nobody listens gives two reasons, and a line for each."""
    async with running(options_of(ovsdb_nb.unix)) as daemon:
        with capture_logs() as logs:
            ovsdb_nb.stop()
            for _ in range(3):
                await daemon.wait_until(lambda: daemon.facts.problem == os.strerror(errno.ENOENT))
                with contextlib.closing(socket.socket(socket.AF_UNIX)) as deaf:
                    deaf.bind(str(ovsdb_nb.socket))
                await daemon.wait_until(lambda: daemon.facts.problem == os.strerror(errno.ECONNREFUSED))
                ovsdb_nb.socket.unlink()
    reasons = [entry["reason"] for entry in logs if entry["event"] == "northbound: database can't be used"]
    assert len(reasons) == len(set(reasons))
    assert {os.strerror(errno.ENOENT), os.strerror(errno.ECONNREFUSED)} <= set(reasons)


async def test_a_lock_that_is_given_up_is_no_lost_connection(ovsdb_nb: OvsdbServer) -> None:
    """Who gives the lock up where nobody waits for it has it back, and the log says nothing of a connection."""
    async with running(options_of(ovsdb_nb.unix)) as daemon:
        with capture_logs() as logs:
            await daemon.northbound.yield_lock()
            await daemon.settle(0.2)
            await daemon.wait_until(lambda: daemon.facts.lock_held)
    # Given up and had back within one turn of the driver, nobody saw it gone.
    assert {entry["event"] for entry in logs} <= {"northbound: lock won, this daemon writes now"}


async def test_a_lost_server_is_told_once(ovsdb_nb: OvsdbServer) -> None:
    """However often it tries in vain, the daemon tells of the loss once, and of each new reason once."""
    async with running(options_of(ovsdb_nb.unix)) as daemon:
        with capture_logs() as logs:
            ovsdb_nb.stop()
            await daemon.wait_until(lambda: daemon.facts.problem == os.strerror(errno.ENOENT))
            await asyncio.sleep(2.5)
            ovsdb_nb.start()
            await daemon.wait_until(lambda: daemon.facts.lock_held)
    assert [entry["event"] for entry in logs] == [
        "northbound: connection lost",
        "northbound: database can't be used",
        "northbound: in step",
        "northbound: lock won, this daemon writes now",
    ]
    assert logs[0]["reason"] in {"closed by the server", os.strerror(errno.ECONNRESET)}
    assert logs[1]["reason"] == os.strerror(errno.ENOENT)


async def test_a_server_that_speaks_nonsense_is_told(tmp_path: Path) -> None:
    """Something that isn't an OVSDB server is named as such, and tried again without haste."""
    attempts = []

    async def answer(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        attempts.append(time.monotonic())
        writer.write(b"220 mail ready\r\n")
        await writer.drain()
        writer.close()

    async with serving(answer, tmp_path / "socket"), connecting(options_of(f"unix:{tmp_path / 'socket'}")) as daemon:
        await daemon.wait_until(lambda: "sent garbage" in daemon.facts.problem)
        await asyncio.sleep(1.5)
        assert len(attempts) <= 4


async def test_reconnects_leave_nothing_behind(ovsdb_nb: OvsdbServer) -> None:
    """After many connections there are as many open files and tasks as after the first."""
    async with running(options_of(ovsdb_nb.unix)) as daemon:
        driver = daemon.northbound._driver
        assert driver is not None
        before = count_open_files(), len(asyncio.all_tasks())
        for _ in range(1000):
            driver.idl.session.reset_backoff()
            last = daemon.connections
            driver.idl.session.drop("test")
            driver.kick()
            await daemon.wait_until(lambda last=last: daemon.connections > last and daemon.facts.lock_held)  # type: ignore[misc]
        assert (count_open_files(), len(asyncio.all_tasks())) == before


async def test_more_than_a_thousand_open_files_are_no_limit(ovsdb_nb: OvsdbServer) -> None:
    """A connection works when its file descriptor is beyond what select() takes."""
    with contextlib.ExitStack() as stack:
        for _ in range(1100):
            stack.callback(os.close, os.open("/dev/null", os.O_RDONLY))
        add_switches(ovsdb_nb, "node1", "node2")
        async with running(options_of(ovsdb_nb.unix)) as daemon:
            assert (await daemon.write(BOTH)).outcome is RoundOutcome.COMMITTED


async def test_heavy_messages_are_read_aside(ovsdb_nb: OvsdbServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Everything works the same when every message is taken for one that would hold up the event loop."""
    monkeypatch.setattr(connection, "LIGHT", 10)
    add_switches(ovsdb_nb, "node1", "node2")
    async with running(options_of(ovsdb_nb.unix)) as daemon:
        await daemon.write(BOTH)
        ovsdb_nb.nbctl("clear", "Address_Set", "set_b", "addresses")
        await daemon.settle()
        assert (await daemon.round()).outcome is RoundOutcome.UNCHANGED
    assert "10.0.0.3" in ovsdb_nb.dump("Address_Set")


async def test_a_large_sync_lets_the_event_loop_run(ovsdb_nb: OvsdbServer) -> None:
    """While 200,000 addresses are read, and compared, the event loop never stands still for long."""
    add_switches(ovsdb_nb, "node1", "node2")
    sets = [address_set(f"big_{i}", *(f"10.{i}.{j >> 8}.{j & 255}" for j in range(1000))) for i in range(200)]
    async with running(options_of(ovsdb_nb.unix)) as daemon:
        await daemon.write(desired([], sets))
    worst = 0.0

    async def beat() -> None:
        nonlocal worst
        while True:
            begun = time.perf_counter()
            await asyncio.sleep(0.002)
            worst = max(worst, time.perf_counter() - begun)

    heart = asyncio.create_task(beat())
    async with running(options_of(ovsdb_nb.unix)) as daemon:
        assert (await daemon.round(desired([], sets))).outcome is RoundOutcome.UNCHANGED
        heart.cancel()
    assert worst < 0.25


async def test_a_message_that_was_cut_in_a_character_is_read(tmp_path: Path) -> None:
    """A name in which the stream is cut in the middle of a character arrives whole."""
    text = '{"id":"echo","method":"echo","params":["Zürich"]}'.encode()
    answered = asyncio.Event()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        cut = text.index("ü".encode()) + 1
        writer.write(text[:cut])
        await writer.drain()
        await asyncio.sleep(0.1)
        writer.write(text[cut:])
        while b"Z\xc3\xbcrich" not in await reader.read(1000):
            pass
        answered.set()
        writer.close()

    async with serving(answer, tmp_path / "socket"), connecting(options_of(f"unix:{tmp_path / 'socket'}")):
        await asyncio.wait_for(answered.wait(), 5)


def test_the_private_parts_of_python_ovs_are_there() -> None:
    """The version of python-ovs is the one whose private parts are replaced."""
    import ovs.version  # noqa: PLC0415 (only this test needs it)

    assert ovs.version.VERSION == "4.0.0"


class Relay(OvsdbServer):
    """An OVSDB relay of a server's database."""

    def __init__(self, source: OvsdbServer) -> None:
        super().__init__(source.generation, name="relay")
        self._source = f"relay:{source.database}:{source.unix}"

    def command(self) -> list[str]:
        """Return the command that serves what the source has."""
        return [self._source if word == str(self.file) else word for word in super().command()]

    def initialize(self) -> None:
        """Leave it to the source."""


async def test_a_relay_is_told_from_a_follower() -> None:
    """Who names an OVSDB relay in place of the database learns that it is one."""
    with OvsdbServer(GENERATIONS[-1]) as server, Relay(server) as relay:
        with pytest.raises(ReadError, match="is an OVSDB relay, which elects no writer: northbound"):
            await read_replica(options_of(relay.unix), seconds=10.0)
        assert await read_replica(options_of(server.unix))
