"""A server that drops fields of NetworkQoS objects is found out by the schema that it serves."""

import asyncio
import json
from collections.abc import Mapping
from pathlib import Path
from typing import cast

import pytest
import yaml

from nqosd.api.decoding import decode_network_qos
from nqosd.informers.served_schema import NEEDED, Fields, ServedSchema, lost_fields, lost_of
from nqosd.kube.client import KubeClient
from nqosd.kube.credentials import KubeOptions
from tests.services.kubernetes import DAEMON, ApiServer

CRD = Path(__file__).parents[2] / "config" / "crd" / "networkqoses.k8s.ovn.org.yaml"
FROM = "spec.egress[].classifier.from"
OF_NETWORKS = "spec.networkSelectors[].networkSelectionType"

Schema = dict[str, "Schema"]


def schema(crd: Mapping[str, object]) -> Schema:
    """Give the schema of a definition's version."""
    spec = cast("Mapping[str, list[Mapping[str, Mapping[str, Schema]]]]", crd["spec"])
    return spec["versions"][0]["schema"]["openAPIV3Schema"]


def without(*fields: str) -> str:
    """Write nqosd's definition without some fields; without `FROM`, it has the fields of ovn-kubernetes' own."""
    crd = yaml.safe_load(CRD.read_text())
    for field in fields:
        *path, name = field.replace("[]", "").split(".")
        place = schema(crd)
        for each in path:
            place = place["properties"][each]
            place = place.get("items", place)
        del place["properties"][name]
    return yaml.safe_dump(crd)


def document(crd: str) -> bytes:
    """Put the schema of a definition into a document as a server has it."""
    kinds = [{"group": "k8s.ovn.org", "kind": "NetworkQoS", "version": "v1alpha1"}]
    found = {"x-kubernetes-group-version-kind": kinds, **schema(yaml.safe_load(crd))}
    return json.dumps({"components": {"schemas": {"io.k8s.Status": {}, "org.ovn.k8s.NetworkQoS": found}}}).encode()


def policy(**spec: object) -> bytes:
    """Write a policy."""
    return json.dumps({"metadata": {"name": "p", "namespace": "a"}, "spec": {"priority": 1, **spec}}).encode()


def names(place: Schema) -> Fields:
    """Give the names of the fields of a schema."""
    within = place.get("items", place)
    return {name: names(each) for name, each in within.get("properties", {}).items()}


def test_every_field_of_the_definition_is_needed() -> None:
    """What is looked for are the fields of config/crd, but for those that every object has."""
    found = dict(names(schema(yaml.safe_load(CRD.read_text()))))
    for name in ("apiVersion", "kind", "metadata"):
        del found[name]
    assert found == NEEDED


@pytest.mark.parametrize("lost", [(), (FROM,), ("spec.networkSelectors", "status.conditions[].observedGeneration")])
def test_the_fields_that_are_missing_are_named(lost: tuple[str, ...]) -> None:
    """Each by its path, and not what is within it; a schema that keeps unknown fields loses none."""
    assert lost_fields(document(without(*lost))) == lost
    keeps = yaml.safe_load(without(*lost))
    schema(keeps)["x-kubernetes-preserve-unknown-fields"] = cast("Schema", True)  # noqa: FBT003 - a value of YAML
    assert lost_fields(document(yaml.safe_dump(keeps))) == ()


@pytest.mark.parametrize("answer", [b"", b"[]", b'{"components": {"schemas": {}}}', b"[" * 100_000])
def test_what_is_no_schema_accuses_nobody(answer: bytes) -> None:
    """A page of HTML, or a document without a NetworkQoS, says nothing of fields."""
    assert lost_fields(answer) is None


@pytest.mark.parametrize(
    ("raw", "concerned"),
    [
        (policy(egress=[{"dscp": 1, "classifier": {}}]), [FROM]),
        (policy(egress=[{"dscp": 1, "classifier": {"from": [{"ipBlock": {"cidr": "10.0.0.0/8"}}]}}]), []),
        (policy(egress=[]), []),
        (policy(egress=[], networkSelectors=[{"networkSelectionType": "DefaultNetwork"}]), [OF_NETWORKS]),
        (policy(egress=[{"dscp": 99}]), [FROM, OF_NETWORKS]),
    ],
)
def test_only_policies_that_may_have_had_the_field_are_told(raw: bytes, concerned: list[str]) -> None:
    """A rule that has it has lost nothing, and a status has nothing to do with what a rule covers."""
    found = lost_of(decode_network_qos(raw).value, [FROM, OF_NETWORKS, "status.status"])
    assert found == concerned


async def test_a_server_is_asked_with_no_right_but_to_log_in(api_server: ApiServer) -> None:
    """The daemon's user, without any role, learns what another definition loses, and that ours loses nothing."""
    try:
        for lost in ((FROM,), ()):
            api_server.apply_crds(without(*lost))
            async with KubeClient(KubeOptions(kubeconfig=str(api_server.kubeconfig(DAEMON)))) as client:
                while await ServedSchema(client).lost() != lost:
                    pass  # the document follows the definition after a moment
    finally:
        api_server.apply_crds(CRD.read_text())


async def test_a_schema_that_has_not_changed_is_not_sent_again(api_server: ApiServer) -> None:
    """Asked again, the server says nothing but that it is the same, until the definition is another one."""
    options = KubeOptions(kubeconfig=str(api_server.kubeconfig(DAEMON)))
    async with asyncio.timeout(120), KubeClient(options) as client:
        schema = ServedSchema(client)
        while await schema.lost() is not None:
            pass  # a definition that another test has applied may still be on its way into the document
        try:
            api_server.apply_crds(without(FROM))
            while (lost := await schema.lost()) != (FROM,):
                assert lost is None
        finally:
            api_server.apply_crds(CRD.read_text())
