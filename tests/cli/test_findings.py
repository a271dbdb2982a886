"""What `nqosd compile` says of a repository of manifests: with file and line, for machines as well."""

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from nqosd.cli import FAILED, OK, USAGE, main
from nqosd.commands import findings
from nqosd.commands.compiled_text import shared
from nqosd.config.options import Limits
from tests.checkout import ROOT
from tests.docs.console import blocks

GUIDE = Path("docs/examples/guide").resolve()
MISTAKES = """\
apiVersion: k8s.ovn.org/v1alpha1
kind: NetworkQos
metadata: {name: misspelt, namespace: default}
---
apiVersion: v1
kind: List
items:
- apiVersion: k8s.ovn.org/v1alpha1
  kind: NetworkQoS
  metadata: {name: web, namespace: default}
  spec:
    priority: 5
    speed: 3
    egress:
    - dscp: "10"
      classifier:
        to:
        - ipBlock:
            cidr: 10.0.0.0/33
    - dscp: 10
      classifier: {to: [{ipBlock: {cidr: 10.0.0.0/33}}]}
- apiVersion: k8s.ovn.org/v1alpha1
  kind: NetworkQoS
  metadata: {name: nobody, namespace: default}
  spec:
    priority: 5
    podSelector: {matchLabels: {app: nothing}}
    egress:
    - {dscp: 1}
"""
POD = """\
---
apiVersion: v1
kind: Pod
metadata: {name: p, namespace: default}
spec: {nodeName: n}
"""
EXPECTED = [
    ("warning", 1, "document 1: k8s.ovn.org/v1alpha1 NetworkQos is left out; did you mean k8s.ovn.org/v1alpha1 "),
    ("warning", 27, "NetworkQoS default/nobody: spec.podSelector: selects no pod of these manifests"),
    ("error", 15, 'NetworkQoS default/web: spec.egress[0].dscp: "10" is a string, not an integer from 0 to 63'),
    ("error", 19, "NetworkQoS default/web: spec.egress[0].classifier.to[0].ipBlock.cidr: 10.0.0.0/33 is not a CIDR "),
    ("warning", 13, "NetworkQoS default/web: spec.speed: unknown field, ignored"),
]


def compiled(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> tuple[int, str, str]:
    """Run `nqosd compile`; gives its exit code, output and complaints."""
    code = main(["compile", *map(str, arguments)])
    streams = capsys.readouterr()
    return code, streams.out, streams.err


@pytest.fixture
def mistakes(tmp_path: Path) -> Path:
    """Write a file with mistakes of many kinds."""
    file = tmp_path / "all: 100%,.yaml"
    file.write_text(MISTAKES + POD)
    return file


NOTHING = "nothing that nqosd reads is there: no NetworkQoS, and no object that one depends on"


@pytest.mark.parametrize("text", ["", "---\n", "apiVersion: v1\nkind: Secret\nmetadata: {name: key}\n"])
def test_nothing_to_check(capsys: pytest.CaptureFixture[str], tmp_path: Path, text: str) -> None:
    """Manifests that say nothing to nqosd, or none at all, are warned of, and strictly that fails."""
    file = tmp_path / "some.yaml"
    file.write_text(text)
    for path in (file, tmp_path):
        assert compiled(capsys, "--strict", path)[::2] == (FAILED, f"warning: {path}: {NOTHING}\n")
    assert compiled(capsys, tmp_path)[::2] == (OK, f"warning: {tmp_path}: {NOTHING}\n")
    assert compiled(capsys, "--strict", file, GUIDE / "nad.yaml")[::2] == (OK, "")
    line = [sys.executable, "-m", "nqosd", "compile", "--strict", "-"]
    done = subprocess.run(line, input=text, capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stderr) == (FAILED, f"warning: -: {NOTHING}\n")


def test_a_standard_input_that_cannot_be_read() -> None:
    """A closed standard input, and one that is for writing, are problems of the manifest `-`."""
    line = [sys.executable, "-m", "nqosd", "compile", "-"]
    for redirected, why in (("<&-", "it is closed"), ("0>/dev/null", "Bad file descriptor")):
        shell = ["sh", "-c", f'"$@" {redirected}', "sh", *line]
        done = subprocess.run(shell, capture_output=True, text=True, timeout=120, check=False)
        assert (done.returncode, done.stderr) == (USAGE, f"error: -: can't be read: {why}\n")


def test_strictly_each_mistake_has_its_line(capsys: pytest.CaptureFixture[str], mistakes: Path) -> None:
    """With --strict everything is said with file and line, what several rules share only once, and is exit code 1."""
    code, _out, err = compiled(capsys, "--strict", mistakes)
    assert code == FAILED
    for line, (level, number, message) in zip(err.splitlines(), EXPECTED, strict=True):
        assert line.startswith(f"{level}: {mistakes}:{number}: {message}")
    assert err.count("10.0.0.0/33") == 1
    assert "(the same for rule 1)" in err


def test_for_github(capsys: pytest.CaptureFixture[str], mistakes: Path) -> None:
    """`-o github` prints a command of a workflow for each, in which no text of a manifest is one."""
    code, out, err = compiled(capsys, "-o", "github", mistakes)
    assert (code, err) == (FAILED, "")
    name = str(mistakes).replace("%", "%25").replace(":", "%3A").replace(",", "%2C")
    for line, (level, number, message) in zip(out.splitlines(), EXPECTED, strict=True):
        assert line.startswith(f"::{level} file={name},line={number}::{message}")


def test_as_sarif(capsys: pytest.CaptureFixture[str], mistakes: Path) -> None:
    """`-o sarif` prints a SARIF document with a result for each, whose rule the document describes."""
    code, out, err = compiled(capsys, "-o", "sarif", mistakes)
    assert (code, err) == (FAILED, "")
    document = json.loads(out)
    (run,) = document["runs"]
    assert document["version"] == "2.1.0"
    assert {each["ruleId"] for each in run["results"]} == {each["id"] for each in run["tool"]["driver"]["rules"]}
    for result, (level, number, message) in zip(run["results"], EXPECTED, strict=True):
        (location,) = result["locations"]
        assert (result["level"], location["physicalLocation"]["region"]["startLine"]) == (level, number)
        assert result["message"]["text"].startswith(message)
        assert re.fullmatch(r"[\w/.%~-]+", location["physicalLocation"]["artifactLocation"]["uri"])


@pytest.mark.parametrize("style", ["github", "sarif"])
def test_a_file_that_is_none(capsys: pytest.CaptureFixture[str], tmp_path: Path, style: str) -> None:
    """A file that doesn't parse is reported like all else, with exit code 2, beside the mistakes before its end."""
    (tmp_path / "all.yaml").write_text(f"{MISTAKES}---\nkind: [\n")
    code, out, _err = compiled(capsys, "-o", style, tmp_path)
    assert code == USAGE
    assert "not YAML" in out
    assert "unknown field, ignored" in out


@pytest.mark.parametrize("version", ["v1alpha1", "k8s.ovn.org"])
def test_an_object_without_its_group_is_named(capsys: pytest.CaptureFixture[str], tmp_path: Path, version: str) -> None:
    """A NetworkQoS whose `apiVersion` lacks the group or the version isn't left out in silence."""
    (tmp_path / "all.yaml").write_text(f"apiVersion: {version}\nkind: NetworkQoS\nmetadata: {{name: web}}\n")
    code, _out, err = compiled(capsys, "--strict", tmp_path)
    said = f"document 1: {version} NetworkQoS is left out; did you mean k8s.ovn.org/v1alpha1 NetworkQoS?"
    assert (code, err) == (FAILED, f"warning: {tmp_path}/all.yaml:1: {said}\n")


def test_policies_of_one_name_in_a_list(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """A mistake of a policy stands at its own line, not at that of another namespace's policy of the same name."""
    items = MISTAKES.rindex("- apiVersion")
    policy = MISTAKES[items:].replace("dscp: 1", 'dscp: "1"')
    (tmp_path / "all.yaml").write_text(f"kind: List\napiVersion: v1\nitems:\n{policy.replace('default', 'x')}{policy}")
    _code, out, _err = compiled(capsys, "-o", "github", tmp_path)
    where = dict(re.findall(r"line=(\d+)::NetworkQoS (\w+)/", out))
    assert where == {"11": "x", "19": "default"}


def test_a_pod_that_is_selected_and_has_no_row(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """A policy that selects pods isn't said to select none, because they have no address yet or no network matches."""
    (tmp_path / "all.yaml").write_text(
        (MISTAKES[MISTAKES.index("apiVersion: v1\n") :] + POD).replace("{app: nothing}", "{}")
    )
    assert "selects no pod" not in compiled(capsys, "-o", "github", tmp_path)[1]
    _code, out, _err = compiled(capsys, "-o", "github", GUIDE / "nqos.yaml", GUIDE / "pods.yaml")
    assert "spec.networkSelectors: no network matches" in out
    assert "selects no pod" not in out


def test_nothing_is_wrong(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """Good manifests give no finding, and policies alone, without any pod, may select none."""
    policy = MISTAKES[MISTAKES.rindex("- apiVersion") :].replace("\n  ", "\n").removeprefix("- ")
    (tmp_path / "all.yaml").write_text(policy)
    assert compiled(capsys, "--strict", "-o", "github", tmp_path) == (OK, "\n", "")


@pytest.mark.parametrize("text", ["yaml", "json"])
def test_standard_input(text: str) -> None:
    """The path `-` is standard input, YAML or JSON."""
    documents = [each for file in GUIDE.glob("*.yaml") for each in yaml.safe_load_all(file.read_text())]
    whole = {"apiVersion": "v1", "kind": "List", "items": documents}
    line = [sys.executable, "-m", "nqosd", "compile", "-o", "json", "-"]
    written = json.dumps(whole) if text == "json" else yaml.safe_dump(whole)
    done = subprocess.run(line, input=written, capture_output=True, text=True, timeout=120, check=True)
    assert len(json.loads(done.stdout)["qos"]) == 2


@pytest.mark.parametrize(
    ("api_version", "kind", "is_meant"),
    [
        ("k8s.ovn.org/v1alpha1", "NetworkQOS", True),
        ("k8s.ovn.com/v1alpha1", "NetworkQoS", True),
        ("v1", "Pods", True),
        ("config.openshift.io/v1", "Network", False),
        ("example.com/v1", "Node", False),
        ("networking.k8s.io/v1", "NetworkPolicy", False),
    ],
)
def test_kinds_spelt_almost_right(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, api_version: str, kind: str, *, is_meant: bool
) -> None:
    """A kind or group that is nearly one of those that are read is named; somebody else's kinds are left alone."""
    (tmp_path / "all.yaml").write_text(f"apiVersion: {api_version}\nkind: {kind}\nmetadata: {{name: x}}\n")
    code, _out, err = compiled(capsys, tmp_path)
    assert (code, "did you mean" in err) == (OK, is_meant)
    assert compiled(capsys, "--strict", tmp_path, GUIDE / "nad.yaml")[0] == (FAILED if is_meant else OK)


def test_what_rules_share_is_said_once() -> None:
    """Findings that differ only in the rule are one, which names the others."""
    texts = [
        "spec.egress[0].a: x",
        "spec.priority: y",
        "spec.egress[1].a: x",
        "spec.egress[4].a: x",
        "spec.egress[1].b: x",
    ]
    assert shared(texts) == ["spec.egress[0].a: x (the same for rules 1, 4)", "spec.priority: y", "spec.egress[1].b: x"]


def test_the_hook_of_pre_commit(capsys: pytest.CaptureFixture[str], mistakes: Path) -> None:
    """What the hook runs is a command that takes files, and fails for mistakes."""
    (hook,) = yaml.safe_load(Path(".pre-commit-hooks.yaml").read_text())
    program, *arguments = shlex.split(hook["entry"])
    assert (program, hook["language"]) == ("nqosd", "python")
    files = sorted(map(str, GUIDE.glob("*.yaml")))
    assert main([*arguments, *files, str(mistakes)]) == FAILED
    assert str(mistakes) in capsys.readouterr().err
    (block, *_rest) = (text for _line, text in blocks(ROOT / "docs/gitops.md", "yaml"))
    (advised,) = yaml.safe_load(block)["repos"][0]["hooks"]
    assert (advised["id"], advised["pass_filenames"], advised["args"]) == (hook["id"], False, ["manifests"])


def test_the_action(mistakes: Path, tmp_path: Path) -> None:
    """What the GitHub action runs checks the paths that it is given, with the arguments that it is given."""
    action = yaml.safe_load(Path("action.yml").read_text())
    step = action["runs"]["steps"][-1]
    programs = tmp_path / "nqosd" / "bin"
    programs.mkdir(parents=True)
    (programs / "nqosd").write_text(f'#!/bin/sh\nexec "{sys.executable}" -m nqosd "$@"\n')
    (programs / "nqosd").chmod(0o755)
    (tmp_path / "good").symlink_to(GUIDE)
    mistakes.rename(tmp_path / "bad.yaml")

    def run(**inputs: str) -> subprocess.CompletedProcess[str]:
        given = {name: each.get("default", "") for name, each in action["inputs"].items()} | inputs
        environment = {name: given[name.lower()] for name in step["env"]}
        command = ["bash", "-eo", "pipefail", "-c", step["run"]]
        environment |= {**os.environ, "RUNNER_TEMP": str(tmp_path), "PYTHONPATH": os.getcwd()}  # noqa: PTH109
        return subprocess.run(
            command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120, check=False
        )

    assert run(paths="bad.yaml good").stdout.startswith("::warning file=bad.yaml,line=1::")
    assert run(paths="bad.yaml good").returncode == FAILED
    assert run(paths="good", arguments="").returncode == OK


def test_definitions_that_do_not_count_are_named(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that disagrees with an older one, and one beyond those that a namespace may have, with the reasons."""
    monkeypatch.setattr(findings, "Limits", lambda: Limits(definitions=2))
    (nad,) = yaml.safe_load_all((GUIDE / "nad.yaml").read_text())
    config = json.loads(nad["spec"]["config"])
    for number in range(3):
        name = {**nad["metadata"], "name": f"d{number}", "creationTimestamp": f"2026-01-0{number + 1}T00:00:00Z"}
        written = {**config, "subnets": f"10.{number}.0.0/16", "netAttachDefName": f"{name['namespace']}/d{number}"}
        text = yaml.safe_dump({**nad, "metadata": name, "spec": {"config": json.dumps(written)}})
        (tmp_path / f"{number}.yaml").write_text(text)
    _code, _out, err = compiled(capsys, "--strict", tmp_path)
    disagrees, beyond = err.splitlines()
    assert "/d1: it is ignored: network" in disagrees
    assert "/d2: it is ignored: namespace" in beyond
    assert "the 2 that limits.definitions allows" in beyond
