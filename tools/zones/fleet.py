"""Many daemons as the API server sees them: clients that repeat, each for a zone of its own, what a real one requested.

In: the requests of a real daemon, and how many others there are. Out: the same lists, watches, probes and reports, with
the zone's name exchanged, whose answers are read and thrown away. Rule: nothing here knows which requests a daemon
makes; what it does know is that a watch goes on from the newest resource version that was seen, and that a report
follows when the watch of policies has brought the version that is waited for.
"""

import asyncio
import datetime as dt
import random
import re
import ssl
import time
import zlib
from collections.abc import Coroutine, Mapping, Sequence
from typing import Self
from urllib.parse import parse_qsl, urlencode, urlsplit

import aiohttp
import attrs

from nqosd.status.reporter import LONGEST_SPREAD, SPREAD
from nqosd.status.reports import RENEWAL
from tests.services.kubernetes import ApiServer
from tools.zones.recorder import Request

LEASES = "/leases/"
POLICIES = "/networkqoses"
TAIL = 8192
PAUSE = 1.0
"""Seconds until what was refused is tried again."""
LIST_END = b"k8s.io/initial-events-end"
_VERSION = re.compile(rb'"resourceVersion":"(\d+)"')
_REPORTED = re.compile(rb'(\\"version\\":)\d+')
_RENEWED = re.compile(rb'("renewTime": ?")[^"]*')
_HEADERS = ("accept", "accept-encoding", "content-type", "user-agent", "authorization")


@attrs.frozen
class Stream:
    """What a daemon asks for of one resource: at first, and then again and again; `every`: seconds between two."""

    first: Request
    again: Request | None
    every: float = 0.0


@attrs.frozen
class Script:
    """What one daemon does, for ever."""

    zone: str
    streams: Sequence[Stream]
    report: Request | None


def script(zone: str, requests: Sequence[Request], seconds: float) -> Script:
    """Make a script of what a daemon requested in so many seconds."""
    asked: dict[tuple[str, ...], list[Request]] = {}
    for each in requests:
        if each.method == "GET" and "continue=" not in each.target and LEASES not in each.target:
            query = dict(parse_qsl(urlsplit(each.target).query))
            parts = (urlsplit(each.target).path, each.headers.get("accept", ""), query.get("fieldSelector", ""),
                     query.get("labelSelector", ""), query.get("limit", "") == "1")  # fmt: skip
            asked.setdefault(tuple(map(str, parts)), []).append(each)
    streams = [_stream(group, seconds) for group in asked.values()]
    reports = [
        each for each in requests if each.method in ("PATCH", "PUT") and LEASES in each.target and zone in each.target
    ]
    return Script(zone, streams, reports[-1] if reports else None)


def _stream(group: Sequence[Request], seconds: float) -> Stream:
    watches = [each for each in group if "watch=" in each.target and "sendInitialEvents" not in each.target]
    if watches:
        return Stream(group[0], watches[-1])
    return Stream(group[0], group[-1] if len(group) > 1 else None, seconds / len(group))


def _reporting(script: Script) -> Script:
    """Give the part of a script that brings news of policies, and reports."""
    return attrs.evolve(script, streams=[each for each in script.streams if POLICIES in each.first.target])


class Fleet:
    """So many zones; a context manager of asyncio, which starts them over some seconds.

    The first ones do the `whole` script, the others only what a report needs.
    """

    def __init__(self, server: ApiServer, script: Script, zones: Sequence[str], whole: int) -> None:
        self._script = script
        self._whole = whole
        self._base = server.url
        self._tls = ssl.create_default_context(cafile=server.ca_file)
        self.zones = zones
        self._tasks: list[asyncio.Task[None]] = []
        self.received = 0
        """Bytes of bodies, as they came, compressed ones compressed."""
        self.sent = 0
        """Bytes of the bodies of reports."""
        self.synced = asyncio.Event()
        """When every stream has had its first answer."""
        self._to_sync = whole * len(script.streams) + (len(zones) - whole) * len(_reporting(script).streams)
        self.reports: list[float] = []
        """Seconds that each report took."""
        self.awaited = 0
        """The resource version of a policy that zones report as soon as they have seen it."""
        self._members: list[_Zone] = []

    async def __aenter__(self) -> Self:
        connector = aiohttp.TCPConnector(ssl=self._tls, limit=0)
        self._session = aiohttp.ClientSession(connector=connector, auto_decompress=False, read_bufsize=2**18)
        if not self._to_sync:
            self.synced.set()
        for number, zone in enumerate(self.zones):
            script = self._script if number < self._whole else _reporting(self._script)
            it = _Zone(self, script, self._session, self._base, zone)
            self._members.append(it)
            self._tasks += [asyncio.create_task(each) for each in it.jobs()]
        return self

    def await_reports(self, version: int) -> None:
        """Let zones report as soon as they have seen this version of a policy, which some may have by now."""
        self.awaited = version
        for each in self._members:
            each.look()

    async def __aexit__(self, *_: object) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._session.close()

    def answered(self) -> None:
        """Count the first answer of a stream."""
        self._to_sync -= 1
        if not self._to_sync:
            self.synced.set()


class _Zone:
    """One zone of a fleet."""

    def __init__(self, fleet: Fleet, script: Script, session: aiohttp.ClientSession, base: str, name: str) -> None:
        self._fleet, self._session, self._base, self._name = fleet, session, base, name
        self._script = script
        self._spread = min(LONGEST_SPREAD, SPREAD * len(fleet.zones))
        self._newest = self._version = 0
        self._heard = asyncio.Event()

    def jobs(self) -> Sequence[Coroutine[None, None, None]]:
        """Give what this zone does at the same time."""
        streams = [self._repeat(each) for each in self._script.streams]
        return [*streams, *([self._report(self._script.report)] if self._script.report else [])]

    async def _repeat(self, stream: Stream) -> None:
        version = await self._insist(stream.first, None)
        self._fleet.answered()
        while stream.again is not None:
            await asyncio.sleep(stream.every)
            version = await self._insist(stream.again, version)

    async def _insist(self, request: Request, version: bytes | None) -> bytes:
        """Ask until it is answered: an API server that has much to do refuses what it can't do soon (429)."""
        while True:
            try:
                return await self._get(request, version)
            except (aiohttp.ClientError, OSError):
                await asyncio.sleep(PAUSE)

    async def _get(self, request: Request, version: bytes | None) -> bytes:
        """Read a whole answer; gives the last resource version in it."""
        target = self._own(request.target)
        if version is not None and "resourceVersion=" in target:
            parts = urlsplit(target)
            query = dict(parse_qsl(parts.query)) | {"resourceVersion": version.decode()}
            target = f"{parts.path}?{urlencode(query)}"
        tail = b""
        seen = version or b"0"
        async with self._session.get(self._base + target, headers=_headers(request)) as response:
            response.raise_for_status()
            unpack = zlib.decompressobj(47) if response.headers.get("Content-Encoding") == "gzip" else None
            async for chunk in response.content.iter_any():
                self._fleet.received += len(chunk)
                tail = (tail + (unpack.decompress(chunk) if unpack else chunk))[-TAIL:]
                found = _VERSION.findall(tail)
                seen = found[-1] if found else seen
                if version is None and LIST_END in tail:
                    return seen
                if POLICIES in target:
                    self._newest = max(self._newest, *map(int, found), 0)
                    self.look()
        return seen

    def look(self) -> None:
        """See to a report, if what is awaited has been seen."""
        if self._version < self._fleet.awaited <= self._newest:
            self._version = self._fleet.awaited
            self._heard.set()

    async def _report(self, request: Request) -> None:
        """Report at once when there is news, else in time."""
        await asyncio.sleep(random.uniform(0, RENEWAL))  # noqa: S311 - no secret depends on it
        while True:
            self._heard.clear()  # what is heard while this report is on its way is news for the next one
            body = self._own_body(request.body)
            if self._version:
                body = _REPORTED.sub(rb"\g<1>%d" % self._version, body)
            now = dt.datetime.now(dt.UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ").encode()
            body = _RENEWED.sub(rb"\g<1>" + now, body)
            begin = time.monotonic()
            target = self._base + self._own(request.target)
            async with self._session.request(request.method, target, data=body, headers=_headers(request)) as response:
                await response.read()
            self._fleet.reports.append(time.monotonic() - begin)
            self._fleet.sent += len(body)
            try:
                async with asyncio.timeout(RENEWAL):
                    await self._heard.wait()
                await asyncio.sleep(random.uniform(0, self._spread))  # noqa: S311 - no secret depends on it
            except TimeoutError:
                pass

    def _own(self, text: str) -> str:
        return text.replace(self._script.zone, self._name)

    def _own_body(self, body: bytes) -> bytes:
        return body.replace(self._script.zone.encode(), self._name.encode())


def _headers(request: Request) -> Mapping[str, str]:
    return {name: request.headers[name] for name in _HEADERS if name in request.headers}
