"""`python -m tools.docs.dashboard`: draw the dashboard of a real run into `docs/dashboard.png`.

Two minutes on the data-plane testbed: iperf3 sends twice the limit, the limit is raised half-way, pods come and go, a
policy is wrong for a while, somebody changes a row by hand, and the API server restarts.
"""

import json
import sys
import time
from pathlib import Path

import attrs
import yaml

from tests.dataplane.guide import EXAMPLES, POD1, POD2
from tests.prometheus.drawing import Line, draw, filled
from tests.prometheus.server import Prometheus
from tests.services.generation import GENERATIONS
from tests.statistics.datagrams import Sender
from tests.statistics.stage import Stage, stage

ROOT = Path(__file__).parents[2]
DASHBOARD, PICTURE = ROOT / "config/prometheus/dashboard.json", ROOT / "docs/dashboard.png"
SECONDS, STEP, RATE = 120, 1.0, "10s"
"""Length of the run and distance of two points, and what Grafana would take for `$__rate_interval`."""


def main() -> int:
    """Run, and draw."""
    with stage(GENERATIONS[-1]) as running:
        daemon = f"127.0.0.1:{running.laboratory.daemon._port}"
        exporters = [f"127.0.0.1:{each.port}" for each in running.exporters]
        with Prometheus([daemon], exporters=exporters) as prometheus:
            running.laboratory.daemon.restart()  # so that its first lists are seen
            start = time.time()
            _live(running)
            names = {daemon: "ovn-worker:17476"}
            draw(
                json.loads(DASHBOARD.read_text())["panels"],
                lambda expression: _ask(prometheus, expression, start, names),
                PICTURE,
                (start, time.time()),
            )
    return 0


def _live(running: Stage) -> None:
    """Let things happen for `SECONDS`."""
    cluster = running.laboratory.cluster
    source, server = running.pod(POD1).namespace, running.pod(POD2).namespace
    wrong = yaml.safe_load((EXAMPLES / "nqos.yaml").read_text())
    wrong["metadata"]["name"] = "wrong"
    wrong["spec"]["egress"][0]["classifier"]["to"][0]["ipBlock"]["cidr"] = "10.0.0.0/33"
    end = time.monotonic() + SECONDS
    with Sender(source, server, running.address(POD2), 40, SECONDS + 30):
        for number in range(SECONDS // 2):
            cluster.put([_pod(number)])
            if number >= 5:
                cluster.delete("Pod", "default", f"extra-{number - 5}")
            match number:
                case 15:
                    cluster.put([wrong])
                case 30:
                    running.apply(bandwidth={"rate": 30000})
                case 40:
                    cluster.delete("NetworkQoS", "default", "wrong")
                case 50:
                    cluster._server.restart()
                case 45:
                    central = running.laboratory.bed.central.nb
                    row = central.nbctl("--bare", "--columns=_uuid", "find", "QoS", "action:dscp=20").split()[0]
                    central.nbctl("set", "QoS", row, "priority=1")
            time.sleep(max(0.0, end - SECONDS + 2 * (number + 1) - time.monotonic()))


def _pod(number: int) -> dict[str, object]:
    """Give a pod that the policy selects; no traffic comes from it."""
    networks = {"default/ovn-stream": {"ip_addresses": [f"10.245.1.{100 + number}/24"]}}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "namespace": "default",
            "name": f"extra-{number}",
            "labels": {"nqos-app": "bw-limited"},
            "annotations": {"k8s.ovn.org/pod-networks": json.dumps(networks)},
        },
        "spec": {"nodeName": "ovn-worker", "containers": [{"name": "main", "image": "example.invalid/none"}]},
    }


def _ask(prometheus: Prometheus, expression: str, start: float, names: dict[str, str]) -> list[Line]:
    """Ask as Grafana would, with its variables filled in."""
    found = prometheus.range(filled(expression, RATE), start, time.time(), STEP)
    return [
        attrs.evolve(each, labels={key: names.get(text, text) for key, text in each.labels.items()}) for each in found
    ]


if __name__ == "__main__":
    sys.exit(main())
