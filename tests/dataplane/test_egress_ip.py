"""EgressIP beside a policy on a primary layer2 network: connections from outside to served pods work, on real packets.

The gateway router sends what served pods begin elsewhere, which here is nowhere; replies to connections from outside
have EgressIP's packet mark, by which the router lets them go back the way that they came.
"""

import json
import select
import socket
from collections.abc import Iterator
from ipaddress import ip_address
from pathlib import Path

import pytest

from tests.dataplane.definitions import definition
from tests.dataplane.namespaces import open_socket
from tests.dataplane.networks import Network, external
from tests.dataplane.pods import PodSpec
from tests.dataplane.testbed import Testbed
from tests.services.chassis import NetworkNamespace
from tests.services.daemon import Nqosd
from tests.services.generation import GENERATIONS, LATEST, OvnGeneration

NETWORK = Network("even", "layer2", 165, "even/even", gateway=1)
SERVED = PodSpec("even", "served", 1, 11, (NETWORK,), {"app": "served"})
ROUTER, SWITCH = "GR_even_ovn-worker", NETWORK.switch(1)
VIPS = tuple(each.ip for each in external(51))
"""Addresses of the router outside."""
NOWHERE = tuple(str(each.ip) for each in external(250))
PORT, DSCP = 8080, 46
ANSWERS, SILENT = 60.0, 2.0
"""Seconds until an answer must be there, and after which none is expected any more."""
GENERATIONS_WITH_MARKS = [each for each in (GENERATIONS[-1], LATEST) if each.is_installed]
POLICY = {
    "apiVersion": "k8s.ovn.org/v1alpha1",
    "kind": "NetworkQoS",
    "metadata": {"namespace": "even", "name": "served"},
    "spec": {"priority": 10, "egress": [{"dscp": DSCP, "bandwidth": {"rate": 20000}}]},
}


@pytest.fixture(params=GENERATIONS_WITH_MARKS, ids=lambda one: one.series)
def bed(request: pytest.FixtureRequest) -> Iterator[Testbed]:
    """Give a served pod behind a service of its router, which answers on both families."""
    generation = request.param
    assert isinstance(generation, OvnGeneration)
    with Testbed(generation) as running:
        running.add_networks([NETWORK])
        running.add_pods([SERVED])
        yield running


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
            ["lb-add", f"lb{family}", f"{front}:{PORT}", f"{backend}:{PORT}", "tcp"],
            ["lr-lb-add", ROUTER, f"lb{family}"],
        ]
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
    with _listener(pod, family) as server, open_socket(outside, family, socket.SOCK_STREAM) as client:
        frames = open_socket(outside, socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
        with frames:
            client.connect_ex((vip, PORT))
            ready, _, _ = select.select([server], [], [], patience)
            _, connected, _ = select.select([], [client], [], patience if ready else 0.0)
            if not connected or client.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
                return None
            return next((found for found in _dscps(frames, vip)), None)


def _listener(namespace: NetworkNamespace, family: int) -> socket.socket:
    server = open_socket(namespace, family, socket.SOCK_STREAM)
    server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    server.bind(("::" if family == socket.AF_INET6 else "0.0.0.0", PORT))  # noqa: S104 - in a namespace of the test
    server.listen()
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


def test_a_served_pod_is_reached_from_outside(bed: Testbed, tmp_path: Path) -> None:
    """Without EgressIP's mark nothing comes back; with it the connection works, with and without a policy's rows."""
    add_egress_ip(bed)
    vips = list(map(str, VIPS))
    assert [reply(bed, vip, SILENT) for vip in vips] == [None, None]
    add_marks(bed)
    assert [reply(bed, vip, ANSWERS) for vip in vips] == [0, 0]
    for name, each in (("policy", POLICY), ("pod", bed.pods[SERVED.key].manifest), ("network", definition(NETWORK))):
        (tmp_path / f"{name}.json").write_text(json.dumps(each))
    with Nqosd([bed.central.nb.unix], manifests=[tmp_path]) as daemon:
        daemon.wait_until(lambda: daemon.metric("nqosd_replica_rows", table="QoS") == 4, what="done with the policy")
        daemon.settle()
        bed.sync()
        assert [reply(bed, vip, ANSWERS) for vip in vips] == [DSCP, DSCP]
        (tmp_path / "policy.json").unlink()
        daemon.configure({"northbound": {"detach_after": 0}})
        daemon.restart()
        daemon.wait_until(lambda: daemon.metric("nqosd_replica_rows", table="QoS") == 0, what="done without the policy")
        bed.sync()
        assert [reply(bed, vip, ANSWERS) for vip in vips] == [0, 0]
