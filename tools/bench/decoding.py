"""How long decoding takes, and how much memory 100,000 pods hold: `python -m tools.bench.decoding`.

Prints microseconds for one object (the best of five rounds), and megabytes of resident memory for pods in a store,
once with labels that the pods of a workload share, once with a label of its own on every pod.
"""

import gc
import json
import multiprocessing
import sys
import timeit
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from resource import getpagesize

from nqosd.api.decoding import decode_event, decode_list, decode_network_qos, decode_pod
from nqosd.api.objects import Pod
from tests.api.manifests import GUIDE_SPEC, Json, policy, wire

PODS = 100_000
PODS_OF_A_WORKLOAD = 50
ROUNDS = 5
CALLS = 10_000
LIST_LENGTH = 1_000


def pod(number: int, *, own_label: bool = False) -> bytes:
    """Give a pod of some 5.6 KB, as a Deployment and ovn-kubernetes make it."""
    workload = number // PODS_OF_A_WORKLOAD
    ip = f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"
    labels = {"app": f"workload-{workload}", "pod-template-hash": f"{workload:010x}", "team": "payments", "tier": "web"}
    if own_label:
        labels["statefulset.kubernetes.io/pod-name"] = f"workload-{workload}-{number}"
    network: Json = {
        "ip_addresses": [f"{ip}/23"],
        "mac_address": "0a:58:0a:f4:01:05",
        "gateway_ips": ["10.244.0.1"],
        "routes": [{"dest": f"10.{n}.0.0/16", "nextHop": "10.244.0.1"} for n in range(4)],
        "ip_address": f"{ip}/23",
        "gateway_ip": "10.244.0.1",
        "role": "primary",
    }
    reported = [{"name": "ovn-kubernetes", "interface": "eth0", "ips": [ip], "default": True, "dns": {}}]
    fields: Json = {f"f:field{n}": {".": {}, "f:name": {}, "f:value": {}} for n in range(36)}
    metadata: Json = {
        "name": f"workload-{workload}-{workload:010x}-{number:05x}",
        "namespace": f"tenant-{workload % 100}",
        "uid": f"8d4ff4a0-7a2f-4c4f-9b5e-{number:012x}",
        "resourceVersion": f"{number + 1}",
        "creationTimestamp": "2026-11-24T10:00:00Z",
        "labels": labels,
        "annotations": {
            "k8s.ovn.org/pod-networks": json.dumps({"default": network}),
            "k8s.v1.cni.cncf.io/network-status": json.dumps(reported),
        },
        "managedFields": [{"manager": f"manager-{n}", "fieldsV1": {"f:spec": fields}} for n in range(2)],
    }
    container: Json = {
        "name": "app",
        "image": "registry.example.com/payments/app:v1.2.3",
        "env": [{"name": f"SETTING_{n}", "value": "some value"} for n in range(12)],
        "resources": {"limits": {"cpu": "1", "memory": "512Mi"}, "requests": {"cpu": "100m", "memory": "128Mi"}},
        "volumeMounts": [{"name": "api-access", "mountPath": "/var/run/secrets/kubernetes.io/serviceaccount"}],
    }
    conditions = ("PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady", "PodScheduled")
    status: Json = {
        "phase": "Running",
        "podIP": ip,
        "podIPs": [{"ip": ip}],
        "conditions": [
            {"type": each, "status": "True", "lastTransitionTime": "2026-11-24T10:00:00Z"} for each in conditions
        ],
    }
    spec: Json = {"nodeName": f"node-{number % 500}", "containers": [container]}
    return wire({"kind": "Pod", "apiVersion": "v1", "metadata": metadata, "spec": spec, "status": status})


PAGE = b'{"kind":"PodList","apiVersion":"v1","metadata":{"resourceVersion":"1"},"items":[%s]}'


def microseconds(call: Callable[[], object], calls: int = CALLS) -> float:
    """Give the best time of one call."""
    return min(timeit.repeat(call, number=calls, repeat=ROUNDS)) / calls * 1e6


def resident() -> int:
    """Give this process's resident memory in bytes."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * getpagesize()


def megabytes_of_pods(own_label: bool) -> float:  # noqa: FBT001 -- a process pool passes arguments by position
    """Decode many pods into a store and give what it holds."""
    gc.collect()
    before = resident()
    store: dict[str, Pod] = {}
    for number in range(PODS):
        value = decode_pod(pod(number, own_label=own_label)).value
        store[value.key] = value
    gc.collect()
    return (resident() - before) / 1e6


def main() -> None:
    """Print the measurements."""
    raw, page = pod(1), PAGE % b",".join(map(pod, range(LIST_LENGTH)))
    line = b'{"type":"MODIFIED","object":%s}\n' % raw
    guide = policy(GUIDE_SPEC)
    first, second = decode_pod(raw).value, decode_pod(raw).value
    rows = {
        f"json.loads, a pod of {len(raw)} bytes": microseconds(lambda: json.loads(raw)),
        "decode_pod": microseconds(lambda: decode_pod(raw)),
        "decode_event and decode_pod": microseconds(lambda: decode_pod(decode_event(line).object)),
        f"decode_list and decode_pod, each of {LIST_LENGTH}": microseconds(
            lambda: [decode_pod(item) for item in decode_list(page, "v1", "Pod").items], calls=10
        )
        / LIST_LENGTH,
        "comparing two equal pods": microseconds(lambda: first == second),
        "decode_network_qos, the guide's": microseconds(lambda: decode_network_qos(guide)),
    }
    for name, time in rows.items():
        sys.stdout.write(f"{name}: {time:.1f} µs\n")
    # each in a process of its own: memory that one store gave back would hide what the next one takes
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn"), max_tasks_per_child=1) as pool:
        for own_label, name in ((False, "labels shared by a workload"), (True, "a label of its own on every pod")):
            sys.stdout.write(f"{PODS} pods, {name}: {pool.submit(megabytes_of_pods, own_label).result():.0f} MB\n")


if __name__ == "__main__":
    main()
