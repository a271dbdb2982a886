"""What the northbound layer costs against a real ovsdb-server: `python -m tools.bench.northbound`.

Prints the latency of one address more in a set of 10 and of 10,000; then for 2,000 rows and 2,000 sets of 500 addresses
the write in one transaction, the first sync and the comparison of everything, with the longest time that the event loop
stood still; then the same sync with the rows of python-ovs, and what guards by name would cost.
"""

import asyncio
import contextlib
import gc
import logging
import multiprocessing
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from resource import getpagesize
from typing import cast

import attrs
import structlog
from ovs.db import idl
from ovs.poller import Poller

from nqosd.compiler.desired import AddressSet, Delta, Desired, Direction, Members, QosRow, RowKey
from nqosd.northbound.northbound import Northbound
from nqosd.northbound.results import RoundResult
from nqosd.ovsdb import connection, schema, wire
from nqosd.ovsdb.connection_options import Options, TlsFiles
from nqosd.ovsdb.framing import Framer, decode, encode
from nqosd.ovsdb.remotes import Remote
from nqosd.ovsdb.session import FramedSession
from tests.services.ovsdb import OvsdbServer
from tests.services.tls import Authority

ROWS, MEMBERS, SWITCHES = 2_000, 500, 100
CALLS = 1_000
PORTS = 10_000
FOREIGN_SETS = 10_000


def large_state(rows: int = ROWS, members: int = MEMBERS) -> Desired:
    """Give one row and one set with addresses of its own for each of so many policies."""
    sets, found = {}, {}
    for i in range(rows):
        name = f"nqosd_{i:020x}"
        numbers = range(i * members, (i + 1) * members)
        addresses = {f"10.{n >> 16 & 255}.{n >> 8 & 255}.{n & 255}" for n in numbers}
        sets[name] = AddressSet(name, f"ip4 of pods of games that match app={i}, switch node{i % SWITCHES}", addresses)
        key = RowKey(f"games/policy-{i}", 0, "default", f"node{i % SWITCHES}")
        match = f"ip4.src == ${name} && ip4.dst == {{0.0.0.0/5, 8.0.0.0/7, 11.0.0.0/8, 12.0.0.0/6}}"
        found[key] = QosRow(key, Direction.TO_LPORT, 10_000, match, 20, rate=20_000, sets=(name,))
    return Desired(found, sets, {})


@contextlib.asynccontextmanager
async def connected(remote: str, tls: TlsFiles | None = None) -> AsyncIterator[Northbound]:
    """Run the layer until it is the writer."""
    northbound = Northbound(Options([Remote(remote)], tls=tls))
    await northbound.start()
    try:
        while not northbound.facts.lock_held:
            await northbound.wake.wait()
            northbound.wake.clear()
        yield northbound
    finally:
        await northbound.close()


@attrs.define
class Clock:
    """Wall and CPU seconds since it was made, and the longest stall of the event loop in between."""

    wall: float = attrs.field(factory=time.perf_counter)
    cpu: float = attrs.field(factory=time.process_time)
    stall: float = 0.0

    async def beat(self) -> None:
        """Watch the event loop."""
        while True:
            begun = time.perf_counter()
            await asyncio.sleep(0.002)
            self.stall = max(self.stall, time.perf_counter() - begun)

    def __str__(self) -> str:
        wall, cpu = time.perf_counter() - self.wall, time.process_time() - self.cpu
        return f"{wall * 1000:6.0f} ms wall, {cpu * 1000:6.0f} ms CPU, worst stall {self.stall * 1000:4.0f} ms"


@contextlib.asynccontextmanager
async def timed() -> AsyncIterator[Clock]:
    """Watch what is done inside."""
    gc.collect()
    clock = Clock()
    heart = asyncio.create_task(clock.beat())
    await asyncio.sleep(0.01)
    yield clock
    heart.cancel()


async def one_address(remote: str, size: int, tls: TlsFiles | None = None) -> str:
    """Add and remove one address of a set, many times."""
    state = large_state(1, size)
    (name,) = state.address_sets
    members = state.address_sets[name].addresses
    assert isinstance(members, set)
    async with connected(remote, tls) as northbound:
        await northbound.reconcile(state, Delta())
        times: list[float] = []
        clock = Clock()
        for i in range(CALLS):
            change = Members({"10.255.0.1"}) if i % 2 == 0 else Members(removed={"10.255.0.1"})
            members.symmetric_difference_update({"10.255.0.1"})
            begun = time.perf_counter()
            result = await northbound.reconcile(state, Delta(sets={name: change}))
            times.append(time.perf_counter() - begun)
            assert result.operations == {"wait": 1, "set_mutate": 1}
        cpu = (time.process_time() - clock.cpu) / CALLS
        await northbound.reconcile(Desired({}, {}, {}), Delta(set(state.rows), {name: Members()}))
    cuts = statistics.quantiles(times, n=100)
    return f"p50 {cuts[49] * 1e6:5.0f} us, p99 {cuts[98] * 1e6:5.0f} us, CPU {cpu * 1e6:4.0f} us"


async def write_all(remote: str) -> str:
    """Write the large state into an empty database."""
    state = large_state()
    async with connected(remote) as northbound, timed() as clock:
        result: RoundResult = await northbound.reconcile(state, Delta())
        text = f"{clock}; of it plan {result.plan_seconds * 1000:.0f} ms, commit {result.commit_seconds * 1000:.0f} ms"
        assert result.operations["row_insert"] == ROWS
        return text


async def sync_all(remote: str) -> tuple[str, str]:
    """Read the large state as a daemon that starts, then compare everything."""
    state = large_state()
    before = resident()
    async with timed() as clock, connected(remote) as northbound:
        synced = f"{clock}, {resident() - before:3.0f} MB"
        async with timed() as again:
            result = await northbound.reconcile(state, Delta())
            assert not result.operations
            return synced, str(again)


def plain_sync(remote: str) -> str:
    """Read the same with the rows of python-ovs, over our connection."""
    helper = idl.SchemaHelper(schema_json=asyncio.run(_ask(remote, "get_schema")))
    for table, columns in schema.COLUMNS.items():
        helper.register_columns(table, list(columns))
    plain = idl.Idl(remote, helper)
    connection.LIGHT = 1 << 40  # decode whatever comes, at once
    plain._session = FramedSession([remote], 5.0, None)
    for table in schema.OWNED:
        plain.cond_change(table, [["external_ids", "includes", wire.string_map({"nqosd.io/owner": "nqosd"})]])
    before, clock = resident(), Clock()
    while not plain.has_ever_connected():
        begun = time.perf_counter()
        plain.run()
        clock.stall = max(clock.stall, time.perf_counter() - begun)
        poller = Poller()
        plain._session.wait(poller)
        plain._session.recv_wait(poller)
        poller.block()
    assert len(plain.tables[schema.QOS].rows) == ROWS
    return f"{clock}, {resident() - before:3.0f} MB"


def inserts(server: OvsdbServer, *, guarded: bool) -> str:
    """Insert sets beside many of others', with and without a guard by name for each."""
    operations: list[dict[str, object]] = []
    for i in range(ROWS):
        if guarded:
            where = [["name", "==", f"new{i}"]]
            operations.append({"op": "wait", "table": "Address_Set", "where": where, "columns": ["name"],
                               "until": "==", "rows": [], "timeout": 0})  # fmt: skip
        operations.append({"op": "insert", "table": "Address_Set", "row": {"name": f"new{i}"}})
    begun = time.perf_counter()
    _transact(server, operations)
    return f"{(time.perf_counter() - begun) * 1000:.0f} ms"


def resident() -> float:
    """Give the resident memory of this process, in megabytes."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * getpagesize() / 1e6


def in_new_process(work: Callable[..., object], *arguments: object, **options: object) -> object:
    """Work where nothing has been allocated yet."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return pool.submit(_quietly, work, arguments, options).result()


def main() -> int:
    """Measure everything and print it."""
    quiet()
    with tempfile.TemporaryDirectory() as directory:
        authority = Authority(Path(directory))
        ours = authority.issue("nqosd")
        tls = TlsFiles(ours.key, ours.certificate, ours.authority)
        with OvsdbServer(tcp=True, credentials=authority.issue("server")) as server:
            _add(server, "Logical_Switch", (f"node{i}" for i in range(SWITCHES)))
            for size in (10, 10_000):
                for remote, files in ((server.unix, None), (server.tcp, None), (server.ssl, tls)):
                    say(f"one address, set of {size:6,}, {remote[:4]}", asyncio.run(one_address(remote, size, files)))
    with OvsdbServer() as server:
        _add(server, "Logical_Switch", (f"node{i}" for i in range(SWITCHES)))
        say(f"write {ROWS:,} rows and sets of {MEMBERS}", in_new_process(_run, write_all, server.unix))
        for _ in range(3):
            synced, compared = cast("tuple[str, str]", in_new_process(_run, sync_all, server.unix))
            say("first sync", synced)
            say("comparison of everything", compared)
        say("  the same with the rows of python-ovs", in_new_process(plain_sync, server.unix))
        _add_ports(server)
        synced, _ = cast("tuple[str, str]", in_new_process(_run, sync_all, server.unix))
        say(f"first sync with {PORTS:,} logical ports", synced)
    with OvsdbServer() as server:
        _add(server, "Address_Set", (f"foreign{i}" for i in range(FOREIGN_SETS)))
        say(f"insert {ROWS:,} sets beside {FOREIGN_SETS:,}", inserts(server, guarded=False))
    with OvsdbServer() as server:
        _add(server, "Address_Set", (f"foreign{i}" for i in range(FOREIGN_SETS)))
        say("  with a wait by name for each", inserts(server, guarded=True))
    return 0


def say(what: str, found: object) -> None:
    """Print one line."""
    print(f"{what:<42} {found}", flush=True)


def quiet() -> None:
    """Log nothing but trouble."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))


def _quietly(work: Callable[..., object], arguments: tuple[object, ...], options: dict[str, object]) -> object:
    quiet()
    return work(*arguments, **options)


def _run(work: Callable[..., object], *arguments: object) -> object:
    return asyncio.run(work(*arguments))  # type: ignore[arg-type] # a coroutine function


async def _ask(remote: str, method: str, *parameters: object) -> object:
    """Ask a server without its tools, whose command lines have an end."""
    reader, writer = await asyncio.open_unix_connection(remote.removeprefix("unix:"))
    writer.write(encode({"id": 1, "method": method, "params": [schema.DATABASE, *parameters]}))
    framer = Framer()
    while not (found := framer.feed(await reader.read(65536))):
        pass
    writer.close()
    answer = decode(found[0])
    assert isinstance(answer, dict)
    assert answer["error"] is None
    assert "error" not in str(answer["result"])[-1000:]
    return answer["result"]


def _transact(server: OvsdbServer, operations: Iterable[dict[str, object]]) -> None:
    asyncio.run(_ask(server.unix, "transact", *operations))


def _add(server: OvsdbServer, table: str, names: Iterator[str]) -> None:
    _transact(server, ({"op": "insert", "table": table, "row": {"name": name}} for name in names))


def _add_ports(server: OvsdbServer) -> None:
    ports = [f"port{i}" for i in range(PORTS)]
    inserted: list[dict[str, object]] = [
        {"op": "insert", "table": "Logical_Switch_Port", "row": {"name": f"ns_pod-{port}"}, "uuid-name": port}
        for port in ports
    ]
    members = ["set", [["named-uuid", port] for port in ports]]
    switch: dict[str, object] = {"op": "insert", "table": "Logical_Switch", "row": {"name": "big", "ports": members}}
    _transact(server, [*inserted, switch])


if __name__ == "__main__":
    sys.exit(main())
