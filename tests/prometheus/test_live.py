"""The dashboard's queries and the alert rules give what they should, with real daemons and a real Prometheus."""

import json
import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.e2e.conftest import ACCOUNT
from tests.prometheus.drawing import Line, draw, filled
from tests.prometheus.server import Prometheus
from tests.services.chassis import Chassis
from tests.services.daemon import Nqosd
from tests.services.etcd import Etcd
from tests.services.generation import GENERATIONS
from tests.services.kubernetes import ApiServer
from tests.services.ovn import OvnCentral
from tests.services.stats import Exporter

ALERTS = Path("config/prometheus/alerts.yaml")
DASHBOARD = Path("config/prometheus/dashboard.json")
METRICS = Path("docs/metrics.md")
GUIDE = Path("docs/examples/guide")
PANELS = [panel for panel in json.loads(DASHBOARD.read_text())["panels"] if panel["type"] != "row"]
ENDPOINTS = yaml.safe_load(Path("config/prometheus/pod-monitor.yaml").read_text())["spec"]["podMetricsEndpoints"]
CLUSTER = "lab"
UNHURRIED = "2s"
"""A scrape that fails on a busy machine would be an alert, and leave queries without an answer."""
OPERATOR = {"namespace": "kube-system", "pod": "nqosd-1", "container": "nqosd", "endpoint": "http"}
"""The labels that the Prometheus operator gives to all targets of a PodMonitor."""
RULES = {rule["alert"]: rule["expr"] for rule in yaml.safe_load(ALERTS.read_text())["groups"][0]["rules"]}


@pytest.fixture(scope="module")
def prometheus() -> Iterator[Prometheus]:
    """Run the daemon on the guide's objects, and an exporter, and scrape both, so that something of all is counted.

    The chassis has a port on the switch of the guide's pod, and so the flows of its rule. The kinds of networks are
    installed only when it runs, so that Prometheus sees the lists of these being counted; and the API server restarts,
    which breaks the watches off.
    """
    with (
        Etcd() as etcd,
        ApiServer(etcd) as cluster,
        OvnCentral(GENERATIONS[-1]) as central,
        Chassis(central) as chassis,
    ):
        northbound = central.nb
        cluster.apply_crds(Path("config/crd/networkqoses.k8s.ovn.org.yaml").read_text())
        cluster.kubectl("apply", "-f", "config/rbac/")
        cluster.tokens[ACCOUNT] = cluster.kubectl("create", "token", "nqosd", "-n", "kube-system").strip()
        northbound.nbctl("set", "NB_Global", ".", "name=global")
        northbound.nbctl("ls-add", "ovn.stream_ovn-worker", "--", "ls-add", "ovn.stream_ovn-worker2")
        northbound.nbctl("lsp-add", "ovn.stream_ovn-worker", "port")
        chassis.bind("port")
        exporter = Exporter(northbound.unix, central.sb.unix, chassis.directory / "br-int.mgmt", "ovn-worker")
        often = {"kubernetes": {"crd_retry": 1}}
        daemon = Nqosd([northbound.unix], kubeconfig=cluster.kubeconfig(ACCOUNT), options=often)
        running = Prometheus(
            [f"127.0.0.1:{daemon.port}"],
            [ALERTS],
            exporters=[f"127.0.0.1:{exporter.port}"],
            labels={"cluster": CLUSTER, **OPERATOR},
            scrape={
                "honor_labels": all(each.get("honorLabels", False) for each in ENDPOINTS),
                "scrape_interval": UNHURRIED,
                "scrape_timeout": UNHURRIED,
            },
        )
        with exporter, running, daemon:
            running.wait_until(lambda: bool(running.query("nqosd_synced == 1")), what="scraping it")
            for crd in Path("tests/services/manifests").glob("*.yaml"):
                cluster.apply_crds(crd.read_text())
            cluster.kubectl("create", "-f", str(GUIDE))
            daemon.wait_until(lambda: daemon.metric("nqosd_replica_rows", table="QoS") == 2, what="done with the guide")
            daemon.wait_until(lambda: daemon.metric("nqosd_status_pending") == 0, what="done with the status")
            cluster.restart()
            daemon.wait_until(lambda: daemon.metric("nqosd_watch_restarts_total") > 0, what="watching anew")
            daemon.settle()
            running.wait_until(lambda: bool(running.query("nqosd_watch_restarts_total")), what="scraping all of it")
            running.wait_until(lambda: set(running.rules().values()) == {"ok"}, what="evaluating the rules")
            ratio = "rate(nqosd_rule_dropped_packets_total[1m])"
            running.wait_until(lambda: bool(running.query(ratio)), what="scraping the rule twice")
            yield running


def test_every_query_of_the_dashboard_has_an_answer(prometheus: Prometheus) -> None:
    """Each query of each panel gives at least one series with a number; a quantile of nothing is none.

    So it does for the cluster, namespace, policy and node that a person chooses, though the operator's PodMonitor gives
    its targets a namespace as well.
    """
    chosen = {"cluster": CLUSTER, "namespace": "default", "policy": "qos-external", "node": "ovn-worker"}
    empty = []
    for panel in PANELS:
        for target in panel["targets"]:
            expression = filled(target["expr"], "1m", chosen)
            assert "$" not in expression, panel["title"]
            if all(each["value"] == "NaN" for each in prometheus.query(expression)):
                empty.append((panel["title"], expression))
    assert empty == []


def test_the_dashboard_can_be_drawn(prometheus: Prometheus, tmp_path: Path) -> None:
    """The renderer behind docs/dashboard.png knows every type of panel and every unit, and draws what there is."""

    def ask(expression: str) -> list[Line]:
        return prometheus.range(filled(expression, "10s"), *span, 1)

    span = time.time() - 5, time.time()
    draw(json.loads(DASHBOARD.read_text())["panels"], ask, tmp_path / "dashboard.png", span)
    assert (tmp_path / "dashboard.png").read_bytes().startswith(b"\x89PNG")


def test_a_healthy_daemon_raises_no_alert(prometheus: Prometheus) -> None:
    """Right after start, and after a restart of the API server, no rule has anything to say, without waiting for it."""
    assert {alert: found for alert, rule in RULES.items() if (found := prometheus.query(rule))} == {}


def test_alerts_are_about_metrics_that_exist(prometheus: Prometheus) -> None:
    """Each metric that a rule names, and each label that it sums by or matches, is one that the daemon has.

    Of a metric that has no series while all is well, docs/metrics.md says which labels it has.
    """
    for alert, rule in RULES.items():
        names = re.findall(r"\b(?:nqosd|process)_[a-z_]+\b", rule) or ["up"]
        series = {name: prometheus.query(name) for name in names}
        labels = {label for found in series.values() for each in found for label in each}
        for name in (name for name, found in series.items() if not found):
            (documented,) = re.findall(rf"^\| `{name}` \| \w+ \| (.*?) \|", METRICS.read_text(), flags=re.MULTILINE)
            labels |= {"job", "instance", "cluster"} | set(re.findall(r"`(\w+)`", documented))
        grouped = {each.strip() for by in re.findall(r"by \(([^)]*)\)", rule) for each in by.split(",")}
        assert grouped | set(re.findall(r"[{,]\s*(\w+)[=!]", rule)) <= labels, alert


def test_the_dashboard_names_each_series_apart() -> None:
    """Panels have ids of their own, lie in the grid without overlap, and use the data source that a person chooses."""
    assert len({panel["id"] for panel in PANELS}) == len(PANELS)
    cells = [
        (x, y)
        for panel in PANELS
        for grid in [panel["gridPos"]]
        for x in range(grid["x"], grid["x"] + grid["w"])
        for y in range(grid["y"], grid["y"] + grid["h"])
    ]
    assert len(cells) == len(set(cells))
    assert max(x for x, _y in cells) < 24
    assert all(target["datasource"]["uid"] == "${datasource}" for panel in PANELS for target in panel["targets"])


def test_each_alert_has_a_runbook() -> None:
    """docs/alerts.md has a heading for each rule, the rule's annotation leads there, and no heading is left over."""
    headings = re.findall(r"^## (\w+)$", Path("docs/alerts.md").read_text(), flags=re.MULTILINE)
    assert headings == list(RULES)
    for rule in yaml.safe_load(ALERTS.read_text())["groups"][0]["rules"]:
        assert rule["annotations"]["runbook_url"] == f"docs/alerts.md#{rule['alert'].lower()}"
        assert rule["labels"]["severity"] in {"critical", "warning", "info"}
