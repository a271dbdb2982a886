"""What the overlays and the chart render runs as it is rendered, on a node laid out as by ovn-kubernetes."""

import socket
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
import yaml

from tests.packaging import rendering
from tests.packaging.pods import Container, Manifest, Pod, checkout
from tests.packaging.site import GUIDE, OPENVSWITCH, Site
from tests.services.process import ServiceError

WORKLOADS = {"DaemonSet", "Deployment"}
NOT_SERVED = {"SecurityContextConstraints"}
"""Kinds of OpenShift."""
RENDERED: Mapping[str, Callable[[], list[Manifest]]] = {
    "kustomize ovn-kubernetes": lambda: rendering.kustomize(rendering.OVERLAYS / "ovn-kubernetes"),
    "kustomize openshift": lambda: rendering.kustomize(rendering.OVERLAYS / "openshift"),
    "kustomize central": lambda: rendering.kustomize(rendering.OVERLAYS / "central"),
    "helm node": rendering.chart,
    "helm central": lambda: rendering.chart(
        "--set=mode=central", "--set=admission.validate=true", "--set=admission.identities={group system:masters}"
    ),
}


def apply(site: Site, objects: list[Manifest]) -> Manifest:
    """Apply what was rendered, for real, and give the one workload in it."""
    served = [each for each in objects if each["kind"] not in NOT_SERVED]
    crds = [each for each in served if each["kind"] == "CustomResourceDefinition"]
    site.api_server.apply_crds(yaml.safe_dump_all(crds))
    site.api_server.apply(yaml.safe_dump_all(each for each in served if each not in crds))
    (workload,) = (each for each in objects if each["kind"] in WORKLOADS)
    return workload


@pytest.mark.parametrize("name", RENDERED)
def test_what_is_rendered_runs(name: str, site: Site, tmp_path: Path) -> None:
    """Its probes say yes over both families, and a policy becomes a row, which goes with it."""
    node = site.lay_out(tmp_path, "/var/run/ovn-ic" if "openshift" in name else OPENVSWITCH)
    objects = RENDERED[name]()
    workload = apply(site, objects)
    with Pod(workload, objects, node, site.api_server, checkout()).running() as pod:
        assert_applies(site, pod)
        for container in pod.containers.values():
            assert_confined(container)


def assert_applies(site: Site, pod: Pod) -> None:
    """See that all probes say yes over both families, and that a policy becomes a row, which goes with it."""
    daemon = pod.containers["nqosd"]
    daemon.wait_until(lambda: set(pod.probes(socket.AF_INET).values()) == {200}, what="ready over IPv4")
    daemon.wait_until(lambda: set(pod.probes(socket.AF_INET6).values()) == {200}, what="ready over IPv6")
    site.api_server.kubectl("create", "-f", str(GUIDE))
    daemon.wait_until(lambda: "dscp=20" in site.rows(), what="writing the policy's row")
    site.forget()
    daemon.wait_until(lambda: not site.rows(), what="removing the policy's row")


def assert_confined(container: Container) -> None:
    """See that the process has the power and the root that its manifest gives: else the test has shown nothing."""
    status = Path(f"/proc/{container.pid}/status").read_text()
    kept = container.spec["securityContext"]["capabilities"].get("add", [])
    assert f"CapEff:\t{2 if kept else 0:016x}" in status
    assert "NoNewPrivs:\t1" in status
    mounts = [line.split() for line in Path(f"/proc/{container.pid}/mounts").read_text().splitlines()]
    writable = {mount[1] for mount in mounts if "ro" not in mount[3].split(",")}
    assert {each for each in writable if not each.startswith(("/dev", "/proc"))} == {"/tmp"}  # noqa: S108


def test_a_folder_that_is_not_there(site: Site, tmp_path: Path) -> None:
    """On a node without the folder no container is started, as a kubelet says of it."""
    objects = RENDERED["kustomize openshift"]()
    workload = apply(site, objects)
    with (
        pytest.raises(ServiceError, match="hostPath type check failed: /var/run/ovn-ic is not a directory"),
        Pod(workload, objects, site.lay_out(tmp_path), site.api_server, checkout()).running(),
    ):
        pass
