"""iperf3 between pods, as the guide's section 4.2 runs it.

In: who serves, who measures, and how. Out: Mbit/s at the receiver. The rule: the first second doesn't count, for a
meter's bucket and TCP's window are then not yet what they will be.
"""

import json
from collections.abc import Sequence

import attrs

from tests.services.chassis import NetworkNamespace
from tests.services.process import Service

PORT = 5201
SECONDS = 2
OMITTED = 2
UDP_OFFERED = "60M"
UDP_PAYLOAD = 1200


class IperfServer(Service):
    """An iperf3 server in a pod."""

    def __init__(self, namespace: NetworkNamespace) -> None:
        super().__init__("iperf3")
        self._namespace = namespace

    def command(self) -> Sequence[str]:
        """Return the guide's command."""
        return [*self._namespace.enter, "iperf3", "-s", "-p", str(PORT), "--forceflush"]

    def is_ready(self) -> bool:
        """Return whether it listens."""
        return "Server listening" in self.tail_logs()


@attrs.frozen
class Stream:
    """What to measure: TCP or UDP, from the client to the server, or (`reverse`, iperf3's -R) the other way."""

    protocol: str
    reverse: bool


def measure(
    client: NetworkNamespace, server: NetworkNamespace, address: str, stream: Stream, *, seconds: int = SECONDS
) -> float:
    """Give the Mbit/s that arrive."""
    how = ["-u", "-b", UDP_OFFERED, "-l", str(UDP_PAYLOAD)] if stream.protocol == "UDP" else []
    direction = ["-R"] if stream.reverse else []
    with IperfServer(server):
        command = ["iperf3", "-c", address, "-p", str(PORT), "-t", str(seconds), "-O", str(OMITTED), "--json"]
        answer = json.loads(client.run([*client.enter, *command, *how, *direction]))
    return float(answer["end"]["sum_received"]["bits_per_second"]) / 1e6
