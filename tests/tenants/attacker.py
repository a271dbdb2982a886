"""A tenant who means harm: what somebody can do who may write pods, definitions and policies in one namespace.

In: a site of the victim's. Out: a namespace of the attacker's own with objects in it. Rule: nothing is done that RBAC
gives to an ordinary user of a namespace only.
"""

import contextlib
import json
import secrets
from collections.abc import Iterator, Mapping

import attrs

from tests.faults import manifests
from tests.faults.manifests import NETWORK, Json
from tests.faults.site import Site

FLAT = "flat_ovn_layer2_switch"
OUTSIDE = "ext_n1"
SWITCHES = (FLAT, OUTSIDE, f"{NETWORK}_ovn_layer2_switch")
"""Switches that stand beside those of the victim's networks: shared, to the outside, and what an attacker asks for."""

POD_NETWORKS = "k8s.ovn.org/pod-networks"
NETWORK_STATUS = "k8s.v1.cni.cncf.io/network-status"


@attrs.frozen
class Attacker:
    """The attacker; `namespace` sorts before the victim's."""

    site: Site
    namespace: str

    def limit(self) -> None:
        """Limit all pods of the namespace to 1 kbps."""
        policy = manifests.policy(self.namespace, "slow", priority=100, rules=[manifests.rule(0, rate=1)])
        policy["spec"] = {"priority": 100, "egress": [{"dscp": 0, "bandwidth": {"rate": 1}}]}
        self.site.cluster.create(policy)

    def pod(self, name: str, networks: Mapping[str, object], *, report: object = None, node: str = "n1") -> Json:
        """Create a pod with these annotations."""
        pod = manifests.pod(self.namespace, name, 0, node=node)
        annotations = {POD_NETWORKS: json.dumps(networks)} | ({NETWORK_STATUS: json.dumps(report)} if report else {})
        pod["metadata"] = {"name": name, "namespace": self.namespace, "annotations": annotations}
        self.site.cluster.create(pod)
        return pod

    def definition(self, key: str, **config: str) -> None:
        """Create a NetworkAttachmentDefinition."""
        definition = manifests.network(self.namespace)
        written = {"type": "ovn-k8s-cni-overlay", "netAttachDefName": f"{self.namespace}/{key}", **config}
        definition["metadata"] = {"name": key, "namespace": self.namespace}
        definition["spec"] = {"config": json.dumps(written)}
        self.site.cluster.create(definition)

    def port(self, name: str) -> None:
        """Have ovn-kubernetes make the logical port of a pod's attachment to the shared network."""
        self.site.nb.nbctl("lsp-add", FLAT, f"{self.namespace.replace('-', '.')}.flat_{self.namespace}_{name}")
        self.site.note_others()


@contextlib.contextmanager
def attacker_of(site: Site) -> Iterator[Attacker]:
    """Give an attacker beside a victim; what it has goes at the end."""
    namespace = f"aaa-{secrets.token_hex(3)}"
    site.cluster.create_namespace(namespace)
    try:
        yield Attacker(site, namespace)
    finally:
        site.cluster.server.delete_namespace(namespace)
        site.settle()
