"""Options from the environment and from arguments go before the file, and mistakes in them are named as theirs."""

from pathlib import Path

import attrs
import pytest

from nqosd.cli import parser
from nqosd.commands.configuration import configuration
from nqosd.commands.exits import ConfigurationError
from nqosd.config import Config, ConfigError, load
from nqosd.config.given import VARIABLES
from nqosd.config.options import SECTIONS

FILE = '[daemon]\nzone = "from-the-file"\ninstance = "kept"\n'


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Give a configuration file."""
    path = tmp_path / "nqosd.toml"
    path.write_text(FILE)
    return path


def test_the_environment_goes_before_the_file(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Texts, lists, numbers and switches are taken from variables; what no variable sets stays as the file has it."""
    for name, text in {
        "NQOSD_DAEMON_ZONE": "worker-1",
        "NQOSD_NORTHBOUND_REMOTES": "tcp:192.0.2.1:6641, tcp:192.0.2.2:6641",
        "NQOSD_STATS_SOUTHBOUND": "auto",
        "NQOSD_NORTHBOUND_DETACH_AFTER": "5",
        "NQOSD_STATUS_EVENTS": "false",
        "NQOSD_LIMITS_ROWS": "7",
    }.items():
        monkeypatch.setenv(name, text)
    config = load(file)
    assert (config.daemon.zone, config.daemon.instance) == ("worker-1", "kept")
    assert config.northbound.remotes == ("tcp:192.0.2.1:6641", "tcp:192.0.2.2:6641")
    assert config.stats == Config().stats
    assert (config.northbound.detach_after, config.status.events, config.limits.rows) == (5.0, False, 7)


def test_every_option_has_a_variable() -> None:
    """No option can be given in the file alone, and no two have one variable."""
    options = [(section, field.name) for section, kind in SECTIONS.items() for field in attrs.fields(kind)]
    assert sorted(VARIABLES.values()) == sorted(options)


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        (
            "NQOSD_NORTHBOUND_REMOTE",
            "x",
            "environment: NQOSD_NORTHBOUND_REMOTE: there is no such option; did you mean ",
        ),
        ("NQOSD_PORT", "tcp://10.0.0.1:80", "environment: NQOSD_PORT: there is no such option"),
        ("NQOSD_LOG_LEVEL", "loud", 'NQOSD_LOG_LEVEL: log.level: "loud" is none of "debug", "info"'),
        ("NQOSD_LIMITS_ROWS", "many", 'NQOSD_LIMITS_ROWS: limits.rows: "many" is not a whole number'),
        ("NQOSD_NORTHBOUND_REMOTES", "", "NQOSD_NORTHBOUND_REMOTES: northbound.remotes: [] is empty; name at least"),
        (
            "NQOSD_KUBERNETES_KUBECONFIG",
            "/absent",
            'NQOSD_KUBERNETES_KUBECONFIG: kubernetes.kubeconfig: "/absent" is not',
        ),
    ],
)
def test_a_mistake_names_the_variable(
    file: Path, monkeypatch: pytest.MonkeyPatch, name: str, text: str, said: str
) -> None:
    """A variable that no option has, and a value that its option can't take, are mistakes as they are in the file."""
    monkeypatch.setenv(name, text)
    with pytest.raises(ConfigError) as caught:
        load(file)
    assert str(caught.value).startswith(said)


@pytest.mark.parametrize("command", ["run", "diff", "explain", "takeover", "cleanup"])
def test_arguments_name_the_cluster(command: str, file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every command that talks to a cluster takes --kubeconfig and --context, which go before the environment."""
    monkeypatch.setenv("NQOSD_KUBERNETES_CONTEXT", "other")
    needed = {"explain": "--pod a/b --to 192.0.2.1 --proto tcp", "takeover": "--from ovn-kubernetes"}.get(command, "")
    line = [
        command,
        *needed.split(),
        "--config",
        str(file),
        "--kubeconfig",
        str(tmp_path / "kubeconfig"),
        "--context",
        "c",
    ]
    with pytest.raises(
        ConfigurationError, match=r"^--kubeconfig: kubernetes\.kubeconfig: .* is not a file that exists"
    ):
        configuration(parser().parse_args(line))
    (tmp_path / "kubeconfig").touch()
    section = configuration(parser().parse_args(line)).kubernetes
    assert (section.kubeconfig, section.context) == (str(tmp_path / "kubeconfig"), "c")
