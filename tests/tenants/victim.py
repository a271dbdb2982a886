"""The victim: a namespace with pods and policies on a real API server and OVN, and everything of it that must stay.

In: a cluster. Out: rows and sets, what packets meet (ovn-trace), how long a new pod's address takes to its set. Rule:
what happens in the database is told by an OVSDB monitor of its own.
"""

import contextlib
import http.client
import json
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Self, cast

import attrs

from nqosd.compiler.desired import OWNER
from nqosd.config.options import NorthboundSection
from tests.faults import manifests
from tests.faults.cluster import Cluster
from tests.faults.contents import Own
from tests.faults.manifests import NETWORK, Json
from tests.faults.site import QUIET, Site, open_site
from tests.services.generation import GENERATIONS
from tests.services.monitor import DATABASE, OvsdbClient
from tests.services.ovn import OvnCentral, trace
from tests.services.ovsdb import OvsdbServer
from tests.services.process import ServiceError

FLAT = "flat_ovn_layer2_switch"
OUTSIDE = "ext_n1"
SHARED = "shared_ovn_layer2_switch"
SWITCHES = (FLAT, OUTSIDE, SHARED, f"{NETWORK}_ovn_layer2_switch")
"""Switches beside those of the victim's networks: what attackers ask for, and one that tenants share."""

EVERYBODY, NOBODY = "everybody", "nobody"
"""Policies of the victim: one with a rule for packets to all pods, and one that selects no pods."""
_OF_EVERYBODY = " of pods * in namespaces * "
"""Sets in which pods of attackers belong, too."""
STATUS_LOOK = 0.02
"""Seconds between two looks at a status."""

DEADLINE = 120.0
_MACS = ("0a:00:00:00:00:01", "0a:00:00:00:00:02")
_ACTION = re.compile(r"ip\.dscp = \d+|set_meter\([\d, ]+\)")
_NEW = {"app": "web", "new": "yes"}

Changed = Mapping[str, Mapping[str, object]]
"""Rows that changed, by table and uuid."""


class Witness:
    """Follows the victim's rows and one of its sets; `changed` counts the victim's rows that changed or went."""

    def __init__(self, nb: OvsdbServer, member: str) -> None:
        mine = ["external_ids", "includes", ["map", [[OWNER, "nqosd"]]]]
        has_member = ["addresses", "includes", member]
        rows, sets = nb.transact(
            {"op": "select", "table": "QoS", "where": [mine], "columns": ["_uuid"]},
            {"op": "select", "table": "Address_Set", "where": [mine, has_member], "columns": ["_uuid"]},
        )
        tables = {"QoS": (rows, ["priority", "match", "action", "bandwidth", "external_ids"]),
                  "Address_Set": (sets, ["addresses"])}  # fmt: skip
        requests = {
            table: {"columns": columns, "where": [["_uuid", "==", row["_uuid"]] for row in _rows(found)]}
            for table, (found, columns) in tables.items()
        }
        self.changed = 0
        self._client = OvsdbClient(nb.socket)
        self._client.call("monitor_cond", [DATABASE, "witness", requests])

    def wait(self, address: str) -> float:
        """Wait until an address comes into the set; gives the moment.

        Raises:
            TimeoutError: it doesn't come.
        """
        while True:
            for moment, changed in self._receive(DEADLINE):
                if f'"{address}"' in json.dumps(changed.get("Address_Set", {})):
                    return moment

    def look(self) -> None:
        """Take what the server has told until now."""
        with contextlib.suppress(TimeoutError):
            while True:
                self._receive(QUIET)

    def close(self) -> None:
        """Close the connection."""
        self._client.close()

    def _receive(self, timeout: float) -> list[tuple[float, Changed]]:
        found = [
            (moment, cast("list[Changed]", message["params"])[1])
            for moment, message in self._client.receive(timeout)
            if message.get("method") == "update2"
        ]
        self.changed += sum(len(changed.get("QoS", {})) for _moment, changed in found)
        return found


@attrs.frozen
class Victim:
    """`packets` are those that are traced, by the switch that they enter."""

    site: Site
    central: OvnCentral
    packets: Mapping[str, str]

    @classmethod
    @contextlib.contextmanager
    def of(cls, cluster: Cluster) -> Iterator[Self]:
        """Give a victim whose daemon has converged; it goes at the end."""
        with OvnCentral(GENERATIONS[-1]) as central, open_site(cluster, central.nb) as site:
            site.fill()
            _share(site)
            rule = manifests.rule(9, to=[{"namespaceSelector": {}}])
            cluster.create(manifests.policy(site.namespace, EVERYBODY, priority=5, rules=[rule]))
            cluster.create(manifests.policy(site.namespace, NOBODY, priority=50, app="nobody"))
            victim = cls(site, central, _packets(site))
            victim._add_ports()
            timeout = {"transaction_timeout": NorthboundSection().transaction_timeout}
            kubeconfig = cluster.server.kubeconfig("nqosd")
            site.start_daemon(options={"northbound": timeout}, remotes=[central.nb.unix], kubeconfig=kubeconfig)
            site.settle()
            yield victim

    @property
    def address(self) -> str:
        """The address of the victim's first pod on the default network."""
        return addresses_of(self.site)["default"][0].partition("/")[0]

    def rows_and_sets(self) -> Own:
        """Read what the daemon has in the database, but for sets of all pods of the cluster."""
        own = self.site.read().own
        return attrs.evolve(own, sets=tuple(each for each in own.sets if _OF_EVERYBODY not in each))

    def treatment(self) -> dict[str, tuple[str, ...]]:
        """Say what northd and ovn-trace let happen to the victim's packets: marks, and meters with rate and burst."""
        self.central.northd.wait_until(self._has_northd_followed, what="in step", deadline=DEADLINE)
        return {
            switch: tuple(_ACTION.findall(trace(self.central.sb, switch, microflow)))
            for switch, microflow in self.packets.items()
        }

    def _has_northd_followed(self) -> bool:
        with contextlib.suppress(ServiceError):  # it may take longer than one call waits
            self.central.sync()
            return True
        return False

    def new_pod(self, witness: Witness) -> float:
        """Create a pod; gives the seconds from the API server's answer until its address is in its set."""
        number = next(self.site._numbers)
        pod = manifests.pod(self.site.namespace, f"new{number}", number, labels=_NEW)
        self.site.cluster.create(pod)
        answered = time.monotonic()
        low, high = number % 250 + 1, number // 250
        return max(0.0, witness.wait(f"10.244.{high}.{low}") - answered)

    def status_follows(self) -> bool:
        """Change the policy that selects no pods, and wait until its status is about that; False: it isn't in time."""
        policy, server = manifests.policy(self.site.namespace, NOBODY), self.site.cluster.server
        path = f"/apis/k8s.ovn.org/v1alpha1/namespaces/{self.site.namespace}/networkqoses/{NOBODY}"
        end = time.monotonic() + DEADLINE
        with contextlib.suppress(ServiceError, OSError, http.client.HTTPException):
            self.site.cluster.patch(policy, {"spec": {"priority": 50 + next(self.site._numbers) % 50}})
            while time.monotonic() < end:
                found = json.loads(server.request("GET", path))
                if found["status"].get("observedGeneration") == found["metadata"]["generation"]:
                    return True
                time.sleep(STATUS_LOOK)
        return False

    def forget_new_pods(self) -> None:
        """Delete the pods that were made."""
        path = f"/api/v1/namespaces/{self.site.namespace}/pods?labelSelector=new%3Dyes"
        self.site.cluster.server.request("DELETE", path, {"gracePeriodSeconds": 0})

    def _add_ports(self) -> None:
        """Have ovn-kubernetes make the switches that attackers ask for, and the logical ports of traced packets."""
        commands = [["ls-add", switch] for switch in SWITCHES]
        for switch in SWITCHES:
            commands += [["lsp-add", switch, f"router-{switch}"], ["lsp-set-type", f"router-{switch}", "router"]]
        for switch in self.packets:
            for port, mac in zip((_port(self.site.namespace, switch), f"other-{switch}"), _MACS, strict=True):
                commands += [["lsp-add", switch, port], ["lsp-set-addresses", port, mac]]
        self.site.nb.nbctl(*[argument for command in commands for argument in ("--", *command)][1:])
        self.central.sync()
        self.site.note_others()


def addresses_of(site: Site) -> dict[str, list[str]]:
    """Give the addresses of the victim's first pod, by network."""
    path = f"/api/v1/namespaces/{site.namespace}/pods/a"
    annotations = json.loads(site.cluster.server.request("GET", path))["metadata"]["annotations"]
    networks = json.loads(annotations["k8s.ovn.org/pod-networks"])
    return {key.rpartition("/")[2]: entry["ip_addresses"] for key, entry in networks.items()}


def _share(site: Site) -> None:
    """Attach a pod of the victim's to a network without addresses, which other tenants are on."""
    definition, pod = manifests.network(site.namespace), manifests.pod(site.namespace, "d", 0)
    key = f"{site.namespace}/shared"
    config = {"name": "shared", "type": "ovn-k8s-cni-overlay", "topology": "layer2", "netAttachDefName": key}
    definition["metadata"] = {"name": "shared", "namespace": site.namespace}
    definition["spec"] = {"config": json.dumps(config)}
    site.cluster.create(definition)
    annotations = {"k8s.ovn.org/pod-networks": json.dumps({key: {}})}
    metadata = {"name": "d", "namespace": site.namespace, "labels": {"app": "web"}, "annotations": annotations}
    site.cluster.create({**pod, "metadata": metadata})


def _packets(site: Site) -> dict[str, str]:
    """Give a packet of the victim's on each of its networks, as ovn-trace takes them."""
    addresses = addresses_of(site)
    sources = {"n1": addresses["default"][0], f"{NETWORK}_n1": addresses[NETWORK][0], SHARED: "192.0.2.1"}
    return {
        switch: f'inport == "{_port(site.namespace, switch)}" && eth.src == {_MACS[0]} && eth.dst == {_MACS[1]} && '
        f"ip4.src == {source.partition('/')[0]} && ip4.dst == 203.0.113.1 && ip.ttl == 64 && ip.proto == 1"
        for switch, source in sources.items()
    }


def _port(namespace: str, switch: str) -> str:
    """Give the name that ovn-kubernetes gives to the port of the victim's pod on a switch."""
    network, _, flat = switch.partition("_")
    pod = "d" if flat.startswith("ovn") else "a"
    return f"{namespace}_{pod}" if not flat else f"{namespace.replace('-', '.')}.{network}_{namespace}_{pod}"


def _rows(result: Mapping[str, object]) -> Sequence[Json]:
    return cast("Sequence[Json]", result["rows"])
