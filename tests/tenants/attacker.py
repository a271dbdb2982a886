"""A tenant who means harm: what somebody can do who may write pods, definitions and policies in one namespace.

In: a site of the victim's. Out: a namespace of the attacker's own with objects in it. Rule: every object is written
with the token of a user who has rights in that namespace only.
"""

import contextlib
import json
import secrets
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

import attrs

from nqosd.api.networkqos import BandwidthScope
from nqosd.status.conditions import READY
from tests.faults import manifests
from tests.faults.manifests import Json
from tests.faults.site import Site
from tests.services.kubernetes import ApiServer

POD_NETWORKS = "k8s.ovn.org/pod-networks"
NETWORK_STATUS = "k8s.v1.cni.cncf.io/network-status"
POLICIES = "/apis/k8s.ovn.org/v1alpha1/namespaces/{}/networkqoses"

_ACCOUNT = "tenant"
_GROUPS = {"": ["pods"], "k8s.cni.cncf.io": ["network-attachment-definitions"], "k8s.ovn.org": ["networkqoses"]}
_VERBS = ["get", "list", "create", "update", "patch", "delete"]
_RBAC = "rbac.authorization.k8s.io"


@attrs.frozen
class Attacker:
    """The attacker; `namespace` sorts before the victim's, and `share` says how much of each limit an attack takes."""

    site: Site
    namespace: str
    user: str
    share: float
    policies: list[Json] = attrs.field(factory=list)
    others: list[Json] = attrs.field(factory=list)
    """The attacker's pods and definitions."""

    def create(self, manifest: Json) -> None:
        """Create an object as the attacker."""
        self.site.cluster.create(manifest, user=self.user)
        (self.policies if manifest["kind"] == "NetworkQoS" else self.others).append(manifest)

    def nothing(self) -> None:
        """Write nothing."""

    def update(self, number: int) -> None:
        """Change a policy's priority; for every other number a pod or definition goes and comes again."""
        turn, of_others = divmod(number, 2)
        if of_others and self.others:
            self.replace(self.others[turn % len(self.others)])
        elif self.policies:
            policy = self.policies[turn % len(self.policies)]
            self.change(policy, {"priority": 100 - turn // len(self.policies) % 2})

    def replace(self, manifest: Json) -> None:
        """Delete an object and create it again."""
        self.site.cluster.delete(manifest, user=self.user)
        self.site.cluster.create(manifest, user=self.user)

    def change(self, policy: Json, spec: Mapping[str, object]) -> None:
        """Change a part of a policy's spec."""
        self.site.cluster.patch(policy, {"spec": spec}, user=self.user)

    def limit(self, scope: BandwidthScope = BandwidthScope.RULE) -> None:
        """Limit all pods of the namespace to 1 kbps, together or each of them."""
        self.policy("slow", [{"dscp": 0, "bandwidth": {"rate": 1}}], scope)

    def policy(
        self, name: str, rules: Sequence[Json], scope: BandwidthScope = BandwidthScope.RULE, **spec: object
    ) -> None:
        """Create a policy of the highest priority for all pods of the namespace."""
        annotations = {"nqosd.io/bandwidth-scope": scope.value}
        policy: Json = {
            "apiVersion": "k8s.ovn.org/v1alpha1",
            "kind": "NetworkQoS",
            "metadata": {"name": name, "namespace": self.namespace, "annotations": annotations},
            "spec": {"priority": 100, "egress": list(rules), **spec},
        }
        self.create(policy)

    def pod(
        self,
        name: str,
        networks: Mapping[str, object],
        *,
        report: object = None,
        node: str = "n1",
        labels: Mapping[str, str] | None = None,
    ) -> None:
        """Create a pod with these annotations."""
        pod = manifests.pod(self.namespace, name, 0, node=node)
        annotations = {POD_NETWORKS: json.dumps(networks)} | ({NETWORK_STATUS: json.dumps(report)} if report else {})
        pod["metadata"] = _metadata(self.namespace, name, labels) | {"annotations": annotations}
        self.create(pod)

    def pods(self, number: int) -> None:
        """Create pods, each with an address of its own on the default network."""
        for each in range(number):
            self.pod(f"pod{each}", {"default": {"ip_addresses": [f"10.244.{128 + each // 250}.{each % 250 + 1}/16"]}})

    def definition(self, key: str, labels: Mapping[str, str] | None = None, **config: str) -> None:
        """Create a NetworkAttachmentDefinition."""
        definition = manifests.network(self.namespace)
        written = {"type": "ovn-k8s-cni-overlay", "netAttachDefName": f"{self.namespace}/{key}", **config}
        definition["metadata"] = _metadata(self.namespace, key, labels)
        definition["spec"] = {"config": json.dumps(written)}
        self.create(definition)

    def port(self, switch: str, network: str, pod: str) -> None:
        """Have ovn-kubernetes make the logical port of a pod's attachment."""
        name = f"{self.namespace.replace('-', '.')}.{network}_{self.namespace}_{pod}"
        self.site.nb.nbctl("--wait=sb", "lsp-add", switch, name)
        self.site.note_others()

    def part(self, limit: int) -> int:
        """Give the attacker's share of a limit."""
        return max(1, int(limit * self.share))

    def reasons(self) -> Counter[str]:
        """Count the reasons why the attacker's policies are ready or not."""
        path = POLICIES.format(self.namespace)
        items = json.loads(self.site.cluster.server.request("GET", path, user=self.user))["items"]
        conditions = [each for item in items for each in item.get("status", {}).get("conditions", [])]
        return Counter(each["reason"] for each in conditions if each["type"] == READY)


def _metadata(namespace: str, name: str, labels: Mapping[str, str] | None) -> Json:
    return {"name": name, "namespace": namespace, "labels": dict(labels or {})}


@contextlib.contextmanager
def attacker_of(site: Site, share: float = 1.0) -> Iterator[Attacker]:
    """Give an attacker beside a victim; what it has goes at the end."""
    namespace = f"aaa-{secrets.token_hex(3)}"
    server = site.cluster.server
    site.cluster.create_namespace(namespace)
    try:
        yield Attacker(site, namespace, _user_of(server, namespace), share)
    finally:
        server.delete_namespace(namespace)


def _user_of(server: ApiServer, namespace: str) -> str:
    """Make a user of a namespace, who may write pods, definitions and policies there and nothing else anywhere."""
    core, rbac = f"/api/v1/namespaces/{namespace}", f"/apis/{_RBAC}/v1/namespaces/{namespace}"
    name: Json = {"metadata": {"name": _ACCOUNT}}
    rules = [{"apiGroups": [group], "resources": kinds, "verbs": _VERBS} for group, kinds in _GROUPS.items()]
    role = {"apiGroup": _RBAC, "kind": "Role", "name": _ACCOUNT}
    subjects = [{"kind": "ServiceAccount", "name": _ACCOUNT, "namespace": namespace}]
    server.request("POST", f"{core}/serviceaccounts", name)
    server.request("POST", f"{rbac}/roles", {**name, "rules": rules})
    server.request("POST", f"{rbac}/rolebindings", {**name, "roleRef": role, "subjects": subjects})
    asked = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}}
    answer = json.loads(server.request("POST", f"{core}/serviceaccounts/{_ACCOUNT}/token", asked))
    user = f"system:serviceaccount:{namespace}:{_ACCOUNT}"
    server.tokens[user] = answer["status"]["token"]
    return user
