"""iperf3 over UDP between two pods, and what it says about datagrams sent and received.

In: pods, a rate. Out: its own words, and the counts in them. Rule: sent and received are iperf3's own figures; its
control connection, some ten packets, is in none of them.
"""

import re
import signal
import subprocess
from typing import Self

import attrs

from tests.dataplane.iperf import PORT, IperfServer
from tests.dataplane.traffic import HEADERS, PAYLOAD
from tests.services.chassis import NetworkNamespace

FRAME = PAYLOAD + HEADERS[4]
"""Bytes of a datagram from the Ethernet header on."""
_LINE = re.compile(r"\sKbits/sec\s+[\d.]+ ms\s+(\d+)/(\d+) \([^)]*\)\s+(sender|receiver)$", re.MULTILINE)


OTHERS = 50
"""Packets, at most, that are no datagrams: the control connection, and those by which pods find each other."""


@attrs.frozen
class Datagrams:
    """What iperf3 says, and the datagrams sent and received in it, of `payload` bytes each."""

    said: str
    sent: int
    received: int
    payload: int = PAYLOAD

    def within(self, entered: int, left: int) -> "Datagrams":
        """Take out what a busy machine lost outside of the node: before packets entered it, or after they had left."""
        missed, lost = max(0, self.sent - entered), max(0, left - OTHERS - self.received)
        return attrs.evolve(self, sent=self.sent - missed, received=self.received + lost)


class Sender:
    """iperf3 from one pod to another, in the background; a context manager with the server of the other end."""

    def __init__(
        self, source: NetworkNamespace, server: NetworkNamespace, address: str, mbits: int, seconds: int
    ) -> None:
        self.command = ["iperf3", "-c", address, "-p", str(PORT), "-u", "-b", f"{mbits}M", "-l", str(PAYLOAD)]
        self.command += ["-t", str(seconds), "-f", "k", "-i", "0"]
        self._source = source
        self._server = IperfServer(server)
        self._seconds = seconds
        self._process: subprocess.Popen[str] | None = None

    def __enter__(self) -> Self:
        self._server.__enter__()
        self._process = subprocess.Popen(
            [*self._source.enter, *self.command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        return self

    def __exit__(self, *_: object) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
            self._process.wait()
        self._server.__exit__(None, None, None)

    def finish(self) -> Datagrams:
        """Wait for its end."""
        assert self._process is not None
        said, _ = self._process.communicate(timeout=self._seconds + 30)
        ends = {each[2]: each for each in _LINE.findall(said)}
        assert ends.keys() == {"sender", "receiver"}, said
        lost, total, _ = ends["receiver"]
        return Datagrams(said, int(ends["sender"][1]), int(total) - int(lost))

    def interrupt(self) -> int:
        """End it early; give the datagrams sent. The receiver's figures never come then."""
        assert self._process is not None
        self._process.send_signal(signal.SIGINT)
        said, _ = self._process.communicate(timeout=30)
        return max(int(each[1]) for each in _LINE.findall(said) if each[2] == "sender")
