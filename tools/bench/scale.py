"""What a very large cluster means: `python -m tools.bench.scale` simulates it with the real compiler and the real plan.

In: nodes, pods for each, and whether the database is one node's or the whole cluster's. Out: rows, sets, operations and
bytes of the first transaction, memory and CPU time of a daemon; and what ovsdb-server takes for one more address in a
set of some size. Rule: nothing is extrapolated here; what doesn't fit on the machine isn't run.
"""

import contextlib
import gc
import multiprocessing
import sys
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from resource import getpagesize
from typing import cast

import attrs
from msgspec.structs import replace

from nqosd.api.changes import Change, Object, ResourceKind
from nqosd.api.decoding import decode_network_qos
from nqosd.api.objects import Attachment, Namespace, Node, Pod
from nqosd.compiler.incremental import IncrementalCompiler
from nqosd.compiler.settings import Settings
from nqosd.northbound.plan.plan import make_plan
from nqosd.northbound.plan.plan_options import PlanOptions
from nqosd.northbound.plan.scope import PlanScope
from nqosd.northbound.replica.replica import Replica
from nqosd.ovsdb.framing import encode
from tests.api.manifests import Json, wire
from tests.services.generation import GENERATIONS
from tests.services.monitor import DATABASE, OvsdbClient
from tests.services.ovsdb import OvsdbServer
from tools.bench.services import usage

NAMESPACES = 100
POLICIES = 1_000
PODS_OF_A_NODE = 250
EVENTS = 1_000
ZONES = ((100, "node-0"), (1_000, "node-0"), (5_000, "node-0"), (20, ""), (100, ""), (400, ""))
"""Nodes, and the zone: a node's own database, or (empty) one for the whole cluster."""
MEMBERS = (100, 1_000, 10_000, 100_000, 1_000_000)
MUTATIONS = 100


@attrs.frozen
class Outcome:
    """What one daemon has to do and to hold. MiB, seconds and microseconds are measured."""

    pods: int
    rows: int
    sets: int
    members: int
    largest_set: int
    operations: int
    megabytes: float
    compile_seconds: float
    plan_seconds: float
    server_seconds: float
    resident: float
    event_microseconds: float = 0.0


def main() -> int:
    """Print the measurements as a table."""
    print(
        "| nodes | database of | " + " | ".join(field.name.replace("_", " ") for field in attrs.fields(Outcome)) + " |"
    )
    # each in a process of its own: memory that one gave back would hide what the next one takes
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn"), max_tasks_per_child=1) as pool:
        for nodes, zone in ZONES:
            found = pool.submit(simulate, nodes, zone).result()
            cells = (f"{value:,.1f}" if isinstance(value, float) else f"{value:,}" for value in attrs.astuple(found))
            print(f"| {nodes:,} | {zone or 'the cluster'} | {' | '.join(cells)} |", flush=True)
    print("\n| members of a set | ms for one more, ovsdb-server |")
    for members in MEMBERS:
        print(f"| {members:,} | {milliseconds_for_a_member(members):.2f} |", flush=True)
    return 0


def simulate(nodes: int, zone: str) -> Outcome:
    """Compile a cluster, plan the first transaction and commit it to a real server."""
    with contextlib.ExitStack() as stack:
        return _simulate(nodes, zone, stack)


def _simulate(nodes: int, zone: str, stack: contextlib.ExitStack) -> Outcome:
    gc.disable()
    before = _resident()
    count = nodes * PODS_OF_A_NODE
    compiler = IncrementalCompiler(Settings(zone=zone))
    begin = time.process_time()
    compiler.apply(surroundings(nodes))
    compiler.apply(Change(ResourceKind.POD, value.key, None, value) for value in map(pod, range(count)))
    compiled = time.process_time() - begin
    resident = _resident() - before
    desired, replica = compiler.desired, Replica("nqosd")
    server = stack.enter_context(OvsdbServer(GENERATIONS[-1]))
    client = OvsdbClient(server.socket)
    for name in [f"node-{node}" for node in range(nodes)] if not zone else [zone]:
        answer = client.call("transact", [DATABASE, {"op": "insert", "table": "Logical_Switch", "row": {"name": name}}])
        [inserted] = cast("list[Mapping[str, list[str]]]", answer)
        replica.apply("Logical_Switch", inserted["uuid"][1], {"insert": {"name": name}})
    begin = time.process_time()
    plan = make_plan(
        desired, replica, PlanScope.whole(desired, replica), PlanOptions("nqosd", may_wait=compiler.may_wait)
    )
    sizes = [len(each.addresses) for each in desired.address_sets.values()]
    planned = time.process_time() - begin
    bodies = [operation.body for operation in plan.operations]
    size = len(encode(bodies))
    used = usage(server.pid).cpu
    answers = client.call("transact", [DATABASE, *bodies])
    refused = [each for each in cast("list[dict[str, object] | None]", answers) if each is None or "error" in each]
    if refused:
        raise RuntimeError(f"the server refused the transaction: {refused[0]}")
    committed = usage(server.pid).cpu - used
    outcome = Outcome(
        pods=count,
        rows=len(desired.rows),
        sets=len(sizes),
        members=sum(sizes),
        largest_set=max(sizes),
        operations=len(plan.operations),
        megabytes=size / 1e6,
        compile_seconds=compiled,
        plan_seconds=planned,
        server_seconds=committed,
        resident=resident,
    )
    begin = time.process_time()
    for number in range(count, count + EVENTS):
        value = replace(pod(number), node=f"node-{number % nodes}")
        compiler.apply([Change(ResourceKind.POD, value.key, None, value)])
    return attrs.evolve(outcome, event_microseconds=(time.process_time() - begin) / EVENTS * 1e6)


def milliseconds_for_a_member(members: int) -> float:
    """Give what ovsdb-server takes to add one address to a set that has so many."""
    with OvsdbServer(GENERATIONS[-1]) as server:
        client = OvsdbClient(server.socket)
        addresses = ["set", [f"10.{n >> 16}.{n >> 8 & 255}.{n & 255}" for n in range(members)]]
        row = {"name": "scale", "addresses": addresses}
        client.call("transact", [DATABASE, {"op": "insert", "table": "Address_Set", "row": row}])
        begin = time.monotonic()
        for number in range(MUTATIONS):
            where, mutation = [["name", "==", "scale"]], ["addresses", "insert", f"192.168.0.{number}"]
            mutate = {"op": "mutate", "table": "Address_Set", "where": where, "mutations": [mutation]}
            client.call("transact", [DATABASE, mutate])
        client.close()
        return (time.monotonic() - begin) / MUTATIONS * 1000


def surroundings(nodes: int) -> Iterator[Change]:
    """Give nodes, namespaces and policies: each pod is a sender of one policy, each policy of ten in a namespace."""
    for number in range(nodes):
        yield _change(ResourceKind.NODE, Node(f"node-{number}"))
    for number in range(NAMESPACES):
        yield _change(ResourceKind.NAMESPACE, Namespace(f"tenant-{number}"))
    for number in range(POLICIES):
        yield _change(ResourceKind.NETWORK_QOS, decode_network_qos(wire(_policy(number))).value)


def _change(kind: ResourceKind, value: Object) -> Change:
    return Change(kind, value.key, None, value)


def pod(number: int) -> Pod:
    """Give a pod; those of one node are spread over all namespaces, those of one policy over all nodes."""
    group = str(number // NAMESPACES % 10)
    labels = _LABELS[group, number // 1000 % 10 == 0]
    address = f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}"
    node = sys.intern(f"node-{number // PODS_OF_A_NODE}")
    namespace = sys.intern(f"tenant-{number % NAMESPACES}")
    return Pod(namespace, f"pod-{number}", labels, node, attachments=(Attachment("default", (address,)),))


_LABELS = {
    (str(group), is_database): {"g": str(group), "role": "db" if is_database else "web"}
    for group in range(10)
    for is_database in (False, True)
}


def _policy(number: int) -> Json:
    block = {"cidr": "0.0.0.0/0", "except": ["10.0.0.0/8", "172.16.0.0/12"]}
    limited = {"dscp": 20, "bandwidth": {"rate": 20000}, "classifier": {"to": [{"ipBlock": block}]}}
    database = {"podSelector": {"matchLabels": {"role": "db"}}}
    marked = {"dscp": 46, "classifier": {"to": [database], "ports": [{"protocol": "TCP", "port": 5432}]}}
    group = number // NAMESPACES
    meta = {"name": f"policy-{number}", "namespace": f"tenant-{number % NAMESPACES}", "resourceVersion": "1"}
    selector = {"matchLabels": {"g": str(group)}}
    return {"metadata": meta, "spec": {"priority": group, "podSelector": selector, "egress": [limited, marked]}}


def _resident() -> float:
    return int(Path("/proc/self/statm").read_text().split()[1]) * getpagesize() / 2**20


if __name__ == "__main__":
    sys.exit(main())
