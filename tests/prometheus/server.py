"""A real Prometheus that scrapes what a test runs.

In: the addresses to scrape, by job, and rule files. Out: answers to queries. Rule: it listens on loopback, on a port
of its own, and keeps its data in its own folder.
"""

import json
import urllib.parse
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path

import yaml

from tests.prometheus.drawing import Line
from tests.services.install import prometheus
from tests.services.process import Service, free_port

INTERVAL = "200ms"


class Prometheus(Service):
    """Prometheus with two jobs: `nqosd`, and `nqosd-stats` for `exporters`.

    `labels` are those of all targets; `scrape` is what else the configuration of both jobs says.
    """

    def __init__(
        self,
        targets: Sequence[str] = (),
        rules: Sequence[Path] = (),
        *,
        exporters: Sequence[str] = (),
        labels: Mapping[str, str] | None = None,
        scrape: Mapping[str, object] | None = None,
    ) -> None:
        super().__init__("prometheus")
        self.port = free_port()
        jobs = {"nqosd": targets, "nqosd-stats": exporters}
        configuration = {
            "global": {"scrape_interval": INTERVAL, "scrape_timeout": INTERVAL, "evaluation_interval": INTERVAL},
            "rule_files": [str(each.absolute()) for each in rules],
            "scrape_configs": [
                {
                    "job_name": job,
                    "static_configs": [{"targets": list(addresses), "labels": dict(labels or {})}],
                    **(scrape or {}),
                }
                for job, addresses in jobs.items()
            ],
        }
        self._configuration = self.directory / "prometheus.yaml"
        self._configuration.write_text(yaml.safe_dump(configuration))

    def command(self) -> Sequence[str]:
        """Return the command, with storage in the service's own folder."""
        return [
            prometheus.program("prometheus"),
            f"--config.file={self._configuration}",
            f"--web.listen-address=127.0.0.1:{self.port}",
            f"--storage.tsdb.path={self.directory / 'data'}",
            "--log.level=warn",
        ]

    def is_ready(self) -> bool:
        """Ask its own probe."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/-/ready", timeout=5) as answer:
                return int(answer.status) == 200
        except OSError:
            return False

    def query(self, expression: str) -> list[dict[str, str]]:
        """Evaluate an expression now; gives the labels of each series of the answer, and its value as `value`.

        Raises:
            urllib.error.HTTPError: the expression isn't valid.
        """
        data = self._get("query?" + urllib.parse.urlencode({"query": expression}))
        assert isinstance(data, dict)
        if data["resultType"] == "scalar":
            return [{"value": data["result"][1]}]
        return [{**each["metric"], "value": each["value"][1]} for each in data["result"]]

    def range(self, expression: str, start: float, end: float, step: float) -> list[Line]:
        """Evaluate an expression at moments of the past (Unix time); values that are no number are left out.

        Raises:
            urllib.error.HTTPError: the expression isn't valid.
        """
        arguments = {"query": expression, "start": start, "end": end, "step": step}
        data = self._get("query_range?" + urllib.parse.urlencode(arguments))
        assert isinstance(data, dict)
        found = []
        for each in data["result"]:
            points = [(float(moment), float(value)) for moment, value in each["values"] if value != "NaN"]
            if points:
                times, values = zip(*points, strict=True)
                found.append(Line(each["metric"], times, values))
        return found

    def rules(self) -> dict[str, str]:
        """Give the health of each alert rule that it evaluates: "ok", "err" or "unknown"."""
        data = self._get("rules")
        assert isinstance(data, dict)
        return {rule["name"]: rule["health"] for group in data["groups"] for rule in group["rules"]}

    def _get(self, path: str) -> object:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/api/v1/{path}", timeout=10) as answer:
            body = json.load(answer)
        data: object = body["data"]
        return data
