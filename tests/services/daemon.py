"""The daemon itself as a service: the real command `nqosd run`, in a process of its own.

In: a Northbound remote, and an API server's kubeconfig or a folder of manifests, and further options. Out: a running
daemon, its metrics and what its probes say. Rule: it is ready when /readyz says so.
"""

import json
import os
import signal
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from tests.services.process import Service, free_port

Options = Mapping[str, Mapping[str, object]]
"""Sections of the configuration file."""


class Nqosd(Service):
    """`nqosd run` with a configuration of its own."""

    def __init__(
        self,
        northbound: Sequence[str],
        *,
        kubeconfig: Path | None = None,
        manifests: Sequence[Path] = (),
        options: Options | None = None,
        name: str = "nqosd",
        directory: Path | None = None,
    ) -> None:
        super().__init__(name, directory=directory)
        self.port = free_port()
        self.awaits = "readyz"
        """The probe that `start` waits for; /healthz says yes as soon as the process works."""
        self.config = self.directory / f"{name}.toml"
        source: dict[str, object] = {"source": "manifests", "manifests": [str(path) for path in manifests]}
        if kubeconfig is not None:
            source = {"kubeconfig": str(kubeconfig)}
        self._sections: dict[str, dict[str, object]] = {
            "kubernetes": source,
            "northbound": {"remotes": list(northbound)},
            "http": {"listen": f"127.0.0.1:{self.port}"},
            "log": {"format": "json"},
        }
        self.configure(options or {})

    def configure(self, options: Options) -> None:
        """Put options into the configuration file; a running daemon takes them up at `reload`."""
        for section, values in options.items():
            self._sections.setdefault(section, {}).update(values)
        lines = []
        for section, values in self._sections.items():
            lines += [f"[{section}]", *(f"{key} = {json.dumps(value)}" for key, value in values.items()), ""]
        self.config.write_text("\n".join(lines))

    def command(self) -> Sequence[str]:
        """Return the command that an operator would run."""
        return [sys.executable, "-m", "nqosd", "run", "--config", str(self.config)]

    def is_ready(self) -> bool:
        """Ask the probe that `awaits` names."""
        return self.probe(self.awaits)[0] == 200

    def probe(self, name: str) -> tuple[int, dict[str, object]]:
        """Ask /healthz or /readyz; gives the status, 0 if nothing answers, and the body."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/{name}", timeout=5) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            return error.code, json.load(error)
        except OSError:
            return 0, {}

    def metrics(self) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
        """Read /metrics: values by name and labels."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/metrics", timeout=10) as answer:
            text = answer.read().decode()
        families = text_string_to_metric_families(text)
        return {
            (each.name, frozenset(each.labels.items())): each.value for family in families for each in family.samples
        }

    def metric(self, name: str, **labels: str) -> float:
        """Read one metric, or the sum of a name's series that have these labels."""
        wanted = labels.items()
        return sum(value for (each, found), value in self.metrics().items() if each == name and wanted <= set(found))

    def reload(self) -> None:
        """Let it read its configuration again."""
        os.kill(self.pid, signal.SIGHUP)

    def settle(self, quiet: float = 0.3, deadline: float = 30.0) -> None:
        """Wait until it has done nothing for a while: no round, with nothing waiting to be written."""
        end = time.monotonic() + deadline
        before, since = -1.0, time.monotonic()
        while time.monotonic() < end:
            rounds = self.metric("nqosd_rounds_total")
            if rounds != before:
                before, since = rounds, time.monotonic()
            elif time.monotonic() - since >= quiet:
                return
            time.sleep(0.05)
        raise AssertionError(f"{self.name} was still busy after {deadline} s")
