"""How captured frames and tcpdump's text are read, and when a result counts as expected."""

import struct
from pathlib import Path

import pytest

from tests.dataplane.capture import Seen, read_frame
from tests.dataplane.expectation import Deserved, burst_agrees, marks_agree
from tests.dataplane.tcpdump import Tcpdump
from tests.dataplane.traffic import Marks, Passed
from tests.services.chassis import NetworkNamespace

MARKED, PLAIN = frozenset({20}), frozenset({0})
NOWHERE: frozenset[int] = frozenset()


def _udp(port: int, payload: bytes) -> bytes:
    return struct.pack("!HHHH", 40000, port, 8 + len(payload), 0) + payload


def _ip4(tos: int, port: int, payload: bytes) -> bytes:
    datagram = _udp(port, payload)
    header = struct.pack("!BBHHHBBH8x", 0x45, tos, 20 + len(datagram), 0, 0, 64, 17, 0)
    return bytes(12) + b"\x08\x00" + header + datagram


def _ip6(tos: int, port: int, payload: bytes) -> bytes:
    datagram = _udp(port, payload)
    header = struct.pack("!IHBB32x", (6 << 28) | (tos << 20), len(datagram), 17, 64)
    return bytes(12) + b"\x86\xdd" + header + datagram


def _geneve(tos: int, inner: bytes) -> bytes:
    return _ip4(tos, 6081, struct.pack("!BBHI8x", 2, 0, 0x6558, 0) + inner)


@pytest.mark.parametrize("inner", [_ip4, _ip6])
def test_a_frame_is_read_with_and_without_geneve(inner: object) -> None:
    """Payload and TOS of a datagram of either family are found, and the TOS of the header around it."""
    assert callable(inner)
    frame = inner(0x50, 7000, b"hello")
    assert read_frame(frame) == Seen(b"hello", 0x50, None)
    assert read_frame(_geneve(0x50, frame)) == Seen(b"hello", 0x50, 0x50)
    assert read_frame(_geneve(0, frame)) == Seen(b"hello", 0x50, 0)


def test_other_frames_are_left_out() -> None:
    """ARP and other protocols of IP are no datagrams."""
    assert read_frame(bytes(12) + b"\x08\x06" + bytes(28)) is None
    assert read_frame(_ip4(0x50, 7000, b"")[:23] + b"\x06" + bytes(30)) is None


@pytest.mark.parametrize(
    ("arrived", "wire", "agrees"),
    [
        ((20, 20, 20), (MARKED, MARKED, MARKED), True),
        ((20, None, 20), (MARKED, MARKED, MARKED), False),
        ((20, 20, 0), (MARKED, MARKED, MARKED), False),
        ((20, 20, 20), (MARKED, PLAIN, MARKED), False),
        ((20, 20, 20), (MARKED, MARKED | PLAIN, MARKED), False),
        ((20, 20, 20), (NOWHERE, NOWHERE, NOWHERE), False),
    ],
)
def test_marks_agree_only_everywhere(
    arrived: tuple[int | None, ...], wire: tuple[frozenset[int], ...], *, agrees: bool
) -> None:
    """A lost datagram, another mark, one missing in one header, or none seen on the wire: each is a difference."""
    assert marks_agree(20, Marks(arrived, wire), crosses_wire=True) is agrees


def test_what_stays_on_the_chassis_must_not_cross_the_wire() -> None:
    """Seen on the wire, traffic within a chassis is a difference."""
    assert marks_agree(20, Marks((20, 20, 20), (NOWHERE,) * 3), crosses_wire=False)
    assert not marks_agree(20, Marks((20, 20, 20), (MARKED,) * 3), crosses_wire=False)


def test_only_the_first_datagram_may_differ() -> None:
    """The first packet of a connection to a service may have the mark of the service's own rule; the second may not."""
    wire = (frozenset({40}), MARKED, MARKED)
    assert marks_agree(20, Marks((40, 20, 20), wire), crosses_wire=True, first=40)
    assert not marks_agree(20, Marks((20, 40, 20), wire), crosses_wire=True, first=40)


@pytest.mark.parametrize(
    ("received", "agrees"), [(1200.0, True), (800.0, True), (700.0, False), (1600.0, False), (4000.0, False)]
)
def test_a_limit_has_two_sides(received: float, *, agrees: bool) -> None:
    """Of 1,200 kilobits (2 Mbit/s for half a second, and a burst of 200) too much is a difference, as is too little."""
    assert burst_agrees(Deserved(20, 2000, 200), Passed(4000.0, received, 0.5, MARKED)) is agrees


def test_no_limit_is_no_loss() -> None:
    """Without a limit what was sent arrives, marked as it should be."""
    assert burst_agrees(Deserved(20), Passed(4000.0, 3990.0, 0.5, MARKED))
    assert not burst_agrees(Deserved(20), Passed(4000.0, 3600.0, 0.5, MARKED))
    assert not burst_agrees(Deserved(20), Passed(4000.0, 3990.0, 0.5, MARKED | PLAIN))


def test_pings_are_read_from_tcpdump(tmp_path: Path) -> None:
    """Both headers' TOS, the ends and the kind are taken from tcpdump's lines."""
    capture = Tcpdump(NetworkNamespace(directory=tmp_path), "eth0")
    capture.log_file.write_text(
        "tcpdump: listening on eth0\n"
        "12:46:30.7 0a > 0b, ethertype IPv4 (0x0800), length 156: (tos 0x0, ttl 64, proto UDP (17), length 142)\n"
        "    172.18.0.1.1 > 172.18.0.2.6081: Geneve, Flags [C], vni 0x12, proto TEB (0x6558)\n"
        "\t0c > 0d, ethertype IPv4 (0x0800), length 98: (tos 0x50, ttl 63, proto ICMP (1), length 84)\n"
        "    10.245.4.4 > 10.245.2.3: ICMP echo request, id 14, seq 44, length 64\n"
    )
    (ping,) = capture.pings()
    assert (ping.source, ping.destination, ping.kind) == ("10.245.4.4", "10.245.2.3", "request")
    assert (ping.outer_tos, ping.inner_tos) == ("0x0", "0x50")
