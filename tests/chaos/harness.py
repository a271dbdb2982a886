"""What a run works with: a site, a way of its own to both servers for each daemon, and what may lie on that way.

In: a cluster, a database. Out: daemons, each with relays that lead on to those of the site, so that a line can be
harmed for one daemon or for all. The rule: whatever is harmed here is mended by what harmed it.
"""

import contextlib
from pathlib import Path

import attrs

from tests.chaos.objects import Objects
from tests.faults.liar import Liar
from tests.faults.relay import Relay
from tests.faults.site import PROMPT, Site
from tests.faults.test_daemon import NqosdWithFakeClock
from tests.services.daemon import Nqosd


@attrs.frozen
class Line:
    """The way of one daemon to the API server and to the database."""

    api: Relay
    wire: Relay


@attrs.frozen
class Harness:
    """The whole; daemon number i uses line number i."""

    site: Site
    objects: Objects
    liar: Liar
    directory: Path
    lines: list[Line] = attrs.field(factory=list)
    _stack: contextlib.ExitStack = attrs.field(factory=contextlib.ExitStack)

    def start_daemon(self, *, detach_after: float, fake_clock: bool = False) -> Nqosd:
        """Start one more daemon, on a line of its own, and wait until it is ready."""
        site = self.site
        line = Line(self._stack.enter_context(Relay(site.api.port)), self._stack.enter_context(Relay(site.wire.port)))
        self.lines.append(line)
        kubeconfig = site.cluster.kubeconfig(self.directory / f"{len(self.lines)}.kubeconfig", port=line.api.port)
        return site.start_daemon(
            options={
                "northbound": {**PROMPT["northbound"], "detach_after": detach_after},
                "kubernetes": {"pods": "auto"},
            },
            remotes=[line.wire.remote],
            kubeconfig=kubeconfig,
            kind=NqosdWithFakeClock if fake_clock else Nqosd,
        )

    def lie_to(self, lines: list[Line]) -> None:
        """Lead these daemons to the liar instead of the API server."""
        for line in lines:
            line.api.lead_to(self.liar.port)

    def stop_lying(self) -> None:
        """Lead every daemon to the API server again, if it isn't."""
        self.liar.stop_lying()
        for line in self.lines:
            if line.api.target != self.site.api.port:
                line.api.lead_to(self.site.api.port)
