"""The CustomResourceDefinition on a real server: what it accepts, what it refuses, what kubectl shows."""

import copy
import json
import re
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings

from nqosd.api.decoding import decode_network_qos
from nqosd.api.networkqos import NetworkQoSSpec, NetworkSelectionType
from tests.api.manifests import GUIDE_SPEC, Json, classifier, rule
from tests.api.strategies import SPECS, write_spec
from tests.api.test_selectors import entry, networks
from tests.services.kubernetes import ApiServer
from tests.services.process import ServiceError

CRD = Path("config/crd/networkqoses.k8s.ovn.org.yaml")
PATH = "/apis/k8s.ovn.org/v1alpha1/namespaces/{namespace}/networkqoses"


@pytest.fixture(scope="module")
def server(api_server: ApiServer) -> ApiServer:
    """Give the shared server, with nqosd's definition of NetworkQoS."""
    api_server.apply_crds(CRD.read_text())
    return api_server


def create(server: ApiServer, namespace: str, spec: object, *, dry_run: bool = False) -> bytes:
    """Create a NetworkQoS; a field that the definition doesn't know refuses it."""
    body = {
        "apiVersion": "k8s.ovn.org/v1alpha1",
        "kind": "NetworkQoS",
        "metadata": {"generateName": "limit-", "namespace": namespace},
        "spec": spec,
    }
    path = f"{PATH.format(namespace=namespace)}?fieldValidation=Strict{'&dryRun=All' if dry_run else ''}"
    return server.request("POST", path, body)


def test_the_guides_policy_is_accepted_and_kubectl_shows_its_status(server: ApiServer, namespace: str) -> None:
    """`kubectl get nqos` prints what the guide's section 3 shows, and more; `explain` knows the fields."""
    policy = {"apiVersion": "k8s.ovn.org/v1alpha1", "kind": "NetworkQoS", "metadata": {"name": "qos-external"}}
    server.kubectl("create", "-n", namespace, "-f", "-", stdin=json.dumps(policy | {"spec": GUIDE_SPEC}))
    zones = {"summary": "2/2", "withSenders": 2, "ready": 2, "failing": 0}
    ready = {"ready": "True for generation 1", "observedGeneration": 1, "zones": zones}
    status = {"status": {"status": "NetworkQoS Destinations applied", "reportedAt": "2026-11-24T10:00:00Z"} | ready}
    path = f"{PATH.format(namespace=namespace)}/qos-external/status"
    server.request("PATCH", path, status, content_type="application/merge-patch+json")
    printed = server.kubectl("get", "nqos", "qos-external", "-n", namespace)
    header, line = (re.split(r"\s{2,}", each.strip()) for each in printed.strip().splitlines())
    assert header == ["NAME", "GENERATION", "READY", "ZONES", "STATUS", "PRIORITY", "AGE"]
    said = ["qos-external", "1", ready["ready"], "2/2", "NetworkQoS Destinations applied", str(GUIDE_SPEC["priority"])]
    assert line[:6] == said
    wide = server.kubectl("get", "nqos", "qos-external", "-n", namespace, "-o", "wide").splitlines()[0].split()
    assert [each for each in wide if each not in header] == ["REPORTED", "NETWORKS", "REASON"]
    assert "qos-external" in server.kubectl("get", "ovn", "-n", namespace)
    for field in ("priority", "egress.bandwidth.burst", "egress.classifier.from.ipBlock.except", "networkSelectors"):
        assert "DESCRIPTION:\n    <empty>" not in server.kubectl("explain", f"nqos.spec.{field}")


@pytest.mark.parametrize(
    "spec",
    [
        *[pytest.param(networks(entry(type_)), id=type_) for type_ in NetworkSelectionType],
        pytest.param(networks(*map(entry, NetworkSelectionType)), id="all types at once"),
        pytest.param(classifier(**{"from": [{"ipBlock": {"cidr": "10.0.0.0/8"}}, {}]}), id="from"),
        pytest.param(classifier(to=[{}, {"podSelector": {}}, {"namespaceSelector": {}}]), id="every peer"),
        pytest.param(classifier(ports=[{}, {"port": 1}, {"protocol": "SCTP"}]), id="every port"),
        pytest.param(rule(bandwidth={"rate": 4294967295, "burst": 4294967295}), id="the greatest bandwidth"),
        pytest.param(rule(bandwidth={"burst": 5}), id="burst without rate"),
        pytest.param({"priority": 0, "egress": [{"dscp": 0}] * 20}, id="20 rules"),
        pytest.param({"priority": 100, "egress": []}, id="no rules"),
    ],
)
def test_the_guides_fields_are_accepted_and_kept(server: ApiServer, namespace: str, spec: Json) -> None:
    """The server drops no field, and what it gives back is valid to the daemon."""
    answer = create(server, namespace, spec)
    assert json.loads(answer)["spec"] == spec
    assert decode_network_qos(answer).value.problems == ()


@pytest.mark.parametrize(
    ("spec", "complaint"),
    [
        (None, "spec: Required"),
        ({"priority": 1}, "spec.egress: Required"),
        ({"egress": []}, "spec.priority: Required"),
        (rule() | {"priority": 101}, "spec.priority: Invalid"),
        (rule(dscp=64), "spec.egress[0].dscp: Invalid"),
        ({"priority": 1, "egress": [{}]}, "spec.egress[0].dscp: Required"),
        ({"priority": 1, "egress": [{"dscp": 1}] * 21}, "spec.egress: Too many"),
        (rule(bandwidth={"rate": 0}), "spec.egress[0].bandwidth.rate: Invalid"),
        (rule(bandwidth={"rate": 2**32}), "spec.egress[0].bandwidth.rate: Invalid"),
        (classifier(ports=[{"protocol": "TCPfoo"}]), "spec.egress[0].classifier.ports[0].protocol: Invalid"),
        (classifier(ports=[{"protocol": "xUDP"}]), "spec.egress[0].classifier.ports[0].protocol: Invalid"),
        (classifier(ports=[{"port": 0}]), "spec.egress[0].classifier.ports[0].port: Invalid"),
        (classifier(to=[{"ipBlock": {}}]), "spec.egress[0].classifier.to[0].ipBlock.cidr: Required"),
        (
            classifier(to=[{"ipBlock": {"cidr": "10.0.0.0/8"}, "podSelector": {}}]),
            "ipBlock can't be combined with podSelector or namespaceSelector",
        ),
        (
            classifier(**{"from": [{"ipBlock": {"cidr": "10.0.0.0/8"}, "namespaceSelector": {}}]}),
            "ipBlock can't be combined with podSelector or namespaceSelector",
        ),
        (networks(), "spec.networkSelectors: Invalid value"),
        (networks(entry("DefaultNetwork"), entry("DefaultNetwork")), "spec.networkSelectors[1]: Duplicate value"),
        (networks({"networkSelectionType": "AllNetworks"}), "networkSelectionType: Unsupported value"),
        *[
            (networks({"networkSelectionType": type_}), f"belongs to the type {type_}, and to it alone")
            for type_ in NetworkSelectionType
            if type_ != NetworkSelectionType.DEFAULT_NETWORK
        ],
        *[
            (
                networks(entry(type_) | {"networkSelectionType": "DefaultNetwork"}),
                f"belongs to the type {type_}, and to it alone",
            )
            for type_ in NetworkSelectionType
            if type_ != NetworkSelectionType.DEFAULT_NETWORK
        ],
        (
            rule() | {"podSelector": {"matchExpressions": [{"key": "a", "operator": "Gt"}]}},
            "operator: Unsupported value",
        ),
    ],
)
def test_what_the_schema_can_see_is_refused_at_once(
    server: ApiServer, namespace: str, spec: object, complaint: str
) -> None:
    """The server names the field, before the daemon ever sees the object."""
    with pytest.raises(ServiceError, match="422") as refusal:
        create(server, namespace, spec)
    assert complaint in str(refusal.value)


def test_network_selectors_can_not_be_changed(server: ApiServer, namespace: str) -> None:
    """They are immutable once set, as upstream's; everything else can be edited."""
    created = json.loads(create(server, namespace, networks(entry("DefaultNetwork")) | {"priority": 1}))
    path = f"{PATH.format(namespace=namespace)}/{created['metadata']['name']}"
    edited = copy.deepcopy(created)
    edited["spec"]["priority"] = 2
    edited = json.loads(server.request("PUT", path, edited))
    edited["spec"]["networkSelectors"] = [entry("PrimaryUserDefinedNetworks")]
    with pytest.raises(ServiceError, match="networkSelectors can't be changed"):
        server.request("PUT", path, edited)


def test_a_status_is_written_beside_the_spec(server: ApiServer, namespace: str) -> None:
    """The status subresource takes conditions keyed by type, and the daemon reads them back."""
    name = json.loads(create(server, namespace, rule()))["metadata"]["name"]
    condition = {
        "type": "Ready-In-Zone-east.example.com",
        "status": "True",
        "reason": "Applied",
        "message": "",
        "observedGeneration": 1,
        "lastTransitionTime": "2026-11-24T10:00:00Z",
    }
    path = f"{PATH.format(namespace=namespace)}/{name}/status"
    status = {
        "status": {"status": "NetworkQoS Destinations applied", "conditions": [condition]},
        "spec": {"priority": 9},
    }
    answer = server.request("PATCH", path, status, content_type="application/merge-patch+json")
    value = decode_network_qos(answer).value
    assert [each.type for each in value.status.conditions] == ["Ready-In-Zone-east.example.com"]
    assert value.spec is not None
    assert value.spec.priority == 1


@settings(
    max_examples=60,
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(SPECS)
def test_what_is_valid_to_the_daemon_is_valid_to_the_server(
    server: ApiServer, namespace: str, spec: NetworkQoSSpec
) -> None:
    """The definition accepts every valid policy, and keeps every field of it."""
    written = write_spec(spec)
    assert json.loads(create(server, namespace, written, dry_run=True))["spec"] == written
