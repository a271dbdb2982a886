"""`nqosd explain` says which rule a packet takes, offline and against real databases."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from nqosd.cli import BAD_CONFIG, FAILED, OK, USAGE, main
from tests.cli.documents import conforming
from tests.services.daemon import Nqosd
from tests.services.generation import every_generation
from tests.services.ovn import OvnCentral
from tests.services.ovsdb import OvsdbServer

GUIDE = "docs/examples/guide"
SWITCHES = ("ovn.stream_ovn-worker", "ovn.stream_ovn-worker2")
PACKET = ("--pod", "default/pod1", "--to", "10.245.2.3", "--proto", "tcp", "--port", "443", "--network", "ovn-stream")
MORE = """
apiVersion: k8s.ovn.org/v1alpha1
kind: NetworkQoS
metadata: {name: web, namespace: default}
spec:
  priority: 20
  podSelector: {matchLabels: {nqos-app: bw-limited}}
  egress:
  - {dscp: 8, classifier: {ports: [{protocol: TCP, port: 80}]}}
  - {dscp: 9, classifier: {to: [{podSelector: {matchLabels: {foo: bar}}}], ports: [{protocol: TCP, port: 443}]}}
---
apiVersion: k8s.ovn.org/v1alpha1
kind: NetworkQoS
metadata: {name: broken, namespace: default}
spec:
  priority: 5
  egress: [{dscp: 64}]
---
apiVersion: k8s.ovn.org/v1alpha1
kind: NetworkQoS
metadata: {name: far, namespace: elsewhere}
spec:
  priority: 5
  egress: [{dscp: 1}]
---
apiVersion: v1
kind: Pod
metadata: {name: host, namespace: default}
spec: {nodeName: ovn-worker, hostNetwork: true}
status: {phase: Running, podIP: 192.0.2.1}
---
apiVersion: v1
kind: Pod
metadata:
  name: ended
  namespace: default
  annotations: {k8s.ovn.org/pod-networks: '{"default": {"ip_addresses": ["10.244.1.77/24"]}}'}
spec: {nodeName: ovn-worker}
status: {phase: Succeeded}
---
apiVersion: v1
kind: Pod
metadata: {name: new, namespace: default}
spec: {nodeName: ovn-worker}
status: {phase: Pending}
"""

Answer = dict[str, Any]
"""A JSON object, as it comes."""


def asked(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    """Run `nqosd explain`; gives its exit code, output and complaints."""
    code = main(["explain", *arguments])
    streams = capsys.readouterr()
    return code, streams.out, streams.err


def attachment(out: str) -> Answer:
    """Read the one attachment of a JSON answer."""
    found: list[Answer] = conforming("explain", out)["attachments"]
    assert len(found) == 1
    return found[0]


def winner(out: str) -> Answer:
    """Read the rule that wins."""
    found: Answer = attachment(out)["winner"]
    return found


def row(out: str) -> Answer:
    """Read the winner's row."""
    found: Answer = winner(out)["row"]
    return found


@pytest.fixture
def more(tmp_path: Path) -> str:
    """Write three further policies and a pod on the host network."""
    (tmp_path / "more.yaml").write_text(MORE)
    return str(tmp_path)


def test_the_guide(capsys: pytest.CaptureFixture[str]) -> None:
    """The guide's limited pod takes the guide's rule, with its row, priority, DSCP and limit."""
    code, out, err = asked(capsys, *PACKET, "--format", "json", GUIDE)
    assert (code, err) == (OK, "")
    found = attachment(out)
    assert (found["network"], found["from"], found["switch"]) == ("ovn-stream", "10.245.4.3", SWITCHES[0])
    rule = winner(out)
    assert (rule["policy"], rule["rule"], rule["priority"]) == ("default/qos-external", 0, 12180)
    assert (rule["dscp"], rule["rate"], rule["burst"], rule["shared_by"]) == (20, 20000, 100, 1)
    assert row(out)["switch"] == SWITCHES[0]
    assert str(row(out)["match"]).startswith("ip4.src == $nqosd_")
    assert row(out)["northbound"] is None


def test_who_loses_and_why(capsys: pytest.CaptureFixture[str], more: str) -> None:
    """Of two policies that match the higher priority wins, and each rule says which part doesn't match."""
    _code, out, _err = asked(capsys, *PACKET, "--format", "json", GUIDE, more)
    assert [(each["policy"], each["rule"], each["outcome"]) for each in attachment(out)["matching"]] == [
        ("default/web", 1, "wins"),
        ("default/qos-external", 0, "loses"),
    ]  # fmt: skip
    policies = {str(each["policy"]): each for each in attachment(out)["policies"]}
    reasons = {key: each["reason"] for key, each in policies.items()}
    assert reasons == {
        "default/web": "Selected",
        "default/qos-external": "Selected",
        "default/broken": "Invalid",
        "elsewhere/far": "Namespace",
    }
    (first, second) = policies["default/web"]["rules"]
    assert first["parts"]["ports"]["matches"] is False
    assert "the packet goes to port 443" in json.dumps(first["parts"]["ports"]["entries"])
    assert "10.245.2.3 is an address of pod default/pod2" in json.dumps(second["parts"]["to"])
    assert "spec.egress[0].dscp" in json.dumps(policies["default/broken"]["problems"])


def test_as_text(capsys: pytest.CaptureFixture[str], more: str) -> None:
    """Text begins with the decision, names every reason, and counts the policies of other namespaces."""
    code, out, _err = asked(capsys, *PACKET, GUIDE, more)
    assert code == OK
    lines = out.splitlines()
    assert lines[0] == "pod default/pod1 to 10.245.2.3, tcp port 443"
    decided = [line.strip() for line in lines if line.startswith(("  wins", "  loses"))]
    assert decided == [
        "wins default/web rule 1: DSCP 9, no limit, priority 14181",
        "loses default/qos-external rule 0: DSCP 20, 20000 kbps with burst 100 kb for this pod alone, priority 12180",
    ]
    assert "    - default/broken: it is invalid and not applied" in lines
    assert "    1 in other namespaces: --all lists them" in lines
    assert "\x1b" not in out
    assert "elsewhere/far: it is for pods of namespace elsewhere" in asked(capsys, *PACKET, "--all", GUIDE, more)[1]


def test_a_pod_that_no_policy_selects(capsys: pytest.CaptureFixture[str]) -> None:
    """The guide's first pod takes no rule, because of the label that it lacks."""
    _code, out, _err = asked(
        capsys, "--pod", "default/pod0", "--to", "10.245.2.3", "--proto", "icmp", "--network", "ovn-stream", GUIDE
    )
    assert "no rule matches" in out
    assert "podSelector asks for nqos-app=bw-limited, and the pod has no label nqos-app" in out


def test_the_address_of_another_pod(capsys: pytest.CaptureFixture[str]) -> None:
    """A packet with an address of nobody takes no rule; without --network each network of the pod is explained."""
    code, out, _err = asked(
        capsys, "--pod", "default/pod1", "--to", "1.1.1.1", "--proto", "other", "--from", "10.245.4.9", GUIDE
    )
    assert code == OK
    assert "10.245.4.9 is no address of a pod that it selects on switch ovn.stream_ovn-worker" in out
    assert "it selects ovn-stream, not default" in out


def test_a_pod_that_sends_nothing(capsys: pytest.CaptureFixture[str], more: str) -> None:
    """A pod on the host network, and one in another zone, can take no rule, and the answer says so."""
    _code, out, _err = asked(capsys, "--pod", "default/host", "--to", "1.1.1.1", "--proto", "icmp", GUIDE, more)
    assert "no rule: the pod is on the host network" in out
    _code, out, _err = asked(capsys, *PACKET, "--zone", "ovn-worker2", GUIDE)
    assert "its node ovn-worker isn't in zone ovn-worker2" in out
    assert "wins" not in out


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"--pod": "pod1"}, "pod pod1: write NAMESPACE/NAME"),
        ({"--pod": "default/nobody"}, "pod default/nobody: there is no such pod"),
        ({"--to": "10.245.2"}, "--to 10.245.2: it is not an IPv4 or IPv6 address"),
        ({"--proto": ""}, "--port 443: name its protocol with --proto"),
        ({"--to": "pod/nobody"}, "--to pod/nobody: write NAMESPACE/NAME"),
        ({"--to": "pod/default/nobody"}, "--to pod default/nobody: there is no such pod"),
        ({"--to": "pod/a/b/c"}, "--to pod/a/b/c: write NAMESPACE/NAME"),
        ({"--proto": "icmp"}, "--port 443: icmp has no ports"),
        ({"--network": "blue"}, "--network blue: pod default/pod1 isn't on it; its networks are: default, ovn-stream"),
        ({"--from": "fd00::1"}, "--from fd00::1: it must be of the same family as --to 10.245.2.3"),
        ({"--ovn-version": "new"}, "--ovn-version new"),
        ({"--ovn-version": "24.13"}, "--ovn-version 24.13"),
        ({"--southbound": "unix:/x"}, "--southbound"),
    ],
)
def test_questions_that_make_no_sense(capsys: pytest.CaptureFixture[str], changed: dict[str, str], said: str) -> None:
    """A question about nothing is exit code 2, and names the argument with its value."""
    given = dict(zip(PACKET[::2], PACKET[1::2], strict=True)) | changed
    arguments = [word for pair in given.items() if pair[1] for word in pair]
    code, out, err = asked(capsys, *arguments, GUIDE)
    assert (code, out) == (USAGE, "")
    assert said in err


@pytest.mark.parametrize(
    ("named", "said"),
    [
        ((), "--proto is missing: default/web rule 0 asks for TCP port 80"),
        (("--proto", "TCP"), "--port is missing: default/web rule 0 asks for TCP port 80"),
        (("--proto", "tcp", "--port", "443"), "wins default/web rule 1"),
        (("--proto", "UDP"), "wins default/qos-external rule 0"),
    ],
)
def test_what_a_rule_asks_for_must_be_named(
    capsys: pytest.CaptureFixture[str], more: str, named: tuple[str, ...], said: str
) -> None:
    """Protocol and port may be left out where no rule's answer depends on them, and are written in either case."""
    pods = ("--pod", "default/pod1", "--to", "pod/default/pod2", "--network", "ovn-stream")
    code, out, err = asked(capsys, *pods, *named, GUIDE, more)
    assert (code == USAGE, out == "") == (said.startswith("--"),) * 2
    assert said in (err if code else out)
    assert asked(capsys, *pods, GUIDE)[0] == OK


def test_to_a_pod(capsys: pytest.CaptureFixture[str], more: str) -> None:
    """A pod is asked about on every network that both are on; one that can't be sent to says why."""
    code, out, err = asked(capsys, "--pod", "default/pod1", "--to", "Pod/default/pod2", "-o", "json", GUIDE)
    assert (code, err) == (OK, "")
    found = conforming("explain", out)
    assert found["packet"]["to"] == "pod default/pod2"
    ways = {each["network"]: (each["from"], each["to"]) for each in found["attachments"]}
    assert ways == {"default": ("10.244.1.3", "10.244.2.3"), "ovn-stream": ("10.245.4.3", "10.245.2.3")}
    text = asked(capsys, "--pod", "default/pod1", "--to", "pod/default/pod2", GUIDE)[1]
    assert "network ovn-stream (layer3), from 10.245.4.3 to 10.245.2.3" in text
    _code, _out, err = asked(capsys, "--pod", "default/pod1", "--to", "pod/default/host", GUIDE, more)
    assert "--to pod default/host: it is on the host network; name the node's address" in err
    for name, said in {"ended": "it has ended, and its addresses", "new": "it has no address on any network"}.items():
        code, _out, err = asked(capsys, "--pod", "default/pod1", "--to", f"pod/default/{name}", GUIDE, more)
        assert (code, f"--to pod default/{name}: {said}" in err) == (USAGE, True)
    text = asked(capsys, "--pod", "default/host", "--to", "pod/default/pod1", GUIDE, more)[1]
    assert "no rule: the pod is on the host network" in text
    _code, _out, err = asked(
        capsys, "--pod", "default/pod1", "--to", "pod/default/pod2", "--from", "fd00::1", "--network", "default", GUIDE
    )
    assert "it has no address on default that pod default/pod1 could send to; its networks are: default, " in err


def test_an_address_of_ipv4_written_as_one_of_ipv6(capsys: pytest.CaptureFixture[str]) -> None:
    """It is asked about as the address of IPv4 that it is."""
    mapped = [*PACKET]
    mapped[PACKET.index("--to") + 1] = f"::ffff:{PACKET[PACKET.index('--to') + 1]}"
    assert asked(capsys, *mapped, GUIDE) == asked(capsys, *PACKET, GUIDE)


@pytest.fixture
def daemon(ovn_central: OvnCentral) -> Iterator[Nqosd]:
    """Run the daemon on the guide's manifests, beside both databases and northd."""
    for switch in SWITCHES:
        ovn_central.nb.nbctl("ls-add", switch)
        # northd makes flows for a switch as soon as it has a port
        ovn_central.nb.nbctl("lsp-add", switch, f"port-{switch}")
    with Nqosd([ovn_central.nb.unix], manifests=[Path(GUIDE).resolve()]) as running:
        running.wait_until(lambda: running.metric("nqosd_replica_rows", table="QoS") == 2, what="done with the guide")
        running.settle()
        yield running


@every_generation
def test_live(capsys: pytest.CaptureFixture[str], daemon: Nqosd, ovn_central: OvnCentral) -> None:
    """With a configuration the row is found in NB as desired, and its flows in SB; what is wrong is said."""
    live = [*PACKET, "--config", str(daemon.config), "--southbound", ovn_central.sb.unix, "--format", "json"]
    ovn_central.sync()
    code, out, err = asked(capsys, *live)
    assert (code, err) == (OK, "")
    assert row(out)["northbound"]["state"] == "as desired"
    uuid = str(row(out)["northbound"]["uuid"])
    assert ovn_central.nb.nbctl("get", "QoS", uuid, "priority").strip() == "12180"
    flows = row(out)["southbound"]
    assert {str(flow["uuid"]) for flow in flows} == set(ovn_central.logical_flows_of(uuid))
    assert {flow["stage"] for flow in flows} <= {"ls_out_qos_mark", "ls_out_qos_meter", "ls_out_qos"}
    assert flows

    daemon.stop()
    ovn_central.nb.nbctl("set", "QoS", uuid, "priority=7")
    _code, out, _err = asked(capsys, *live)
    assert row(out)["northbound"]["state"] == "different"
    assert "rule 0, on switch ovn.stream_ovn-worker" in str(row(out)["northbound"]["detail"])
    ovn_central.nb.nbctl("ls-del", SWITCHES[0])
    _code, out, _err = asked(capsys, *live)
    assert row(out)["northbound"]["state"] == "waiting for its switch"
    assert row(out)["southbound"] is None
    _code, out, _err = asked(capsys, *live[:-2])
    assert "Northbound: waiting for its switch: logical switch ovn.stream_ovn-worker isn't there" in out


def test_nothing_to_ask(capsys: pytest.CaptureFixture[str], tmp_path: Path, ovsdb_nb: OvsdbServer) -> None:
    """A bad configuration is exit code 78; a Southbound database that isn't there is exit code 1."""
    config = tmp_path / "nqosd.toml"
    config.write_text("[northbound]\nremote = 1\n")
    assert asked(capsys, *PACKET, "--config", str(config))[0] == BAD_CONFIG
    for switch in SWITCHES:
        ovsdb_nb.nbctl("ls-add", switch)
    with Nqosd([ovsdb_nb.unix], manifests=[Path(GUIDE).resolve()]) as daemon:
        daemon.wait_until(lambda: daemon.metric("nqosd_replica_rows", table="QoS") == 2, what="done with the guide")
        code, out, err = asked(
            capsys, *PACKET, "--config", str(daemon.config), "--southbound", f"unix:{tmp_path}/none.sock"
        )
    assert (code, out) == (FAILED, "")
    assert "none.sock: " in err
