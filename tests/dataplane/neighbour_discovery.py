"""Neighbour discovery of a limited sender on a flat network that sends far more than its limit, on real packets.

In: a generation of OVN. Out: measurements: how many of many solicitations are answered, with and without the row that
lets them pass. The rule: the rows are the daemon's; the one that lets pass is taken away by hand, as a counter-check.
"""

import contextlib
import json
import socket
import struct
import tempfile
import threading
import time
from collections.abc import Iterator
from ipaddress import IPv6Address
from pathlib import Path

from tests.dataplane.definitions import definition
from tests.dataplane.guide import Measurement
from tests.dataplane.namespaces import open_socket
from tests.dataplane.networks import Network
from tests.dataplane.pods import Pod, PodSpec
from tests.dataplane.testbed import Testbed
from tests.services.daemon import Nqosd
from tests.services.generation import OvnGeneration

NETWORK = Network("even", "layer2", 165, "even/even", gateway=1)
SENDER = PodSpec("even", "sender", 1, 11, (NETWORK,), {"app": "sender"})
OTHER = PodSpec("even", "other", 1, 12, (NETWORK,), {"app": "other"})
POLICY = {
    "apiVersion": "k8s.ovn.org/v1alpha1",
    "kind": "NetworkQoS",
    "metadata": {"namespace": "even", "name": "limited"},
    "spec": {
        "priority": 10,
        "podSelector": {"matchLabels": SENDER.labels},
        "egress": [{"dscp": 8, "bandwidth": {"rate": 100}}],
    },
}
SOLICITATIONS = 30
IPV6, ADVERTISEMENT = 0x86DD, 136
ANSWERS = 20.0
"""Seconds in which answers may come; nobody waits longer than for the last one."""


def measure(generation: OvnGeneration) -> Iterator[Measurement]:
    """Flood from a limited pod, and solicit its neighbour meanwhile."""
    with Testbed(generation) as bed, tempfile.TemporaryDirectory() as directory:
        bed.add_networks([NETWORK])
        bed.add_pods([SENDER, OTHER])
        sender, other = bed.pods[SENDER.key], bed.pods[OTHER.key]
        for index, each in enumerate((POLICY, definition(NETWORK), sender.manifest, other.manifest)):
            (Path(directory) / f"{index}.json").write_text(json.dumps(each))
        with Nqosd([bed.central.nb.unix], manifests=[Path(directory)]) as daemon:
            daemon.wait_until(lambda: daemon.metric("nqosd_replica_rows", table="QoS") == 2, what="done")
            daemon.settle()
        bed.sync()
        what = f"neighbour discovery under a flood, {SOLICITATIONS} solicitations of a limited pod"
        seen = answered(sender, other)
        yield Measurement(what, f"{SOLICITATIONS} answered", str(seen), seen == SOLICITATIONS)
        row = bed.central.nb.nbctl("--bare", "--columns=_uuid", "find", "QoS", "priority=32767").strip()
        bed.central.nb.nbctl("remove", "Logical_Switch", NETWORK.switch(1), "qos_rules", row)
        bed.sync()
        few, seen = SOLICITATIONS * 2 // 3, answered(sender, other)
        yield Measurement(f"{what}, without the row that lets it pass", f"below {few}", str(seen), seen < few)


@contextlib.contextmanager
def flooding(sender: Pod, target: IPv6Address) -> Iterator[None]:
    """Send small datagrams meanwhile, some two thousand a second."""
    ended = threading.Event()

    def flood() -> None:
        with open_socket(sender.namespace, socket.AF_INET6, socket.SOCK_DGRAM) as out:
            while not ended.wait(0.0005):
                with contextlib.suppress(OSError):
                    out.sendto(b"flood", (str(target), 7000))

    thread = threading.Thread(target=flood, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def answered(sender: Pod, other: Pod) -> int:
    """Solicit a neighbour many times under a flood; give how many advertisements come."""
    mine, its = (_address(each) for each in (sender, other))
    frame = solicitation(sender.attachments[0].mac, mine, its)
    seen = 0
    with open_socket(sender.namespace, socket.AF_PACKET, socket.SOCK_RAW, socket.htons(IPV6)) as wire:
        wire.bind(("eth0", IPV6))
        with flooding(sender, its):
            time.sleep(1)  # the first datagrams take what has gathered in the meter
            for _ in range(SOLICITATIONS):
                wire.send(frame)
                time.sleep(0.05)
            end = time.monotonic() + ANSWERS
            while seen < SOLICITATIONS and time.monotonic() < end:
                wire.settimeout(1)
                with contextlib.suppress(TimeoutError):
                    packet = wire.recv(2048)[14:]
                    seen += packet[6] == socket.IPPROTO_ICMPV6 and packet[40] == ADVERTISEMENT
    return seen


def solicitation(mac: str, source: IPv6Address, target: IPv6Address) -> bytes:
    """Write the frame by which a neighbour is asked for its Ethernet address."""
    hardware, last = bytes.fromhex(mac.replace(":", "")), target.packed[-3:]
    group = IPv6Address("ff02::1:ff00:0").packed[:-3] + last
    body = struct.pack("!BBHI16sBB6s", 135, 0, 0, 0, target.packed, 1, 1, hardware)
    pseudo = source.packed + group + struct.pack("!II", len(body), socket.IPPROTO_ICMPV6)
    words = struct.unpack(f"!{(len(pseudo) + len(body)) // 2}H", pseudo + body)
    total = sum(words)
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    body = body[:2] + struct.pack("!H", ~total & 0xFFFF) + body[4:]
    header = struct.pack("!IHBB16s16s", 6 << 28, len(body), socket.IPPROTO_ICMPV6, 255, source.packed, group)
    return b"\x33\x33\xff" + last + hardware + struct.pack("!H", IPV6) + header + body


def _address(pod: Pod) -> IPv6Address:
    address = pod.attachments[0].addresses[1].ip
    assert isinstance(address, IPv6Address)
    return address
