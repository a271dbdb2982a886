"""Random changes of objects, over a vocabulary so small that selectors hit and things collide.

In: a source of random numbers. Out: objects created, changed and deleted in a site's namespace and in one beside it.
The rule: what is drawn depends on the numbers alone, never on time.
"""

import contextlib
from collections.abc import Callable
from random import Random

from tests.faults import manifests
from tests.faults.manifests import NETWORK, NODES, Json, rule
from tests.faults.site import Site
from tests.services.process import ServiceError

APPS = ("web", "db", "batch")
PODS = 8
POLICIES = 5
BLOCKS: tuple[Json, ...] = (
    {"cidr": "0.0.0.0/0", "except": ["10.0.0.0/8", "172.16.0.0/12"]},
    {"cidr": "10.244.0.0/16"},
    {"cidr": "fd00:10::/32", "except": ["fd00:10:244::/64"]},
    {"cidr": "192.0.2.0/24"},
)


class Objects:
    """What a run changes."""

    def __init__(self, site: Site, random: Random) -> None:
        self._site = site
        self._random = random
        self._numbers = 0
        self._last = ""
        """The namespace of the pods that have the addresses of the last number; empty where nobody knows."""
        self.namespaces = (site.namespace, f"{site.namespace}-b")
        self._changes: tuple[Callable[[], None], ...] = (
            *(self._replace_pod,) * 5,
            self._delete_pod,
            self._delete_pod,
            self._relabel_pod,
            self._end_pod,
            *(self._put_policy,) * 4,
            self._delete_policy,
            self._relabel_namespace,
            self._redefine_network,
        )

    def fill(self) -> None:
        """Create the second namespace, the network in both, and a few pods and policies."""
        self._site.cluster.create_namespace(self.namespaces[1], {"team": "red"})
        for namespace in self.namespaces:
            self._site.cluster.create(manifests.network(namespace))
        for _ in range(6):
            self._replace_pod()
        for _ in range(3):
            self._put_policy()

    def next_number(self) -> int:
        """Give a number whose addresses no pod has had."""
        self._numbers += 1
        self._last = ""
        return self._numbers

    def close(self) -> None:
        """Delete the second namespace; the site deletes its own."""
        self._site.cluster.server.delete_namespace(self.namespaces[1])

    def change(self) -> str:
        """Change something; returns what."""
        change = self._random.choice(self._changes)
        change()
        return change.__name__.strip("_")

    def _replace_pod(self) -> None:
        """Put a pod in the place of the one of that name: with new addresses now and then, or those of another one.

        A daemon that hears of some pods only doesn't know who in another namespace has an address (docs/security.md).
        """
        random = self._random
        namespace = random.choice(self.namespaces)
        if random.random() < 0.8 or (self._site.zone and namespace != self._last):
            self.next_number()
        self._last = namespace
        pod = manifests.pod(
            namespace, f"pod{random.randrange(PODS)}", self._numbers, node=random.choice(NODES),
            labels={"app": random.choice(APPS)},
        )  # fmt: skip
        self._site.cluster.delete(pod)
        self._site.cluster.create(pod)

    def _any_pod(self) -> Json:
        name = {"namespace": self._random.choice(self.namespaces), "name": f"pod{self._random.randrange(PODS)}"}
        return {"kind": "Pod", "metadata": name}

    def _delete_pod(self) -> None:
        self._site.cluster.delete(self._any_pod())

    def _relabel_pod(self) -> None:
        self._patch(self._any_pod(), {"metadata": {"labels": {"app": self._random.choice(APPS)}}})

    def _end_pod(self) -> None:
        self._patch(self._any_pod(), {"status": {"phase": "Succeeded"}}, "status")

    def _put_policy(self) -> None:
        random = self._random
        rules = [self._rule() for _ in range(random.randint(1, 3))]
        policy = manifests.policy(
            random.choice(self.namespaces), f"policy{random.randrange(POLICIES)}",
            priority=random.choice((1, 1, 2, 50)), app=random.choice(APPS), rules=rules,
        )  # fmt: skip
        try:
            self._site.cluster.create(policy)
        except ServiceError:
            self._patch(policy, {"spec": policy["spec"]})

    def _rule(self) -> Json:
        random = self._random
        peers: list[Json] = [
            {"ipBlock": random.choice(BLOCKS)},
            {"podSelector": {"matchLabels": {"app": random.choice(APPS)}}},
            {"namespaceSelector": {"matchLabels": {"team": random.choice(("red", "blue"))}}},
        ]
        classifier: dict[str, object] = {}
        if random.random() < 0.8:
            classifier["to"] = random.sample(peers, random.randint(1, 2))
        if random.random() < 0.3:
            classifier["ports"] = [{"protocol": random.choice(("TCP", "UDP")), "port": random.choice((53, 443))}]
        return rule(random.randrange(64), rate=random.choice((None, 5000, 20000)), **classifier)

    def _delete_policy(self) -> None:
        name = f"policy{self._random.randrange(POLICIES)}"
        metadata = {"namespace": self._random.choice(self.namespaces), "name": name}
        self._site.cluster.delete({"kind": "NetworkQoS", "metadata": metadata})

    def _relabel_namespace(self) -> None:
        namespace: Json = {"kind": "Namespace", "metadata": {"name": self._random.choice(self.namespaces)}}
        self._patch(namespace, {"metadata": {"labels": {"team": self._random.choice(("red", "blue"))}}})

    def _redefine_network(self) -> None:
        """Delete the definition of a network, or create it again."""
        namespace = self._random.choice(self.namespaces)
        definition = manifests.network(namespace)
        if self._random.random() < 0.3:
            self._site.cluster.delete(
                {"kind": "NetworkAttachmentDefinition", "metadata": {"namespace": namespace, "name": NETWORK}}
            )
        else:
            with contextlib.suppress(ServiceError):
                self._site.cluster.create(definition)

    def _patch(self, manifest: Json, change: Json, subresource: str = "") -> None:
        """Change an object, if it is there."""
        with contextlib.suppress(ServiceError):
            self._site.cluster.patch(manifest, change, subresource)
