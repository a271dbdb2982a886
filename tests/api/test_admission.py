"""`config/admission/validate.yaml` on a real server: it refuses nothing that the daemon takes, and says why."""

import http.client
import json
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from random import Random

import attrs
import pytest
import yaml

from nqosd.api.decoding import decode_network_qos
from nqosd.config import Config
from tests.api.manifests import Json, classifier, rule
from tests.services.etcd import Etcd
from tests.services.kubernetes import ADMIN, ApiServer

POLICY = Path("config/admission/validate.yaml")
PATH = "/apis/k8s.ovn.org/v1alpha1/namespaces/default/networkqoses?dryRun=All"
DENIED = "ValidatingAdmissionPolicy 'nqosd-validate'"
OBJECTS = 2500

CIDRS = (
    "10.0.0.0/8", "10.1.0.0/16", "10.0.0.1/8", "10.0.0.1", "0.0.0.0/0", "::/0", "2001:db8::/32", "2001:db8:1::/48",
    "::1", "2001:DB8::/32", "2001:db8:0:0::/64", "::ffff:10.0.0.0/104", "::ffff:a00:1", "0:0:0:0:0:FFFF:a00:1/128",
    "::10.0.0.1", "10.0.0.0/33", "10.0.0.0/08", "10.0.0.0/255.0.0.0", "010.0.0.0/8", "10.0/16", "10", "", " ",
    " 10.0.0.0/8", "10.0.0.0/", "fe80::1%eth0/64", "2001:db8::/129", "2001:db8:::/32", "10.0.0.0/-1", "10.0.0.0/+8",
    "a.b.c.d/8", "1e1", "/8", "\u0661.0.0.0/8",
)  # fmt: skip
KEYS = (
    "app",
    "a/b",
    "example.com/app",
    "A_b.c-9",
    "",
    "/a",
    "a/",
    "-a",
    "a b",
    "Ex.com/a",
    "a/b/c",
    "a" * 63,
    "a" * 64,
    "é",
)
VALUES = ("", "x", "A_b.c-9", "-x", "x-", "a" * 63, "a" * 64, "a b", "é", "a/b")
SCOPES = ("Rule", "Pod", "pod", "", "Node")


@attrs.frozen
class Server:
    """A server with the policy in force, asked over one connection."""

    api_server: ApiServer
    connection: http.client.HTTPSConnection

    def create(self, policy: Json) -> tuple[int, str, list[str]]:
        """Create an object, without keeping it; gives the status, what is said, and the warnings."""
        headers = {"Authorization": f"Bearer {self.api_server.tokens[ADMIN]}", "Content-Type": "application/json"}
        self.connection.request("POST", PATH, json.dumps(policy), headers)
        answer = self.connection.getresponse()
        text = answer.read().decode()
        said = str(json.loads(text).get("message", ""))
        return answer.status, said, answer.headers.get_all("Warning") or []


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """Start a server of its own, since the policy is for the whole cluster."""
    with Etcd() as etcd, ApiServer(etcd) as api_server:
        api_server.apply_crds(Path("config/crd/networkqoses.k8s.ovn.org.yaml").read_text())
        api_server.apply(POLICY.read_text())
        made = http.client.HTTPSConnection("127.0.0.1", api_server.port, context=api_server._tls)
        with closing(made) as connection:
            found = Server(api_server, connection)
            wrong = policy(classifier(to=[{"ipBlock": {"cidr": "x"}}]))
            api_server.wait_until(lambda: DENIED in found.create(wrong)[1], what="refusing anything")
            yield found


def policy(spec: object, **annotations: str) -> Json:
    """Make an object."""
    return {
        "apiVersion": "k8s.ovn.org/v1alpha1",
        "kind": "NetworkQoS",
        "metadata": {"name": "limit", "namespace": "default", "annotations": annotations},
        "spec": spec,
    }


def drawn(random: Random) -> Json:
    """Draw an object that the definition takes, with one field in which many a text is wrong, or few of them."""
    wrong = random.choice([CIDRS[:6], CIDRS]), random.choice([KEYS[:4], KEYS]), random.choice([VALUES[:3], VALUES])
    cidrs, keys, values = wrong

    def selector() -> Json:
        found: Json = {}
        if random.random() < 0.5:
            found["matchLabels"] = {random.choice(keys): random.choice(values) for _ in range(random.randrange(3))}
        if random.random() < 0.5:
            operator = random.choice(["In", "NotIn", "Exists", "DoesNotExist"])
            few = random.choice([0, 1, 2]) if random.random() < 0.1 else 2 * operator.endswith("In")
            chosen = [random.choice(values) for _ in range(few)]
            found["matchExpressions"] = [{"key": random.choice(keys), "operator": operator, "values": chosen}]
        return found

    def peer() -> Json:
        if random.random() < 0.7:
            excepts = [random.choice(cidrs) for _ in range(random.choice([0, 0, 1, 2]))]
            return {"ipBlock": {"cidr": random.choice(cidrs), "except": excepts}}
        return {"podSelector": selector(), "namespaceSelector": selector()}

    spec: Json = {
        "priority": 1,
        "egress": [
            {"dscp": 1, "classifier": {side: [peer() for _ in range(random.randrange(3))] for side in ("to", "from")}}
            for _ in range(random.randrange(3))
        ],
    }
    if random.random() < 0.5:
        spec["podSelector"] = selector()
    if random.random() < 0.3:
        own = {"namespaceSelector": selector(), "networkSelector": selector()}
        type_ = "NetworkAttachmentDefinitions"
        spec["networkSelectors"] = [
            {"networkSelectionType": type_, "networkAttachmentDefinitionSelector": own},
        ]
    scope = {"nqosd.io/bandwidth-scope": random.choice(SCOPES)} if random.random() < 0.1 else {}
    return policy(spec, **scope)


def test_what_it_refuses_the_daemon_refuses(server: Server) -> None:
    """Of thousands of objects, none that the daemon would apply is refused; most of what it wouldn't apply is."""
    random = Random(17)  # noqa: S311 - the same objects each time
    counts = Counter[tuple[bool, bool]]()
    for _ in range(OBJECTS):
        wanted = drawn(random)
        status, said, _warnings = server.create(wanted)
        assert status == 201 or DENIED in said, (wanted, said)
        problems = decode_network_qos(json.dumps(wanted).encode()).value.problems
        counts[status == 201, not problems] += 1
        assert status == 201 or problems, (wanted, said)
    assert counts[True, True] > OBJECTS / 10
    assert counts[False, False] > 20 * counts[True, False] > 0, counts


LABELS = "matchLabels: a key is a name"
EXPRESSIONS = "matchExpressions: a key is a name"


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (
            policy(classifier(to=[{}, {"ipBlock": {"cidr": "10.0.0.0/33"}}])),
            "spec.egress: 10.0.0.0/33 is not a CIDR such as",
        ),
        (
            policy(classifier(to=[{"ipBlock": {"cidr": "::/0", "except": ["x"]}}])),
            "spec.egress: x is not a CIDR such as",
        ),
        (
            policy(
                classifier(**{"from": [{"ipBlock": {"cidr": "10.0.0.0/8", "except": ["10.1.0.0/16", "11.0.0.0/8"]}}]})
            ),
            "spec.egress: except 11.0.0.0/8 is not inside 10.0.0.0/8; name parts of the block",
        ),
        (
            policy(classifier(to=[{"ipBlock": {"cidr": "10.0.0.0/8", "except": ["2001:db8::/32"]}}])),
            "except 2001:db8::/32 is not inside 10.0.0.0/8",
        ),
        (policy(rule() | {"podSelector": {"matchLabels": {"a b": "x"}}}), LABELS),
        (policy(classifier(to=[{"namespaceSelector": {"matchLabels": {"a": "x-"}}}])), LABELS),
        (
            policy(rule() | {"podSelector": {"matchExpressions": [{"key": "-a", "operator": "Exists"}]}}),
            EXPRESSIONS,
        ),
        (
            policy(rule() | {"podSelector": {"matchExpressions": [{"key": "a", "operator": "In"}]}}),
            "In and NotIn compare with at least one value",
        ),
        (policy(rule(), **{"nqosd.io/bandwidth-scope": "Node"}), "bandwidth-scope]: is neither Rule nor Pod"),
    ],
)
def test_it_says_what_is_wrong(server: Server, wrong: Json, said: str) -> None:
    """A refusal names the field, the value where it can, and what would be right; the daemon refuses the same."""
    status, message, _warnings = server.create(wrong)
    assert status == 422
    assert said in message
    assert decode_network_qos(json.dumps(wrong).encode()).value.problems


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        (rule(bandwidth={"burst": 5}), "burst has no effect without rate"),
        (rule(bandwidth={"rate": 1000, "burst": 99}), "a burst of less than a tenth of the rate"),
        ({"priority": 1, "egress": []}, "no rules: this policy does nothing"),
        (classifier(ports=[{}]), "neither protocol nor port"),
        (classifier(ports=[{"port": port} for port in range(1, 203, 2)]), "beyond the default of limits.ports"),
        (classifier(to=[{"podSelector": {}}] * 101), "beyond the default of limits.selectors"),
        (
            classifier(to=[{"ipBlock": {"cidr": "::/0", "except": [f"{i:x}::/16" for i in range(5001)]}}]),
            "beyond the default of limits.prefixes",
        ),
        (rule(bandwidth={"rate": 1000, "burst": 100}), None),
    ],
)
def test_it_warns_early(server: Server, spec: Json, said: str | None) -> None:
    """What is harmful, or beyond a default limit, is applied with a warning that kubectl shows; all else without."""
    status, _message, warnings = server.create(policy(spec))
    assert status == 201
    assert [each for each in warnings if said is None or said not in each] == []
    assert bool(warnings) is (said is not None)


def test_a_finalizer_ends_whatever_the_spec_is(server: Server) -> None:
    """An object that was there before the policy can be labelled and deleted: only what changes is looked at."""
    kubectl = server.api_server.kubectl
    kubectl("delete", "-f", str(POLICY))
    wrong = policy(classifier(to=[{"ipBlock": {"cidr": "x"}}]))
    server.api_server.wait_until(lambda: server.create(wrong)[0] == 201, what="without the policy")
    kubectl("create", "-f", "-", stdin=yaml.safe_dump(wrong))
    server.api_server.apply(POLICY.read_text())
    server.api_server.wait_until(lambda: DENIED in server.create(wrong)[1], what="refusing anything")
    kubectl("label", "nqos", "limit", "-n", "default", "a=b")
    kubectl("delete", "nqos", "limit", "-n", "default")


def test_it_knows_the_default_limits() -> None:
    """The figures of its warnings are those of the configuration's defaults."""
    text, limits = " ".join(POLICY.read_text().split()), Config().limits
    assert f"more than {limits.ports} ports in a rule are beyond the default of limits.ports" in text
    assert f"ports.orValue([])) <= {limits.ports}" in text
    assert f"more than {limits.selectors} entries of a rule that select pods are beyond the default" in text
    assert f"has(peer.namespaceSelector))) <= {limits.selectors}" in text
    assert f"beyond the default of limits.prefixes ({limits.prefixes})" in text
