"""Objects at bad moments, and bad objects: deleted while their rows linger, nonsense in annotations, many at once.

In: a harness. Out: `FAULTS`. The rule: everything goes through the API server, as anybody who may write there would do
it; what it refuses didn't happen.
"""

import contextlib
import json
import time
from collections.abc import Callable
from random import Random

from tests.chaos.fault import Begin, End, Fault, nothing
from tests.chaos.harness import Harness
from tests.faults import manifests
from tests.faults.cluster import Cluster
from tests.faults.manifests import Json, rule
from tests.faults.site import Site
from tests.services.process import ServiceError

APP = "lingering"
MOMENT = 0.6
"""Seconds, at most, between two steps: about what it takes to write a row."""
CROWD = 24
"""Pods of which most disappear at once: more than a list may lack without being doubted."""
BARE = "green"
"""A flat network without addresses."""
BARE_SWITCH = f"{BARE}_ovn_layer2_switch"

After = Callable[[Cluster, Json, Json], None]
"""What happens to a policy after the last of its pods has been deleted; takes the policy and the pod."""


def _linger(after: After) -> Begin:
    """Delete the only pod of a policy, so that its rows linger; a moment later, something else happens to it."""

    def begin(harness: Harness, random: Random) -> End:
        cluster, namespace = harness.site.cluster, harness.site.namespace
        rules = [rule(11, rate=random.choice((None, 9000))), rule(12, to=[{"ipBlock": {"cidr": "203.0.113.0/24"}}])]
        policy = manifests.policy(namespace, APP, app=APP, priority=random.randrange(100), rules=rules)
        pod = manifests.pod(namespace, APP, harness.objects.next_number(), node=random.choice(manifests.NODES),
                            labels={"app": APP})  # fmt: skip
        for each in (policy, pod):
            cluster.delete(each)
            cluster.create(each)
        time.sleep(random.uniform(0, MOMENT))
        cluster.delete(pod)
        time.sleep(random.choice((0.0, random.uniform(0, MOMENT))))
        with contextlib.suppress(ServiceError):
            after(cluster, policy, pod)
        return nothing

    return begin


def _delete_policy(cluster: Cluster, policy: Json, _pod: Json) -> None:
    cluster.delete(policy)


def _delete_rule(cluster: Cluster, policy: Json, _pod: Json) -> None:
    cluster.patch(policy, {"spec": {"egress": [rule(11)]}})


def _change_rule(cluster: Cluster, policy: Json, _pod: Json) -> None:
    cluster.patch(policy, {"spec": {"priority": 77, "egress": [rule(13), rule(12, rate=4000)]}})


def _policy_anew(cluster: Cluster, policy: Json, pod: Json) -> None:
    cluster.delete(policy)
    cluster.create(policy)
    cluster.create(pod)


def _pod_back(cluster: Cluster, policy: Json, pod: Json) -> None:
    cluster.create(pod)
    cluster.delete(policy)


def _pod_and_policy_at_once(cluster: Cluster, policy: Json, pod: Json) -> None:
    cluster.create(pod)
    cluster.delete(pod)
    cluster.delete(policy)


def _bad_objects(harness: Harness, random: Random) -> End:
    """Create objects that nobody means well with, or that nobody has thought about; delete some of them at the end."""
    cluster, namespace = harness.site.cluster, harness.site.namespace
    number = harness.objects.next_number()
    made = []
    annotations = _annotations(namespace, number)
    if harness.site.zone:  # a daemon that hears of some pods only doesn't know from whom (docs/security.md)
        del annotations["stolen"]
    for name, annotation in annotations.items():
        pod = manifests.pod(namespace, f"bad-{name}", number, labels={"app": "web"})
        metadata = pod["metadata"]
        assert isinstance(metadata, dict)
        metadata["annotations"] = {"k8s.ovn.org/pod-networks": annotation}
        made.append(pod)
    for name, config in (("html", "<html>"), ("list", "[]"), ("deep", "[" * 5000), ("nameless", '{"type": "x"}')):
        definition = manifests.network(namespace)
        definition["metadata"] = {"name": f"bad-{name}", "namespace": namespace}
        definition["spec"] = {"config": config}
        made.append(definition)
    for name, peer in (("cidr", {"cidr": "bogus"}), ("except", {"cidr": "10.0.0.0/8", "except": ["192.0.2.0/24"]})):
        rules = [rule(1, to=[{"ipBlock": peer}]), rule(2)]
        made.append(manifests.policy(namespace, f"bad-{name}", app="web", rules=rules))
    excepts = [f"10.{n // 200}.{n % 200}.1/32" for n in range(400)]
    many = [rule(n, to=[{"ipBlock": {"cidr": "10.0.0.0/8", "except": excepts}}]) for n in range(10)]
    made.append(manifests.policy(namespace, "bad-long", app="nobody", rules=many))
    for each in made:
        with contextlib.suppress(ServiceError):
            cluster.create(each)

    def end() -> None:
        for each in made:
            if random.random() < 0.8:
                cluster.delete(each)

    return end


def _annotations(namespace: str, number: int) -> dict[str, str]:
    stolen = {"default": {"ip_addresses": [f"10.244.0.{n}/16" for n in range(1, 9)], "role": "primary"}}
    quoted = {f'{namespace}/blue") || ip4 || (inport == "x': {"ip_addresses": ["10.200.0.9/16"], "role": "secondary"}}
    return {
        "json": "{",
        "null": "null",
        "deep": "[" * 10_000,
        "number": '{"default": {"ip_addresses": [' + "9" * 5000 + "]}}",
        "stolen": json.dumps(stolen),
        "quoted": json.dumps(quoted),
        "large": json.dumps({"default": {"ip_addresses": [f"10.244.{number % 200}.{n}/16" for n in range(250)] * 20}}),
        "text": json.dumps({"default": {"ip_addresses": ["10.244.0.1/99", "", "\u202e\x00", None, {}]}}),
    }


def _most_pods_gone(harness: Harness, random: Random) -> End:
    """Let most pods go, unseen or before everybody's eyes: what a list then lacks is really gone."""
    cluster, site = harness.site.cluster, harness.site
    pods = [
        manifests.pod(site.namespace, f"crowd{n}", harness.objects.next_number(), labels={"app": "web"})
        for n in range(CROWD)
    ]
    for pod in pods:
        cluster.create(pod)
    time.sleep(random.uniform(0, MOMENT))
    unseen = random.random() < 0.7
    if unseen:
        site.api.refuse()
        cluster.etcd.compact()

    for pod in pods:
        cluster.delete(pod)
    return site.api.let_go if unseen else nothing


def _bare_network(harness: Harness, random: Random) -> End:
    """Let pods on a network without addresses come and go, with their logical ports before or after them."""
    site, namespace = harness.site, harness.site.namespace
    site.nb.nbctl("--may-exist", "ls-add", BARE_SWITCH)
    for manifest in (_bare_definition(namespace), manifests.policy(namespace, BARE, app=BARE, rules=[rule(33)])):
        with contextlib.suppress(ServiceError):  # it is there since the last time
            site.cluster.create(manifest)
    for _ in range(random.randint(2, 6)):
        name = f"{BARE}{random.randrange(3)}"
        for step in random.sample((_change_pod, _change_port), random.randint(1, 2)):
            step(site, name)
            time.sleep(random.uniform(0, MOMENT / 3))
    now = site.read()
    switch = ("Logical_Switch", now.switches[BARE_SWITCH])
    for key in {*site.others, *now.others}:
        if key == switch or key[0] == "Logical_Switch_Port":
            site.others.pop(key, None)
            site.others |= {key: now.others[key]} if key in now.others else {}
    return nothing


def _change_pod(site: Site, name: str) -> None:
    """Delete a pod on the network without addresses, or create it."""
    cluster, namespace = site.cluster, site.namespace
    pod = manifests.pod(namespace, name, 0, labels={"app": BARE})
    metadata = pod["metadata"]
    assert isinstance(metadata, dict)
    networks = {f"{namespace}/{BARE}": {"ip_addresses": None, "role": "secondary"}}
    metadata["annotations"] = {"k8s.ovn.org/pod-networks": json.dumps(networks)}
    try:
        cluster.create(pod)
    except ServiceError:
        cluster.delete(pod)


def _change_port(site: Site, name: str) -> None:
    """Delete the pod's logical port, or add it."""
    prefix = f"{site.namespace}/{BARE}".replace("-", ".").replace("/", ".")
    port = f"{prefix}_{site.namespace}_{name}"
    nb = site.nb
    if port in nb.nbctl("lsp-list", BARE_SWITCH):
        nb.nbctl("lsp-del", port)
    else:
        nb.nbctl("lsp-add", BARE_SWITCH, port)


def _bare_definition(namespace: str) -> Json:
    definition = manifests.network(namespace)
    config = {"cniVersion": "1.0.0", "name": BARE, "type": "ovn-k8s-cni-overlay", "topology": "layer2",
              "netAttachDefName": f"{namespace}/{BARE}"}  # fmt: skip
    definition["metadata"] = {"name": BARE, "namespace": namespace}
    definition["spec"] = {"config": json.dumps(config)}
    return definition


_LINGERING: tuple[tuple[str, After], ...] = (
    ("policy deleted while its rows linger", _delete_policy),
    ("rule deleted while its rows linger", _delete_rule),
    ("rules changed while their rows linger", _change_rule),
    ("policy made anew while its rows linger", _policy_anew),
    ("pod back and policy deleted", _pod_back),
    ("pod back and gone, and policy deleted", _pod_and_policy_at_once),
)

FAULTS: tuple[Fault, ...] = (
    *(Fault(name, "objects", _linger(after), "apiserver", 0.8) for name, after in _LINGERING),
    Fault("bad objects", "objects", _bad_objects, "apiserver", 0.8),
    Fault("most pods gone", "objects api", _most_pods_gone, "apiserver", 0.8),
    Fault("ports of a network without addresses come and go", "ports", _bare_network, "nb apiserver switch disk", 1.2),
)
