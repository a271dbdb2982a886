"""`config/prometheus/rule.yaml`: the alert rules as an object of the Prometheus operator.

In: `config/prometheus/alerts.yaml`. Out: the manifest. Rule: the rules stand in one file; this one is made from it.
"""

from pathlib import Path

ALERTS = Path(__file__).parents[2] / "config" / "prometheus" / "alerts.yaml"
TOP = """\
# alerts.yaml for the Prometheus operator; `make reference` writes it.
apiVersion: monitoring.coreos.com/v1
kind: PrometheusRule
metadata:
  name: nqosd
  namespace: kube-system
  labels: {app.kubernetes.io/name: nqosd}
spec:
"""


def manifest() -> str:
    """Write the manifest."""
    lines = [line for line in ALERTS.read_text().splitlines() if not line.startswith("#")]
    return TOP + "".join(f"  {line}\n" for line in lines)
