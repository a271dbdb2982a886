"""Where the seven resources are served."""

import pytest

from nqosd.api.changes import ResourceKind
from nqosd.informers.resources import RESOURCES
from tests.informers.wire import BY_KIND

PATHS = {
    "Namespace": "/api/v1/namespaces",
    "Node": "/api/v1/nodes",
    "Pod": "/api/v1/pods",
    "NetworkQoS": "/apis/k8s.ovn.org/v1alpha1/networkqoses",
    "NetworkAttachmentDefinition": "/apis/k8s.cni.cncf.io/v1/network-attachment-definitions",
    "UserDefinedNetwork": "/apis/k8s.ovn.org/v1/userdefinednetworks",
    "ClusterUserDefinedNetwork": "/apis/k8s.ovn.org/v1/clusteruserdefinednetworks",
}


def test_every_kind_has_one_resource() -> None:
    """Each kind is informed about exactly once."""
    assert sorted(resource.kind for resource in RESOURCES) == sorted(ResourceKind)


@pytest.mark.parametrize("kind", list(ResourceKind))
def test_a_resource_is_asked_for_at_its_path(kind: ResourceKind) -> None:
    """Paths are those of Kubernetes, of the network plumbing group and of ovn-kubernetes."""
    assert BY_KIND[kind].path == PATHS[kind]


def test_only_what_comes_with_a_definition_can_be_missing() -> None:
    """Pods, namespaces and nodes are in every cluster."""
    assert {each.kind for each in RESOURCES if not each.optional} == {
        ResourceKind.POD,
        ResourceKind.NAMESPACE,
        ResourceKind.NODE,
    }


def test_a_full_name_is_what_rbac_and_definitions_call_it() -> None:
    """Messages name a resource so that it can be copied into a rule or a kubectl command."""
    assert BY_KIND[ResourceKind.POD].full_name == "pods"
    assert BY_KIND[ResourceKind.NETWORK_QOS].full_name == "networkqoses.k8s.ovn.org"
