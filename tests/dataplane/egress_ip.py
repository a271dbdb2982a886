"""EgressIP beside a policy on a primary layer2 network: connections from outside to served pods, on real packets.

In: a generation of OVN whose QoS rows can mark packets for routers. Out: measurements. The rule: what EgressIP writes
is written here; the policy's rows and what goes with them are the daemon's.

The gateway router sends what served pods begin elsewhere, which here is nowhere; replies to connections from outside
have EgressIP's packet mark, by which the router lets them go back the way that they came.
"""

import json
import select
import socket
import tempfile
import time
from collections.abc import Iterator
from ipaddress import ip_address
from pathlib import Path

import attrs

from tests.dataplane.definitions import definition
from tests.dataplane.expectation import rate_seen, within_limit
from tests.dataplane.guide import ATTEMPTS, Measurement
from tests.dataplane.namespaces import open_socket
from tests.dataplane.networks import Network, external
from tests.dataplane.pods import PodSpec
from tests.dataplane.testbed import Testbed
from tests.dataplane.traffic import HEADERS, PAYLOAD, Passed
from tests.services.chassis import NetworkNamespace
from tests.services.daemon import Nqosd
from tests.services.generation import OvnGeneration

NETWORK = Network("even", "layer2", 165, "even/even", gateway=1)
OLDER = attrs.evolve(NETWORK, has_transit_router=False)
"""The same network as it was before, with a gateway router alone."""
SERVED = PodSpec("even", "served", 1, 11, (NETWORK,), {"app": "served"})
ROUTER, SWITCH = "GR_even_ovn-worker", NETWORK.switch(1)
VIPS = tuple(each.ip for each in external(51))
"""Addresses of the router outside."""
NOWHERE = tuple(str(each.ip) for each in external(250))
PORT, DSCP, RATE, BURST = 8080, 46, 2000, 200
OFFERED, SECONDS = 4 * RATE, 0.5
"""kbps of a burst, and how long it lasts."""
ANSWERS, SILENT = 60.0, 2.0
"""Seconds until an answer must be there, and after which none is expected any more."""
POLICY = {
    "apiVersion": "k8s.ovn.org/v1alpha1",
    "kind": "NetworkQoS",
    "metadata": {"namespace": "even", "name": "served"},
    "spec": {"priority": 10, "egress": [{"dscp": DSCP, "bandwidth": {"rate": RATE, "burst": BURST}}]},
}


def measure(generation: OvnGeneration, network: Network = NETWORK) -> Iterator[Measurement]:
    """Connect from outside: without EgressIP's mark, with it, with a policy beside it, and without the policy again."""
    where = "transit router" if network.has_transit_router else "gateway router alone"
    for each in _measure(generation, network):
        yield attrs.evolve(each, what=f"EgressIP, {where}, {each.what}")


def _measure(generation: OvnGeneration, network: Network) -> Iterator[Measurement]:
    with Testbed(generation) as bed, tempfile.TemporaryDirectory() as directory:
        bed.add_networks([network])
        bed.add_pods([attrs.evolve(SERVED, networks=(network,))])
        add_egress_ip(bed)
        yield from _connections(bed, "without EgressIP's mark", None, SILENT)
        add_marks(bed)
        yield from _connections(bed, "no policy", 0)
        folder = Path(directory)
        for name, each in (("policy", POLICY), ("pod", bed.pods[SERVED.key].manifest), ("net", definition(network))):
            (folder / f"{name}.json").write_text(json.dumps(each))
        with Nqosd([bed.central.nb.unix], manifests=[folder]) as daemon:
            daemon.wait_until(
                lambda: daemon.metric("nqosd_replica_rows", table="QoS") == 4, what="done with the policy"
            )
            daemon.settle()
            bed.sync()
            yield from _connections(bed, "with a policy", DSCP)
            for vip in VIPS:
                yield from _limit(bed, str(vip))
            (folder / "policy.json").unlink()
            daemon.configure({"northbound": {"detach_after": 0}})
            daemon.restart()
            daemon.wait_until(lambda: daemon.metric("nqosd_replica_rows", table="QoS") == 0, what="done without it")
            bed.sync()
            yield from _connections(bed, "the policy is gone", 0)


def _connections(bed: Testbed, when: str, dscp: int | None, patience: float = ANSWERS) -> Iterator[Measurement]:
    for vip in VIPS:
        found = reply(bed, str(vip), patience)
        wanted, seen = ("no answer" if each is None else f"answered, DSCP {each}" for each in (dscp, found))
        what = f"IPv{vip.version}, a connection from outside to a served pod, {when}"
        yield Measurement(what, wanted, seen, found == dscp)


@attrs.frozen
class Counts:
    """Packets that the flows of EgressIP's mirror, and those of the rule, have seen on the pod's node."""

    mirror: int
    rule: int


def _counts(bed: Testbed) -> Counts:
    by_part = {"mirror": 0, "rule": 0}
    answer = bed.central.nb.nbctl("--format=json", "--columns=_uuid,external_ids", "list", "QoS")
    for (_, row), (_, pairs) in json.loads(answer)["data"]:
        ids = dict(pairs)
        if ids.get("nqosd.io/part", "").startswith("mark/"):
            by_part["mirror"] += bed.nodes[0].counted(row)
        elif "nqosd.io/rule" in ids:
            by_part["rule"] += bed.nodes[0].counted(row)
    return Counts(**by_part)


def _settled_counts(bed: Testbed) -> Counts:
    """Wait until nothing is counted any more: Open vSwitch brings its flows' counters up to date twice a second."""
    found, before = _counts(bed), None
    while found != before:
        time.sleep(1)
        found, before = _counts(bed), found
    return found


def _limit(bed: Testbed, vip: str) -> Iterator[Measurement]:
    """Let the served pod answer a datagram from outside by more than it may send."""
    what = f"IPv{ip_address(vip).version}, answers to outside"
    for _ in range(ATTEMPTS):
        before = _settled_counts(bed)
        passed = answers(bed, vip)
        after = _settled_counts(bed)
        if agrees := within_limit(RATE, BURST, passed.received, passed.seconds) and passed.dscp == {DSCP}:
            break
    dscps, rate = "/".join(map(str, sorted(passed.dscp))), rate_seen(passed, BURST)
    yield Measurement(what, f"{DSCP}, {RATE / 1000} Mbit/s", f"{dscps}, {rate:.1f} Mbit/s", agrees)
    size = frame_kilobits(vip)
    came, sent = round(passed.received / size), round(passed.offered / size)
    mirror, rule = after.mirror - before.mirror, after.rule - before.rule
    seen = f"{sent} sent, {rule} met the limit, {mirror} had a mark for the router, {came} came"
    yield Measurement(f"{what}, packets counted", "all that come", seen, came <= mirror and came < rule)


def frame_kilobits(vip: str) -> float:
    """Size of a datagram as a meter counts it."""
    return (PAYLOAD + HEADERS[ip_address(vip).version]) * 8 / 1000


def answers(bed: Testbed, vip: str) -> Passed:
    """Send a datagram from outside to the served pod, which answers by many; count those that come."""
    family = socket.AF_INET6 if ":" in vip else socket.AF_INET
    pod, outside = bed.pods[SERVED.key].namespace, bed.underlay.outside
    with _bound(pod, family, socket.SOCK_DGRAM) as server, open_socket(outside, family, socket.SOCK_DGRAM) as client:
        if family == socket.AF_INET:
            client.setsockopt(socket.IPPROTO_IP, socket.IP_RECVTOS, 1)
        else:
            client.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVTCLASS, 1)
        client.sendto(b"hello", (vip, PORT))
        select.select([server], [], [], ANSWERS)
        _, there = server.recvfrom(2048)
        sent, start = 0, time.monotonic()
        while (passed := time.monotonic() - start) < SECONDS:
            if sent * frame_kilobits(vip) < OFFERED * passed:
                server.sendto(bytes(PAYLOAD), there)
                sent += 1
            else:
                time.sleep(0.001)
        dscps = list(_arrived(client))
    size = frame_kilobits(vip)
    return Passed(sent * size, len(dscps) * size, passed, frozenset(dscps))


def _arrived(client: socket.socket) -> Iterator[int]:
    """Read the DSCP of what comes, until nothing has come for a while."""
    while select.select([client], [], [], SILENT / 2)[0]:
        _, ancillary, _, _ = client.recvmsg(2048, 64)
        yield ancillary[0][2][0] >> 2


def nbctl(bed: Testbed, *commands: list[str]) -> None:
    """Run commands in one transaction, and wait until both nodes have applied it."""
    bed.central.nb.nbctl(*[argument for command in commands for argument in ("--", *command)][1:])
    bed.sync()


def add_egress_ip(bed: Testbed) -> None:
    """Write what EgressIP writes, but for its row on the switch."""
    addresses = [str(each.ip) for each in bed.pods[SERVED.key].attachments[0].addresses]
    commands = [
        ["lr-policy-add", ROUTER, "102", "pkt.mark == 42", "allow"],
    ]
    for family, address, vip, away in zip((4, 6), addresses, VIPS, NOWHERE, strict=True):
        backend, front = (f"[{each}]" if family == 6 else each for each in (address, str(vip)))
        commands += [
            ["create", "Address_Set", f"name=served{family}", f'addresses="{address}"'],
            ["lr-policy-add", ROUTER, "100", f"ip{family}.src == $served{family}", "reroute", away],
        ]
        for protocol in ("tcp", "udp"):
            name = f"{protocol}{family}"
            commands.append(["lb-add", name, f"{front}:{PORT}", f"{backend}:{PORT}", protocol])
            commands.append(["lr-lb-add", ROUTER, name])
    nbctl(bed, *commands)


def add_marks(bed: Testbed) -> None:
    """Write EgressIP's rows on the switch."""
    for family in (4, 6):
        match = f"ip{family}.src == $served{family} && ct.trk && ct.rpl"
        ids = ["external_ids:k8s.ovn.org/owner-type=EgressIP", f"external_ids:k8s.ovn.org/id=egressip-{family}"]
        row = ["direction=from-lport", "priority=103", f'match="{match}"', "action:mark=42", *ids]
        nbctl(bed, ["--id=@row", "create", "QoS", *row], ["add", "Logical_Switch", SWITCH, "qos_rules", "@row"])


def reply(bed: Testbed, vip: str, patience: float) -> int | None:
    """Connect from outside; give the DSCP of what the served pod says, None where nothing comes."""
    family = socket.AF_INET6 if ":" in vip else socket.AF_INET
    pod, outside = bed.pods[SERVED.key].namespace, bed.underlay.outside
    with _bound(pod, family, socket.SOCK_STREAM) as server, open_socket(outside, family, socket.SOCK_STREAM) as client:
        server.listen()
        frames = open_socket(outside, socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
        with frames:
            client.connect_ex((vip, PORT))
            ready, _, _ = select.select([server], [], [], patience)
            _, connected, _ = select.select([], [client], [], patience if ready else 0.0)
            if not connected or client.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
                return None
            return next((found for found in _dscps(frames, vip)), None)


def _bound(namespace: NetworkNamespace, family: int, kind: int) -> socket.socket:
    server = open_socket(namespace, family, kind)
    server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    server.bind(("::" if family == socket.AF_INET6 else "0.0.0.0", PORT))  # noqa: S104 - in a namespace of the testbed
    return server


def _dscps(frames: socket.socket, source: str) -> Iterator[int]:
    """Read the DSCP of the frames that came from an address."""
    address = ip_address(source).packed
    while True:
        try:
            frame = frames.recv(2048)
        except BlockingIOError:
            return
        kind, packet = frame[12:14], frame[14:]
        if kind == b"\x08\x00" and packet[12:16] == address and packet[9] == socket.IPPROTO_TCP:
            yield packet[1] >> 2
        elif kind == b"\x86\xdd" and packet[8:24] == address and packet[6] == socket.IPPROTO_TCP:
            yield (int.from_bytes(packet[:2], "big") >> 4 & 0xFF) >> 2
