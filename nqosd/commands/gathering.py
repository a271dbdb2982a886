"""What commands look at: objects from the cluster or from manifests, and the Northbound database.

In: a configuration, and perhaps paths of manifests. Out: `Tables`, and a `Database`. Rule: each kind is listed once,
through the daemon's own informers, so a command sees exactly what the daemon would.
"""

import asyncio
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path

import msgspec
from msgspec.structs import replace

from nqosd.api.changes import Change, ResourceKind
from nqosd.cache.tables import Tables
from nqosd.commands.exits import CommandError, UsageError
from nqosd.compiler.settings import Settings
from nqosd.config import Config
from nqosd.daemon.daemon_options import kube_options, northbound_options, reflector_options, round_options
from nqosd.informers.api_server import ApiServerSource
from nqosd.informers.manifests.paths import Manifests, read_manifests
from nqosd.informers.reflector_steps import ReflectorOptions
from nqosd.informers.resources import RESOURCES
from nqosd.kube.client import KubeClient
from nqosd.northbound.replica.replica import Replica
from nqosd.northbound.visit import ReadError, read_replica

TIMEOUT = 60.0
"""Seconds to wait for the lists of all kinds; 100,000 pods take about ten."""


FAULT = 2.0
"""Seconds for which the API server may refuse, or be out of reach: long enough for one that restarts behind a proxy."""


class GatherError(CommandError):
    """Something isn't to be had; the message says what and why."""


class Database(msgspec.Struct, frozen=True):
    """The Northbound database as of one moment, and the settings under which the daemon would compile for it."""

    replica: Replica
    settings: Settings


async def gather_objects(
    config: Config, paths: Sequence[Path] = (), kinds: Collection[ResourceKind] = tuple(ResourceKind)
) -> Tables:
    """Read all objects: from `paths`, else from where the daemon takes them; of an API server those of some `kinds`.

    Raises:
        UsageError: a manifest isn't usable.
        GatherError: the API server can't be used, or hasn't listed a kind in time.
    """
    section = config.kubernetes
    if paths or section.source == "manifests":
        return from_manifests(read_manifests(paths or section.manifests))
    async with KubeClient(kube_options(config)) as client:
        return await list_objects(client, reflector_options(config), kinds)


async def list_objects(
    client: KubeClient, options: ReflectorOptions, kinds: Collection[ResourceKind] = tuple(ResourceKind)
) -> Tables:
    """Read all objects from the API server.

    Raises:
        GatherError: it can't be used, or hasn't listed a kind in time.
    """
    listing = _Listing(kinds)
    options = replace(options, grace=TIMEOUT)  # a server that is slow is no fault
    resources = [each for each in RESOURCES if each.kind in kinds]
    source = ApiServerSource(client, options=options, in_touch=listing.in_touch, resources=resources)
    task = asyncio.create_task(source.run(listing))
    listed = asyncio.create_task(listing.done.wait())
    try:
        await asyncio.wait({task, listed}, timeout=TIMEOUT, return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            await task
        if listing.unsynced and listing.troubles:
            reasons = "; ".join(dict.fromkeys(listing.troubles.values()))
            raise GatherError(f"the API server can't be used: {reasons}")
        if listing.unsynced:
            unsynced = ", ".join(sorted(listing.unsynced))
            raise GatherError(f"the API server hasn't listed {unsynced} within {TIMEOUT:g} s")
    finally:
        for each in (task, listed):
            each.cancel()
        await asyncio.gather(task, listed, return_exceptions=True)
    return listing.tables


def from_manifests(manifests: Manifests) -> Tables:
    """Put manifests into tables as the daemon does, which takes no node for granted.

    Raises:
        UsageError: one of them isn't usable.
    """
    if manifests.problems:
        raise UsageError("\n".join(map(str, manifests.problems)))
    tables = Tables()
    for change in manifests.changes():
        tables.apply(change)
    return tables


async def gather_database(config: Config, names: Iterable[str] = ()) -> Database:
    """Read the Northbound database; `names` are sets to look for whoever owns them.

    Raises:
        GatherError: it can't be read.
    """
    try:
        replica = await read_replica(northbound_options(config), names=names)
    except ReadError as error:
        raise GatherError(str(error)) from error
    return Database(replica, settings_for(config, replica))


def settings_for(config: Config, replica: Replica) -> Settings:
    """Give the settings under which the daemon would compile for a database.

    Raises:
        GatherError: its zone isn't known.
    """
    settings = round_options(config).settings(replica.zone, replica.northd_version)
    if settings is None:
        raise GatherError("NB_Global has no row yet, so its zone isn't known; set daemon.zone, or start ovn-northd")
    return settings


class _Listing:
    """A sink that takes every kind once, or gives up at a fault that lasts."""

    def __init__(self, kinds: Collection[ResourceKind]) -> None:
        self.tables = Tables()
        self.unsynced = set(kinds)
        self.troubles: dict[ResourceKind, str] = {}
        self.done = asyncio.Event()
        self._giving_up: asyncio.TimerHandle | None = None

    def changed(self, changes: list[Change]) -> None:
        """Take changes."""
        for change in changes:
            self.tables.apply(change)

    def synced(self, kind: ResourceKind) -> None:
        """Take note that a kind has been listed."""
        self.unsynced.discard(kind)
        if not self.unsynced:
            self.done.set()

    def in_touch(self, kind: ResourceKind, *, is_in_touch: bool, reason: str = "") -> None:
        """Take note of a fault, or of its end."""
        if is_in_touch:
            self.troubles.pop(kind, None)
        else:
            self.troubles[kind] = reason
        if not self.troubles and self._giving_up is not None:
            self._giving_up.cancel()
            self._giving_up = None
        elif self.troubles and self._giving_up is None:
            self._giving_up = asyncio.get_running_loop().call_later(FAULT, self.done.set)
