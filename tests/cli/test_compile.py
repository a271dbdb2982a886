"""`nqosd compile` prints what the daemon would write."""

import json
import shlex
from pathlib import Path

import pytest

from nqosd.cli import FAILED, OK, USAGE, main
from nqosd.config.options import Limits
from tests.cli.documents import conforming
from tests.services.ovsdb import OvsdbServer

GUIDE = "docs/examples/guide"
POLICY = """
apiVersion: k8s.ovn.org/v1alpha1
kind: NetworkQoS
metadata: {name: web, namespace: default}
spec:
  priority: 1
  networkSelectors: [{networkSelectionType: DefaultNetwork}]
  egress: [{dscp: 8, classifier: {ports: [{protocol: TCP, port: 80}]}}]
"""


def compiled(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    """Run `nqosd compile`; gives its exit code, output and complaints."""
    code = main(["compile", *arguments])
    streams = capsys.readouterr()
    return code, streams.out, streams.err


def test_the_guide_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    """The guide's rule: DSCP 20, its limit, one row on each switch with such pods, and just their addresses."""
    code, out, err = compiled(capsys, "--format", "json", GUIDE)
    found = conforming("compile", out)
    assert (code, err) == (OK, "")
    assert list(found) == ["qos", "address_sets", "port_groups", "policies"]
    assert [row["switches"] for row in found["qos"]] == [["ovn.stream_ovn-worker"], ["ovn.stream_ovn-worker2"]]
    for row in found["qos"]:
        assert (row["direction"], row["priority"]) == ("to-lport", 12180)
        assert (row["action"], row["bandwidth"]) == ({"dscp": 20}, {"rate": 20000, "burst": 100})
        assert row["external_ids"]["nqosd.io/policy"] == "default/qos-external"
    assert sorted(each["addresses"] for each in found["address_sets"]) == [["10.245.2.3"], ["10.245.4.3"]]
    (policy,) = found["policies"]
    assert (policy["namespace"], policy["name"], policy["ready"]) == ("default", "qos-external", True)
    assert policy["problems"] == []
    assert "burst" in policy["warnings"][0]


def test_output_is_the_same_each_time(capsys: pytest.CaptureFixture[str]) -> None:
    """The order of paths and documents doesn't change a byte."""
    files = sorted(map(str, Path(GUIDE).iterdir()))
    for style in ("json", "table", "nbctl"):
        one = compiled(capsys, "--format", style, *files)
        assert one == compiled(capsys, "--format", style, *reversed(files))


def test_nbctl_commands_make_the_rows(capsys: pytest.CaptureFixture[str], ovsdb_nb: OvsdbServer) -> None:
    """The printed ovn-nbctl commands, run on a real database, make the rows and sets that JSON shows."""
    for switch in ("ovn.stream_ovn-worker", "ovn.stream_ovn-worker2"):
        ovsdb_nb.nbctl("ls-add", switch)
    for command in compiled(capsys, "--format", "nbctl", GUIDE)[1].splitlines():
        ovsdb_nb.nbctl(*shlex.split(command)[1:])
    expected = json.loads(compiled(capsys, "--format", "json", GUIDE)[1])
    rows = ovsdb_nb.transact({"op": "select", "table": "QoS", "where": []})[0]["rows"]
    assert isinstance(rows, list)
    assert sorted(row["match"] for row in rows) == sorted(row["match"] for row in expected["qos"])
    for row in rows:
        assert dict(row["external_ids"][1]) in [each["external_ids"] for each in expected["qos"]]
        assert dict(row["bandwidth"][1]) == {"rate": 20000, "burst": 100}
    for row in expected["qos"]:
        assert row["match"] in ovsdb_nb.nbctl("qos-list", row["switches"][0])
    sets = ovsdb_nb.transact({"op": "select", "table": "Address_Set", "where": []})[0]["rows"]
    assert isinstance(sets, list)
    assert sorted(each["name"] for each in sets) == [each["name"] for each in expected["address_sets"]]


def test_a_zone_narrows_the_sources(capsys: pytest.CaptureFixture[str]) -> None:
    """With --zone only pods on its nodes are sources; a name that no node has is a mistake, `*` means the cluster."""
    out = json.loads(compiled(capsys, "--zone", "ovn-worker2", "--format", "json", GUIDE)[1])
    assert [row["switches"] for row in out["qos"]] == [["ovn.stream_ovn-worker2"]]
    code, text, err = compiled(capsys, "--zone", "nowhere", "--format", "json", GUIDE)
    assert (code, text) == (USAGE, "")
    assert "--zone: no node is of the zone nowhere, by its name or its zone annotation (nodes: ovn-" in err
    code, text, _err = compiled(capsys, "--zone", "*", "--format", "json", GUIDE)
    assert (code, len(json.loads(text)["qos"])) == (OK, 2)


def test_an_old_ovn_gets_shields(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """Before 24.09 a rule without a limit above a limited one carries a limit that never bites; later ones don't."""
    pods = Path(GUIDE, "pods.yaml").read_text()
    marks = POLICY.replace("priority: 1", "priority: 20").replace("web", "marks")
    limits = POLICY.replace("dscp: 8,", "dscp: 8, bandwidth: {rate: 1000},")
    (tmp_path / "all.yaml").write_text(f"{pods}---\n{marks}---\n{limits}")

    def limits_of(version: str) -> list[dict[str, int]]:
        out = json.loads(compiled(capsys, "--ovn-version", version, "--format", "json", str(tmp_path))[1])
        return [row["bandwidth"] for row in out["qos"] if "marks" in row["external_ids"]["nqosd.io/policy"]]

    assert limits_of("23.03") == [{"rate": 4294967295}] * 2
    assert limits_of("24.09") == [{}, {}]


def test_a_policy_that_is_not_ready(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """An invalid policy is exit code 1, has no rows, and names the field; others are compiled all the same."""
    broken = POLICY.replace("web", "broken").replace("port: 80", "port: 0")
    (tmp_path / "all.yaml").write_text("---\n".join([Path(GUIDE, "pods.yaml").read_text(), POLICY, broken]))
    code, out, _err = compiled(capsys, "--format", "json", str(tmp_path))
    found = json.loads(out)
    assert code == FAILED
    assert {row["external_ids"]["nqosd.io/policy"] for row in found["qos"]} == {"default/web"}
    assert [each["ready"] for each in found["policies"]] == [False, True]
    assert found["policies"][0]["problems"][0]["field"] == "spec.egress[0].classifier.ports[0].port"


CLEAN = Path(GUIDE, "pods.yaml").read_text(), POLICY


def strictly(capsys: pytest.CaptureFixture[str], path: Path, *manifests: str) -> tuple[int, str]:
    """Compile manifests with --strict; gives exit code and complaints."""
    (path / "all.yaml").write_text("---\n".join(manifests))
    code, _out, err = compiled(capsys, "--strict", str(path))
    return code, err


def test_strictly_there_is_nothing_to_say_of_good_manifests(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """With --strict, policies that are ready without a warning are exit code 0, and nothing is on standard error."""
    assert strictly(capsys, tmp_path, *CLEAN) == (OK, "")


def test_strictly_a_warning_is_a_failure(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """With --strict a warning about a policy is exit code 1 and a line on standard error; without, it is neither."""
    burst = POLICY.replace("dscp: 8,", "dscp: 8, bandwidth: {rate: 1000, burst: 10},")
    code, err = strictly(capsys, tmp_path, CLEAN[0], burst)
    assert code == FAILED
    text = (tmp_path / "all.yaml").read_text()
    line = text[: text.index("burst")].count("\n") + 1
    said = (
        f"warning: {tmp_path}/all.yaml:{line}: NetworkQoS default/web: spec.egress[0].bandwidth.burst: 10 is less than"
    )
    assert err.startswith(said)
    assert compiled(capsys, str(tmp_path))[::2] == (OK, "")


def test_strictly_a_warning_about_another_object_is_a_failure(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """With --strict, what would be ignored of any object is exit code 1."""
    definition = (
        "apiVersion: k8s.cni.cncf.io/v1\nkind: NetworkAttachmentDefinition\nmetadata: {name: a, namespace: b}\n"
    )
    code, err = strictly(capsys, tmp_path, *CLEAN, definition + "spec: {config: '{'}\n")
    assert code == FAILED
    assert ": NetworkAttachmentDefinition b/a: " in err


def test_strictly_a_limit_is_named(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """With --strict a policy beyond a limit, or an invalid one, is exit code 1, and standard error says why."""
    ports = ", ".join(f"{{port: {2 * number + 1}}}" for number in range(Limits().ports + 1))
    large = POLICY.replace("{protocol: TCP, port: 80}", ports).replace("web", "large")
    code, err = strictly(capsys, tmp_path, *CLEAN, large, POLICY.replace("dscp: 8", "dscp: 88").replace("web", "bad"))
    assert code == FAILED
    bad, beyond = err.splitlines()
    assert ": NetworkQoS default/bad: spec.egress[0].dscp: 88 is not" in bad
    assert ": NetworkQoS default/large: spec.egress[0].classifier: " in beyond
    assert "limits.ports allows" in beyond


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("kind: [", "all.yaml"),
        ("apiVersion: v1\nkind: Pod\nmetadata: {}\n", "metadata.name"),
    ],
)
def test_unusable_manifests(capsys: pytest.CaptureFixture[str], tmp_path: Path, text: str, said: str) -> None:
    """A manifest that can't be used is exit code 2 and named with the reason, and nothing is printed."""
    (tmp_path / "all.yaml").write_text(text)
    code, out, err = compiled(capsys, "--format", "json", str(tmp_path), GUIDE)
    assert (code, out) == (USAGE, "")
    assert said in err


def test_a_pod_that_can_not_be_read(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """A pod whose annotation doesn't parse is left out alone, and named."""
    pods = Path(GUIDE, "pods.yaml").read_text().replace('"10.245.2.3/24"', '"10.245.2.300/24"')
    (tmp_path / "pods.yaml").write_text(pods)
    arguments = ["--format", "json", f"{GUIDE}/nad.yaml", f"{GUIDE}/nqos.yaml", str(tmp_path)]
    code, out, err = compiled(capsys, *arguments)
    assert code == OK
    assert "Pod default/pod2" in err
    assert "10.245.2.300" in err
    assert [each["addresses"] for each in json.loads(out)["address_sets"]] == [["10.245.4.3"]]


def test_nothing_at_a_path(capsys: pytest.CaptureFixture[str]) -> None:
    """A path that isn't there is exit code 2."""
    code, _out, err = compiled(capsys, "/nowhere/at/all")
    assert code == USAGE
    assert "/nowhere/at/all" in err


def test_not_a_version(capsys: pytest.CaptureFixture[str]) -> None:
    """A version that isn't one of OVN's is refused with an example."""
    code, _out, err = compiled(capsys, "--ovn-version", "new", GUIDE)
    assert code == USAGE
    assert "--ovn-version new" in err
    assert "24.09" in err


def test_hostile_texts_are_shown_as_what_they_are(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """Neither output nor complaints hold a control character, a bidi mark or an escape of an object's."""
    name = r'"we\u001b[2Jb\u202e\u009b\u2028x"'
    config = r"""'{"type": "ovn-k8s-cni-overlay", "name": "x\u001b[31m", "topology": "layer2"}'"""
    metadata = f"metadata: {{name: {name}, namespace: default}}"
    (tmp_path / "policy.yaml").write_text(POLICY.replace("metadata: {name: web, namespace: default}", metadata))
    (tmp_path / "nad.yaml").write_text(
        f"apiVersion: k8s.cni.cncf.io/v1\nkind: NetworkAttachmentDefinition\n{metadata}\nspec: {{config: {config}}}\n"
    )
    for style in ("table", "json", "nbctl"):
        _code, out, err = compiled(capsys, "--format", style, GUIDE, str(tmp_path))
        assert r"\u001b[2J" in err
        assert all(line.isprintable() for line in (*out.split("\n"), *err.split("\n")))
        assert style == "nbctl" or r"we\u001b[2Jb\u202e\u009b\u2028x" in out
