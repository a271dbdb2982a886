"""`python -m tools.one_event`: the way of one pod through the daemon, from the bytes of its event to its mutation.

In: a pod that enters one address set. Out: how many functions of `nqosd` are called on the way, in which files, and the
operation at its end. Rule: the parts are the daemon's own, put together without connections: reflector, inbox,
compiler, reconciler. What Python and libraries call isn't counted, nor are functions without a name (comprehensions,
lambdas), of which there are fewer in a newer Python.
"""

import asyncio
import gc
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from types import FrameType
from typing import cast

import attrs

import nqosd
from nqosd.api.changes import ResourceKind
from nqosd.compiler.incremental import IncrementalCompiler
from nqosd.compiler.settings import Settings
from nqosd.daemon.inbox import Inbox
from nqosd.informers.reflector import Reflector
from nqosd.northbound.plan.operations import Operation
from nqosd.northbound.reconciler import Reconciler
from nqosd.northbound.replica.idl_driver import IdlDriver
from nqosd.northbound.results import Observer
from nqosd.ovsdb.connection_options import Options
from tests.api.manifests import wire
from tests.informers.wire import BY_KIND
from tests.northbound.database import ModelDatabase
from tests.northbound.fake_driver import FakeDriver
from tools.bench.workload import NODE, Pods, policy, surroundings

PODS = 100
_ROOT = f"{Path(nqosd.__file__).parent}/"
_EVENT = b'{"type":"ADDED","object":%b}'
_KINDS = {"namespaces": ResourceKind.NAMESPACE, "nodes": ResourceKind.NODE}


@attrs.frozen
class Way:
    """The calls on the way, by file, and what is written at its end."""

    calls: Counter[str]
    operations: Sequence[Operation]


class _Counted(Exception):  # noqa: N818 - no error
    """The transaction is there: the way is at its end."""


class _Daemon:
    """The parts that a pod passes, as `nqosd.daemon.rounds` calls them; make it inside a running event loop."""

    def __init__(self) -> None:
        database = ModelDatabase()
        database.add("Logical_Switch", name=NODE)
        self.driver = FakeDriver(database)
        self.driver.turn = self._turn
        self.compiler = IncrementalCompiler(Settings())
        self.compiler.switches = database.replica.switches
        self._woken = asyncio.Event()
        self._inbox = Inbox(self._woken)
        driver = cast("IdlDriver", self.driver)
        self._reconciler = Reconciler(Options(), driver, Observer(), self._woken.set, self.driver.write)
        self._reflectors = {kind: Reflector(BY_KIND[kind], 0.0) for kind in ResourceKind if kind in BY_KIND}

    async def take(self, kind: ResourceKind, *objects: bytes) -> None:
        """Take events of objects, up to what they come to in the database."""
        lines = [_EVENT % each for each in objects]
        self._inbox.changed(self._reflectors[kind].lines(lines, 0.0).changes)
        await self._round()

    async def _round(self) -> None:
        delta = self.compiler.configure(self.compiler.settings, self._inbox.take())
        desired, may_wait = self.compiler.desired, self.compiler.may_wait
        await self._reconciler.reconcile(desired, delta, prune=True, may_wait=may_wait)

    async def settle(self) -> None:
        """Run rounds until nothing differs."""
        before = -1
        while len(self.driver.transactions) != before:
            before = len(self.driver.transactions)
            await self._round()

    def _turn(self) -> None:
        if changes := self.driver.idl.replica.take_changes():
            self._reconciler.take_changes(changes)


def walk() -> Way:
    """Follow a pod."""
    return asyncio.run(_walk())


async def _walk() -> Way:
    daemon, pods = _Daemon(), Pods(2)
    for resource, manifest in surroundings():
        await daemon.take(_KINDS[resource], wire(manifest))
    await daemon.take(ResourceKind.NETWORK_QOS, wire(policy(0)), wire(policy(1)))
    await daemon.take(ResourceKind.POD, *(pods.render(number, number) for number in range(1, PODS)))
    await daemon.settle()
    calls = Counter[str]()

    def count(frame: FrameType, event: str, _argument: object) -> None:
        code = frame.f_code
        if event == "call" and code.co_filename.startswith(_ROOT) and not code.co_name.startswith("<"):
            calls[code.co_filename.removeprefix(_ROOT)] += 1

    written: list[Operation] = []

    def end(operations: Sequence[Operation]) -> None:
        sys.setprofile(None)
        written.extend(operations)
        raise _Counted

    daemon.driver.faults.append(end)  # type: ignore[arg-type] # it never returns
    gc.disable()
    sys.setprofile(count)
    try:
        await daemon.take(ResourceKind.POD, pods.render(PODS + 1, PODS + 1))
    except _Counted:
        return Way(calls, written)
    finally:
        sys.setprofile(None)
        gc.enable()
    raise AssertionError("nothing was written")


def main() -> None:
    """Print the way."""
    way = walk()
    for file, number in way.calls.items():
        print(f"{number:4}  nqosd/{file}")
    print(f"{way.calls.total()} calls in {len(way.calls)} files, to {[each.kind.name for each in way.operations]}")


if __name__ == "__main__":
    main()
