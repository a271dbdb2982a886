"""A definition of NetworkQoS that was in the place of nqosd's for so short a time that nobody saw it."""

import json
import time

import pytest
import yaml

from nqosd.api.changes import ResourceKind
from nqosd.api.networkqos import NetworkQoS
from nqosd.informers.reflector_steps import ReflectorOptions
from tests.faults import manifests
from tests.faults.liar import Answer, Liar
from tests.informers.informing import Informed, informing, through
from tests.informers.test_served_schema import CRD, FROM, without
from tests.informers.wire import BY_KIND
from tests.services.kubernetes import ApiServer

KIND = ResourceKind.NETWORK_QOS
POLICIES = BY_KIND[KIND]
WATCH_TIME = 1.0
BY_BLOCK: manifests.Json = {"dscp": 3, "classifier": {"from": [{"ipBlock": {"cidr": "10.244.0.0/24"}}]}}
MERGE = "application/merge-patch+json"


def define(server: ApiServer, crd: str) -> None:
    """Put another definition in the place of the one that is there."""
    found = yaml.safe_load(crd)
    path = f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{found['metadata']['name']}"
    server.request("PATCH", path, {"spec": {"versions": found["spec"]["versions"]}}, content_type=MERGE)


def is_kept(server: ApiServer, path: str) -> bool:
    """Write the policy, and say whether the server has kept all of it."""
    answer = server.request("PATCH", path, {"spec": {"egress": [BY_BLOCK]}}, content_type=MERGE)
    return "from" in json.loads(answer)["spec"]["egress"][0].get("classifier", {})


def has_from(informed: Informed, key: str) -> bool | None:
    """Say whether what was told of the policy has the field; None if nothing was."""
    found = informed.listener.tables[KIND].get(key)
    if not isinstance(found, NetworkQoS) or found.spec is None:
        return None
    return bool(found.spec.egress[0].classifier.from_)


async def test_policies_are_listed_again_some_time_after_a_fault(api_server: ApiServer, namespace: str) -> None:
    """What a list told by the other definition is put right, although each watch since has ended in its time."""
    api_server.apply_crds(CRD.read_text())
    policy = manifests.policy(namespace, "narrow", rules=[BY_BLOCK])
    key, path = f"{namespace}/narrow", f"/apis/{POLICIES.api_version}/namespaces/{namespace}/{POLICIES.plural}/narrow"
    api_server.request("POST", path.removesuffix("/narrow"), policy)

    def says_nothing(asked: str) -> Answer | None:
        if not asked.startswith(f"{POLICIES.path}?") or "sendInitialEvents" in asked or "watch=true" not in asked:
            return None
        time.sleep(WATCH_TIME)
        return Answer()

    options = ReflectorOptions(watch_time=WATCH_TIME, absence=6.0)
    with Liar(api_server) as liar:
        async with informing(through(api_server, liar.url), KIND, options=options) as informed:
            told = informed.listener
            await told.until(lambda: has_from(informed, key) is True, "told")
            try:
                define(api_server, without(FROM))
                while is_kept(api_server, path):
                    pass
                liar.stop_lying()  # which ends the watch
                await told.until(lambda: has_from(informed, key) is False and not informed.out_of_touch, "listed")
                liar.tell(says_nothing)
            finally:
                define(api_server, CRD.read_text())
            while not is_kept(api_server, path):
                pass
            await told.until(lambda: has_from(informed, key) is True, "listed again")


@pytest.mark.parametrize("kind", list(ResourceKind))
def test_only_what_a_definition_can_prune_is_listed_again(kind: ResourceKind) -> None:
    """Pods aren't, which are many, and have no definition; of metadata nothing is pruned."""
    expected = {ResourceKind.NETWORK_QOS, ResourceKind.NETWORK_ATTACHMENT_DEFINITION}
    assert BY_KIND[kind].may_be_pruned == (kind in expected)
