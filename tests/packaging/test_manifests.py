"""The overlays for kustomize and the Helm chart are what a real API server takes, and give the same pods."""

import copy
import json
import re
import subprocess
from pathlib import Path

import pytest
import yaml

from nqosd import __version__
from nqosd.config import Config, parse
from tests.packaging import rendering
from tests.packaging.pods import Manifest
from tests.services.kubernetes import ApiServer
from tests.services.process import ServiceError

SERVER = ("--server-side", "--force-conflicts", "--dry-run=server", "--validate=strict", "-f", "-")
PLACES = ("ovn-kubernetes", "openshift", "central")
CHARTS = {
    "ovn-kubernetes": (),
    "openshift": (
        "--set=folders={/var/run/ovn-ic,/var/run/openvswitch}",
        "--set=stats.capabilities={DAC_OVERRIDE}",
        "--set=podSecurityContext.seLinuxOptions.type=spc_t",
        "--set=podAnnotations.openshift\\.io/required-scc=nqosd",
    ),
    "central": ("--set=mode=central",),
}
"""The values with which the chart gives what an overlay gives."""


def workload(objects: list[Manifest]) -> Manifest:
    """Give the one DaemonSet or Deployment."""
    (found,) = (each for each in objects if each["kind"] in {"DaemonSet", "Deployment"})
    return found


def pod(objects: list[Manifest]) -> Manifest:
    """Give the specification of its pods, without what the chart alone has, and in one order."""
    found: Manifest = copy.deepcopy(workload(objects)["spec"]["template"]["spec"])
    for container in found["containers"]:
        container.pop("imagePullPolicy", None)
        container["volumeMounts"].sort(key=lambda each: each["mountPath"])
        for each in container["volumeMounts"]:
            each.pop("name")
    found["volumes"] = sorted(({**each, "name": ""} for each in found["volumes"]), key=str)
    return {key: value for key, value in found.items() if key != "volumes"} | {
        "volumes": [{**each, "configMap": {}} if "configMap" in each else each for each in found["volumes"]]
    }


def options(objects: list[Manifest]) -> Config:
    """Give the configuration of the daemon."""
    (found,) = (each for each in objects if each["kind"] == "ConfigMap")
    return parse(found["data"]["nqosd.toml"])


@pytest.mark.parametrize("place", PLACES)
def test_the_api_server_takes_an_overlay(api_server: ApiServer, place: str) -> None:
    """A dry run on the server finds no unknown field and no wrong value."""
    objects = rendering.kustomize(rendering.OVERLAYS / place)
    served = [each for each in objects if each["kind"] != "SecurityContextConstraints"]
    answer = api_server.kubectl("apply", *SERVER, stdin=yaml.safe_dump_all(served))
    assert len(answer.splitlines()) == len(served)


def test_a_database_at_an_address(api_server: ApiServer) -> None:
    """With no folder of the host, and the files of TLS from a Secret, the chart's options name these files."""
    names = {"private_key": "tls.key", "certificate": "tls.crt", "ca_certificate": "ca.crt"}
    objects = rendering.chart(
        "--set=mode=central",
        "--set-json=folders=[]",
        "--set=secrets[0].name=nb,secrets[0].mountPath=/etc/nqosd-nb",
        "--set=config.northbound.remotes={ssl:192.0.2.11:6641,ssl:192.0.2.12:6641}",
        *(f"--set=config.northbound.{option}=/etc/nqosd-nb/{file}" for option, file in names.items()),
    )
    assert {"name": "nb", "secret": {"secretName": "nb"}} in workload(objects)["spec"]["template"]["spec"]["volumes"]
    assert options(objects).northbound.certificate == "/etc/nqosd-nb/tls.crt"
    served = [each for each in objects if each["kind"] == "Deployment"]
    assert "deployment.apps/nqosd-central" in api_server.kubectl("apply", *SERVER, stdin=yaml.safe_dump_all(served))


def test_folders_of_any_name(api_server: ApiServer) -> None:
    """Two folders may end with the same name, or with one that no volume can have, or that another volume has."""
    folders = ["/var/run/ovn", "/run/ovn", "/srv/OVN_sockets", "/srv/tmp"]
    objects = rendering.chart(f"--set-json=folders={json.dumps(folders)}")
    served = yaml.safe_dump(workload(objects))
    assert "daemonset.apps/nqosd" in api_server.kubectl("apply", *SERVER, stdin=served)
    paths = [each["hostPath"]["path"] for each in pod(objects)["volumes"] if "hostPath" in each]
    assert sorted(paths) == sorted(folders)


def test_no_taint_is_tolerated_where_none_is_named() -> None:
    """An empty list in place of the chart's tolerations is one."""
    assert pod(rendering.chart("--set-json=tolerations=[]"))["tolerations"] == []


def test_the_dry_run_sees_mistakes(api_server: ApiServer) -> None:
    """The same check refuses a misspelt field."""
    wrong = yaml.safe_dump_all(rendering.kustomize(rendering.OVERLAYS / "central"))
    with pytest.raises(ServiceError, match="readynessProbe"):
        api_server.kubectl("apply", *SERVER, stdin=wrong.replace("readinessProbe", "readynessProbe"))


def test_no_name_is_shared() -> None:
    """Both kinds of workload can be applied without one taking the other's pods."""
    node, central = (
        workload(rendering.kustomize(rendering.OVERLAYS / place)) for place in ("ovn-kubernetes", "central")
    )
    assert node["metadata"]["name"] != central["metadata"]["name"]
    assert node["spec"]["selector"] != central["spec"]["selector"]


@pytest.mark.parametrize("place", PLACES)
def test_a_container_does_as_little_as_it_can(place: str) -> None:
    """It keeps no capability but the one that OpenShift's exporter needs, can't gain any, and writes to memory only."""
    objects = rendering.kustomize(rendering.OVERLAYS / place)
    for container in pod(objects)["containers"]:
        added = {"add": ["DAC_OVERRIDE"]} if (place, container["name"]) == ("openshift", "stats") else {}
        assert container["securityContext"] == {
            "runAsUser": 0,
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"], **added},
            "seccompProfile": {"type": "RuntimeDefault"},
        }
        assert [each["mountPath"] for each in container["volumeMounts"] if not each.get("readOnly")] == ["/tmp"]  # noqa: S108


@pytest.mark.parametrize("place", PLACES)
def test_the_chart_gives_what_the_overlay_gives(place: str) -> None:
    """Pods, selectors, rights and options are the same, whichever way one installs."""
    ours, theirs = rendering.kustomize(rendering.OVERLAYS / place), rendering.chart(*CHARTS[place])
    assert pod(theirs) == pod(ours)
    assert options(theirs) == options(ours)
    for key in ("selector", "updateStrategy", "replicas"):
        assert workload(theirs)["spec"].get(key) == workload(ours)["spec"].get(key)
    rights = ("ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding")
    kinds = ("CustomResourceDefinition", "PodDisruptionBudget", *rights)
    for kind in kinds:
        assert [
            each.get("spec", each.get("rules", each.get("subjects"))) for each in theirs if each["kind"] == kind
        ] == [each.get("spec", each.get("rules", each.get("subjects"))) for each in ours if each["kind"] == kind]


def test_helm_finds_nothing_wrong() -> None:
    """Helm's own checks pass, with warnings as errors."""
    rendering.helm("lint", "--strict", str(rendering.CHART))


@pytest.mark.parametrize(
    ("value", "said"),
    [("mode=everywhere", "mode"), ("statistics.enabled=true", "statistics"), ("config.nothbound.lock=x", "nothbound")],
)
def test_the_schema_refuses_a_mistake(value: str, said: str) -> None:
    """A value that the chart doesn't know, or can't use, is an error that names it."""
    with pytest.raises(subprocess.CalledProcessError) as refusal:
        rendering.chart("--set", value)
    assert said in refusal.value.stderr


def test_monitoring_names_the_jobs_of_the_alerts() -> None:
    """The operator's objects are in the chart too, with a label for the cluster and the address of the runbooks."""
    values = (
        "monitoring.enabled=true",
        "monitoring.cluster=east",
        "monitoring.runbooks=https://runbooks.example/nqosd",
    )
    found = {each["kind"]: each for each in rendering.chart(*(f"--set={each}" for each in values))}
    for endpoint, job in zip(found["PodMonitor"]["spec"]["podMetricsEndpoints"], ("nqosd", "nqosd-stats"), strict=True):
        assert {"targetLabel": "job", "replacement": job} in endpoint["relabelings"]
        assert {"targetLabel": "cluster", "replacement": "east"} in endpoint["relabelings"]
    rules = found["PrometheusRule"]["spec"]["groups"][0]["rules"]
    assert {rule["annotations"]["runbook_url"].partition("#")[0] for rule in rules} == {
        "https://runbooks.example/nqosd"
    }
    plain = {each["kind"]: each for each in rendering.kustomize(Path("config/prometheus"))}
    assert plain["PrometheusRule"]["spec"] == yaml.safe_load(Path("config/prometheus/alerts.yaml").read_text())


@pytest.mark.parametrize("name", ["12", "true", "a: b"])
def test_a_cluster_of_any_name(name: str) -> None:
    """Its label is text, whatever YAML would take it for."""
    objects = rendering.chart("--set=monitoring.enabled=true", f"--set-string=monitoring.cluster={name}")
    (monitor,) = (each for each in objects if each["kind"] == "PodMonitor")
    for endpoint in monitor["spec"]["podMetricsEndpoints"]:
        assert {"targetLabel": "cluster", "replacement": name} in endpoint["relabelings"]


def test_the_image_is_imported_by_the_name_that_pods_have() -> None:
    """On a node, and in a registry: a runtime finds an image by its whole name."""
    page = Path("docs/install.md").read_text()
    (pods,) = re.findall(r"image\.repository=(\S+)", page)
    assert re.findall(r"docker://(\S+):", page) == re.findall(r"--base-name (\S+)", page) == [pods]


def test_every_way_installs_this_version() -> None:
    """The chart, the overlays and the page on installing name the version that the checkout has."""
    assert yaml.safe_load((rendering.CHART / "Chart.yaml").read_text())["appVersion"] == __version__
    for place in ("ovn-kubernetes", "central"):
        images = {each["image"] for each in pod(rendering.kustomize(rendering.OVERLAYS / place))["containers"]}
        assert images == {f"nqosd:{__version__}"}
    named = re.findall(r"nqosd[:_-]([0-9]+\.[0-9]+\.[0-9]+)", Path("docs/install.md").read_text())
    assert set(named) == {__version__}
