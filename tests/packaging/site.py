"""A cluster and a node for what is installed: an API server, OVN with a chassis, and the node's folders.

In: nothing. Out: all of it running. Rule: the sockets lie where ovn-kubernetes, or OpenShift, has them on the host.
"""

import contextlib
import os
from collections.abc import Iterator, Mapping
from pathlib import Path

import attrs
import yaml

from tests.packaging.pods import Node
from tests.services.chassis import Chassis
from tests.services.etcd import Etcd
from tests.services.generation import GENERATIONS
from tests.services.kubernetes import ApiServer
from tests.services.ovn import OvnCentral

NODE = "ovn-worker"
OPENVSWITCH = "/var/run/openvswitch"
BRIDGE = "br-int.mgmt"
GUIDE = Path(__file__).parents[2] / "docs" / "examples" / "guide"


@attrs.frozen
class Site:
    """Everything; `sockets` are those of the databases and of the bridge, by their names on a node."""

    api_server: ApiServer
    central: OvnCentral
    sockets: Mapping[str, Path]

    def lay_out(self, root: Path, ovn: str = OPENVSWITCH) -> Node:
        """Make a node whose OVN has its sockets in a folder; Open vSwitch has its own elsewhere."""
        for name, found in self.sockets.items():
            folder = root / (OPENVSWITCH if name == BRIDGE else ovn).lstrip("/")
            folder.mkdir(parents=True, exist_ok=True)
            os.link(found, folder / name)
        return Node(NODE, root)

    def rows(self) -> str:
        """Give the rows of the Northbound database."""
        return self.central.nb.nbctl("list", "QoS").strip()

    def forget(self) -> None:
        """Delete what is the guide's, and wait for nothing."""
        for kind in ("networkqoses", "pods", "network-attachment-definitions"):
            self.api_server.kubectl("delete", kind, "--all", "-n", "default", "--force", "--grace-period=0")


@contextlib.contextmanager
def site() -> Iterator[Site]:
    """Start everything, with the kinds of networks, the node, and the guide's network on it."""
    with (
        Etcd() as etcd,
        ApiServer(etcd) as api_server,
        OvnCentral(GENERATIONS[-1]) as central,
        Chassis(central) as chassis,
    ):
        for crd in sorted(Path("tests/services/manifests").glob("*.yaml")):
            api_server.apply_crds(crd.read_text())
        api_server.apply(yaml.safe_dump({"apiVersion": "v1", "kind": "Node", "metadata": {"name": NODE}}))
        central.nb.nbctl("set", "NB_Global", ".", f"name={NODE}", "--", "ls-add", "ovn.stream_ovn-worker")
        sockets = {"ovnnb_db.sock": central.nb.socket, "ovnsb_db.sock": central.sb.socket}
        yield Site(api_server, central, sockets | {BRIDGE: chassis.directory / BRIDGE})
