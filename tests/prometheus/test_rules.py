"""The alert rules fire when they should, and not otherwise: Prometheus's own unit tests for rules."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from tests.services.install import prometheus

ALERTS = Path("config/prometheus/alerts.yaml")
PAGE = Path("docs/alerts.md")
CASES = Path("tests/prometheus/alerts.test.yaml")
RULES = [rule["alert"] for rule in yaml.safe_load(ALERTS.read_text())["groups"][0]["rules"]]


def promtool(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run promtool."""
    command = [prometheus.program("promtool"), *map(str, arguments)]
    return subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)


def test_the_rules_are_sound() -> None:
    """Promtool finds nothing wrong with the file."""
    done = promtool("check", "rules", ALERTS)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"SUCCESS: {len(RULES)} rules found" in done.stdout


def test_the_cases_hold() -> None:
    """Each rule fires in its case, for the right series and with the right words."""
    done = promtool("test", "rules", CASES)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("rule", RULES)
def test_each_rule_has_its_cases(rule: str) -> None:
    """A rule has a case in which it fires and one in which it doesn't."""
    cases = [case for test in yaml.safe_load(CASES.read_text())["tests"] for case in test["alert_rule_test"]]
    mine = [case for case in cases if case["alertname"] == rule]
    assert {bool(case["exp_alerts"]) for case in mine} == {True, False}


def test_the_cases_notice_rules_that_never_fire(tmp_path: Path) -> None:
    """With each expression made impossible, the case of every rule fails."""
    groups = yaml.safe_load(ALERTS.read_text())
    for rule in groups["groups"][0]["rules"]:
        rule["expr"] = f"({rule['expr']}) and on () vector(1) > 2"
    (tmp_path / ALERTS).parent.mkdir(parents=True)
    (tmp_path / CASES).parent.mkdir(parents=True)
    (tmp_path / ALERTS).write_text(yaml.safe_dump(groups))
    shutil.copy(CASES, tmp_path / CASES)
    done = promtool("test", "rules", tmp_path / CASES)
    assert done.returncode != 0
    assert [rule for rule in RULES if f"alertname: {rule}," not in done.stdout + done.stderr] == []


def test_the_jobs_of_a_cluster_can_be_found_without_the_operator(tmp_path: Path) -> None:
    """The page on alerts has a piece of Prometheus's configuration; promtool takes what Debian's build knows of it."""
    (example,) = re.findall(r"^```yaml\n(scrape_configs.*?)^```$", PAGE.read_text(), flags=re.MULTILINE | re.DOTALL)
    found = re.sub(r"kubernetes_sd_configs: .*", "static_configs: [{targets: [localhost]}]", example)
    (tmp_path / "prometheus.yml").write_text(found)
    done = promtool("check", "config", tmp_path / "prometheus.yml")
    assert done.returncode == 0, done.stdout + done.stderr
