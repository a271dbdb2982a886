"""tcpdump on a node, as the guide's section 4.3 runs it, and what it says about pings inside Geneve.

In: a node's namespace. Out: the text that the guide shows, and the TOS of both headers of each ping. The rule: what is
reported is what tcpdump wrote.
"""

import re
from collections.abc import Iterator, Sequence

import attrs

from tests.services.chassis import NetworkNamespace
from tests.services.process import Service

_PACKET = re.compile(r"^\d\d:\d\d:\d\d\.\d+ ", re.MULTILINE)
_TOS = re.compile(r"\(tos (0x[0-9a-f]+)")
_PING = re.compile(r"([\d.]+) > ([\d.]+): ICMP echo (request|reply)")


@attrs.frozen
class Ping:
    """A ping inside Geneve: from whom to whom, `request` or `reply`, TOS of both headers, and tcpdump's own words."""

    source: str
    destination: str
    kind: str
    outer_tos: str
    inner_tos: str
    text: str


class Tcpdump(Service):
    """The guide's capture on a node's interface."""

    def __init__(self, namespace: NetworkNamespace, interface: str) -> None:
        super().__init__("tcpdump")
        self._namespace = namespace
        self._interface = interface

    def command(self) -> Sequence[str]:
        """Return the guide's command, told to stay root (-Z) and to write at once (-l)."""
        return [*self._namespace.enter, "tcpdump", "-Z", "root", "-l", "-envvi", self._interface, "geneve"]

    def is_ready(self) -> bool:
        """Return whether it listens."""
        return "listening on" in self.log_file.read_text()

    def pings(self) -> Iterator[Ping]:
        """Give the pings so far."""
        for text in _PACKET.split(self.log_file.read_text())[1:]:
            tos, ping = _TOS.findall(text), _PING.search(text)
            if ping is not None and len(tos) == 2:
                yield Ping(ping[1], ping[2], ping[3], tos[0], tos[1], text.rstrip())
