"""One measurement: a few real daemons, the rest of a cluster's by a fleet, pods that change, a policy that changes.

In: a cluster of some nodes, and options of the daemons. Out: a `Cost`. Rule: bytes are counted at a port in front of
the API server, CPU time and memory read from /proc; nothing is reckoned here.
"""

import asyncio
import contextlib
import json
import time
from collections.abc import Awaitable, Mapping, Sequence
from pathlib import Path
from typing import Any

import attrs
import yaml

from tests.services.daemon import Options
from tests.services.generation import GENERATIONS
from tests.services.kubernetes import ApiServer
from tests.services.latency import Latency
from tests.services.ovsdb import OvsdbServer
from tools.bench.services import Daemon, usage
from tools.zones import cluster
from tools.zones.fleet import Fleet, script
from tools.zones.one_pod import one_pod
from tools.zones.recorder import Recorder

ACCOUNT = "system:serviceaccount:kube-system:nqosd"
"""The user as whom the daemons work: with their own rights, and the API server's own fairness."""
DEADLINE = 300.0
IDLE_FOR, IDLE_CPU = 2.0, 0.1
"""The API server is idle when it has used less than a tenth of a processor for so many seconds."""
CHANGED = cluster.POLICIES - 1
"""The policy that is changed."""


@attrs.frozen
class Load:
    """How much is asked of a measurement: real daemons, seconds of pods that change, how many change in them."""

    daemons: int = 2
    seconds: float = 20.0
    changes: int = 200
    fleet: int | None = None
    """How many zones of the fleet do all that a daemon does; the others only watch policies and report."""
    quiet: float = 50.0
    """Seconds without a change of any policy after which nothing follows from a start any more: what is said of zones
    that never report is said after 45 s."""
    pods: int = 100
    """How many pods get another address, one after another, for each way in which a pod can concern a daemon."""
    starts: int = 0
    """How many daemons are started for their start alone, before those that stay beside a fleet."""


@attrs.frozen
class Started:
    """One daemon until it was ready: seconds, bytes from the API server, MiB."""

    first_list: float
    ready: float
    received: int
    resident: float


@attrs.frozen
class PolicyChange:
    """One policy changed: seconds until Ready (None: it wasn't), writes by kind, bytes of reports and of the object."""

    seconds: float | None
    writes: Mapping[str, int]
    slow: int
    """How many of the writes took the API server more than 100 ms."""
    reported: int
    size: int


@attrs.frozen
class Window:
    """Some seconds: bytes that the first and the last of the real daemons received, and CPU seconds of the API server.

    The first one sums up the status of all zones as well, if it was elected, which it is as the first that starts.
    """

    first: int
    last: int
    server_cpu: float


@attrs.frozen
class Cost:
    """What was measured with so many nodes."""

    nodes: int
    mode: str
    started: Sequence[Started]
    pods: Mapping[str, Latency]
    """One pod that comes alone, by the way in which it concerns the daemon, and a bare transaction."""
    idle: Window
    """Nothing changed, and every zone had its daemon."""
    busy: Window
    """As long, while pods changed that the last daemon hears of."""
    heard: float
    """The share of all pods that it hears of."""
    resident: float
    """MiB of the largest daemon."""
    with_fleet: bool
    """Whether every node had a daemon, a real one or the fleet's."""
    fleet_start_cpu: float
    """CPU seconds of the API server for each zone of the fleet that starts, whatever it does."""
    fleet_start_bytes: float
    change: PolicyChange


async def measure(api: ApiServer, nodes: int, mode: str, options: Options, load: Load, *, fleet: bool) -> Cost:
    """Measure one mode of the daemons in a cluster of so many nodes; the fleet, if any, makes a daemon for each."""
    async with contextlib.AsyncExitStack() as stack:
        services = contextlib.ExitStack()
        stack.push_async_callback(asyncio.to_thread, services.close)
        once = [await _start_once(api, options) for _ in range(load.starts if fleet else 0)]
        recorders = [await stack.enter_async_context(Recorder(api)) for _ in range(load.daemons)]
        running: list[tuple[Daemon, Started]] = []
        pods: Mapping[str, Latency] = {}
        for number, recorder in enumerate(recorders):
            server = await asyncio.to_thread(_database, services, cluster.zone(number))
            running.append(await _start(api, services, server, recorder, options))
            if number == 0:  # before others are there, which would hear of the same peers on the same cores
                await _idle(api)
                pods = await one_pod(api, recorder, server, cluster.ways(number, nodes), load.pods)
        await asyncio.sleep(load.seconds)  # in which the last daemon shows what it does again and again
        requests = recorders[-1].requests
        rest = [cluster.zone(number) for number in range(load.daemons, nodes)] if fleet else []
        whole = min(len(rest), len(rest) if load.fleet is None else load.fleet)
        before = usage(api.pid).cpu
        made = script(cluster.zone(load.daemons - 1), requests, time.monotonic() - requests[0].moment)
        others = await stack.enter_async_context(Fleet(api, made, rest, whole))
        async with asyncio.timeout(DEADLINE):
            await others.synced.wait()
        fleet_cpu, fleet_bytes = usage(api.pid).cpu - before, others.received
        async with asyncio.timeout(DEADLINE):
            await _quiet(api, load.quiet)
        hears_all = options.get("kubernetes", {}).get("pods") != "auto"
        heard = range(nodes * cluster.PODS_OF_A_NODE) if hears_all else cluster.heard(load.daemons - 1, nodes)
        return Cost(
            nodes=nodes,
            mode=mode,
            pods=pods,
            started=[*once, *(each for _daemon, each in running)],
            idle=await _window(api, recorders, asyncio.sleep(load.seconds)),
            busy=await _window(api, recorders, asyncio.to_thread(_churn, api, heard, load)),
            heard=len(heard) / (nodes * cluster.PODS_OF_A_NODE),
            resident=max(usage(each.pid).resident for each, _started in running),
            with_fleet=fleet,
            fleet_start_cpu=fleet_cpu / max(len(rest), 1),
            fleet_start_bytes=fleet_bytes / max(len(rest), 1),
            change=await _change(api, recorders, others),
        )


async def _quiet(api: ApiServer, seconds: float) -> None:
    """Wait until no policy has changed for so many seconds: statuses tell no more of the daemons' start."""
    before, since = "", time.monotonic()
    while time.monotonic() - since < seconds:
        answer = await asyncio.to_thread(api.request, "GET", "/apis/k8s.ovn.org/v1alpha1/networkqoses")
        if (found := str([each["metadata"]["resourceVersion"] for each in json.loads(answer)["items"]])) != before:
            before, since = found, time.monotonic()
        await asyncio.sleep(1.0)


async def _idle(api: ApiServer) -> None:
    """Wait until the API server does next to nothing: collecting what it made for a list takes it seconds."""
    async with asyncio.timeout(DEADLINE):
        while True:
            before = usage(api.pid).cpu
            await asyncio.sleep(IDLE_FOR)
            if usage(api.pid).cpu - before < IDLE_CPU * IDLE_FOR:
                return


async def _window(api: ApiServer, recorders: Sequence[Recorder], meanwhile: Awaitable[None]) -> Window:
    cpu, first, last = usage(api.pid).cpu, recorders[0].received, recorders[-1].received
    await meanwhile
    return Window(recorders[0].received - first, recorders[-1].received - last, usage(api.pid).cpu - cpu)


async def _start_once(api: ApiServer, options: Options) -> Started:
    """Start a daemon with an empty database, and end it once it is ready."""
    async with contextlib.AsyncExitStack() as stack:
        services = contextlib.ExitStack()
        stack.push_async_callback(asyncio.to_thread, services.close)
        recorder = await stack.enter_async_context(Recorder(api))
        server = await asyncio.to_thread(_database, services, cluster.zone(0))
        _daemon, started = await _start(api, services, server, recorder, options)
        return started


def _database(services: contextlib.ExitStack, zone: str) -> OvsdbServer:
    """Give a database that has the zone's switch."""
    server = services.enter_context(OvsdbServer(GENERATIONS[-1], name=f"nb-{zone}"))
    router = f"stor-{zone}"
    switch = f"ls-add {zone} -- lsp-add {zone} {router} -- lsp-set-type {router} router"
    server.nbctl("set", "NB_Global", ".", f"name={zone}", "--", *switch.split())
    return server


async def _start(
    api: ApiServer, services: contextlib.ExitStack, server: OvsdbServer, recorder: Recorder, options: Options
) -> tuple[Daemon, Started]:
    daemon = Daemon([server.unix], kubeconfig=_kubeconfig(api, server.directory, recorder.port), options=options)
    await _idle(api)
    begin = time.monotonic()
    await asyncio.to_thread(services.enter_context, daemon)
    await asyncio.to_thread(daemon.wait_until, daemon.says_ready, what="ready", deadline=DEADLINE)
    ready = time.monotonic() - begin
    first = recorder.requests[0].moment - begin
    return daemon, Started(first, ready, recorder.received, usage(daemon.pid).resident)


def _kubeconfig(api: ApiServer, directory: Path, port: int) -> Path:
    """Write a kubeconfig that leads through a recorder."""
    config = yaml.safe_load(api.kubeconfig(ACCOUNT).read_text())
    config["clusters"][0]["cluster"]["server"] = f"http://127.0.0.1:{port}"
    file = directory / "kubeconfig"
    file.write_text(yaml.safe_dump(config))
    return file


def _churn(api: ApiServer, pods: Sequence[int], load: Load) -> None:
    """Change some pods, evenly in time."""
    begin = time.monotonic()
    for count in range(load.changes):
        cluster.touch(api, pods[count * 7919 % len(pods)])
        time.sleep(max(0.0, begin + (count + 1) * load.seconds / load.changes - time.monotonic()))


async def _change(api: ApiServer, recorders: Sequence[Recorder], fleet: Fleet) -> PolicyChange:
    """Change a policy, and wait until its status says that all zones have applied it."""
    path = f"{cluster.POLICIES_PATH.format(cluster.namespace(CHANGED))}/policy-{CHANGED}"
    old = json.loads(await asyncio.to_thread(api.request, "GET", path))["spec"]["priority"]
    before, slow = _writes(api)
    sent = fleet.sent
    begin = time.monotonic()
    patch = {"spec": {"priority": 1 + old % 99}}
    answer = await asyncio.to_thread(api.request, "PATCH", path, patch, content_type="application/merge-patch+json")
    changed = json.loads(answer)
    fleet.await_reports(int(changed["metadata"]["resourceVersion"]))
    seconds: float | None = None
    found: dict[str, Any] = {}
    zones = {f"Ready-In-Zone-{cluster.zone(number)}" for number in range(len(recorders))}
    while seconds is None and time.monotonic() - begin < DEADLINE / 10:
        found = json.loads(await asyncio.to_thread(api.request, "GET", path))
        if _is_ready(found, zones):
            seconds = time.monotonic() - begin
        await asyncio.sleep(0.05)
    after, slow_after = _writes(api)
    written = {kind: after[kind] - before.get(kind, 0) for kind in after if after[kind] != before.get(kind, 0)}
    return PolicyChange(seconds, written, slow_after - slow, fleet.sent - sent, len(json.dumps(found)))


def _is_ready(found: Mapping[str, Any], zones: set[str]) -> bool:
    """Say whether the status is about this generation: by the condition over all zones, before it by those of zones."""
    generation = found["metadata"]["generation"]
    conditions = {
        each["type"]: each["status"]
        for each in found.get("status", {}).get("conditions", [])
        if each.get("observedGeneration") == generation
    }
    return conditions.get("Ready") == "True" or all(conditions.get(each) == "True" for each in zones)


def _writes(api: ApiServer) -> tuple[dict[str, int], int]:
    """Count writes of reports and statuses by kind, and those that took more than 100 ms."""
    counts: dict[str, int] = {}
    total = quick = 0
    for line in api.request("GET", "/metrics").decode().splitlines():
        if not ("leases" in line or "networkqoses" in line) or not any(f'verb="{v}"' in line for v in VERBS):
            continue
        name, _space, value = line.rpartition(" ")
        if name.startswith("apiserver_request_total{"):
            kind = "reports" if "leases" in name else "status" if 'subresource="status"' in name else "other"
            counts[kind] = counts.get(kind, 0) + int(value)
        elif name.startswith("apiserver_request_duration_seconds_bucket{") and 'le="0.1"' in name:
            quick += int(value)
        elif name.startswith("apiserver_request_duration_seconds_count{"):
            total += int(value)
    return counts, total - quick


VERBS = ("APPLY", "PATCH", "PUT", "POST")
