"""`nqosd stats` as a service: the exporter of a node's statistics, in a process of its own.

In: the databases, a bridge's management socket, a node's name. Out: /metrics on a port of loopback. Rule: it is ready
when /readyz says so, which is after its first reading.
"""

import http.client
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from nqosd.statistics import endpoints
from nqosd.statistics.endpoints import Counts, RuleOnNode
from tests.services.process import Service, free_port

INTERVAL = 0.5
"""Seconds between two readings."""
WITHOUT_POWER = ("setpriv", "--bounding-set=-all", "--inh-caps=-all", "--ambient-caps=-all", "--no-new-privs")
"""As root without any capability."""


class Exporter(Service):
    """One exporter."""

    def __init__(self, northbound: str, southbound: str, openflow: Path, node: str) -> None:
        super().__init__(f"nqosd-stats-{node}")
        self.port = free_port()
        self.config = self.directory / "nqosd.toml"
        sections: Mapping[str, Mapping[str, object]] = {
            "northbound": {"remotes": [northbound]},
            "stats": {
                "listen": f"127.0.0.1:{self.port}",
                "southbound": [southbound],
                "openflow": str(openflow),
                "controller": str(openflow.parent),
                "node": node,
                "interval": INTERVAL,
            },
        }
        lines = []
        for section, values in sections.items():
            lines += [f"[{section}]", *(f"{key} = {json.dumps(value)}" for key, value in values.items()), ""]
        self.config.write_text("\n".join(lines))

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.port}"

    def command(self) -> Sequence[str]:
        """Return the command that its unit runs, with as little power as it gives."""
        return [*WITHOUT_POWER, sys.executable, "-m", "nqosd", "stats", "--config", str(self.config)]

    def is_ready(self) -> bool:
        """Ask /readyz."""
        return self.get("/readyz")[0] == http.client.OK

    def get(self, path: str) -> tuple[int, str]:
        """Ask for a page; gives the status, 0 if nothing answers, and the text."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        except (OSError, http.client.HTTPException):
            return 0, ""
        finally:
            connection.close()

    def counts(self) -> Mapping[RuleOnNode, Counts]:
        """Give what it serves."""
        return endpoints.read(self.get("/metrics")[1]).counts
