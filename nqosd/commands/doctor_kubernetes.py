"""What `nqosd doctor` sees of the API server: the way there, who asks, each right, the definition, the clock.

In: a configuration. Out: results. Rule: the rights asked about are those of `nqosd.daemon.rights`, by
SelfSubjectAccessReview, so they are those of whoever runs the command with the daemon's credentials.
"""

import asyncio
import email.utils
import os
import time
from collections.abc import Sequence
from http import HTTPStatus

import msgspec
from msgspec.structs import replace

from nqosd.api.changes import ResourceKind
from nqosd.api.text import shortened
from nqosd.cache.tables import Tables
from nqosd.commands.doctor_results import CheckResult, failed, ok, skipped, warning, within
from nqosd.commands.doctor_zones import ZONES, look_at_zones
from nqosd.commands.exits import CommandError
from nqosd.commands.gathering import gather_objects
from nqosd.commands.old_controller import ask_for_traces
from nqosd.config import Config
from nqosd.daemon.daemon_options import kube_options, report_namespace
from nqosd.daemon.rights import Right, rights
from nqosd.informers.discovery import is_missing
from nqosd.informers.manifests.paths import Manifests, read_manifests
from nqosd.informers.resources import RESOURCES
from nqosd.informers.served_schema import ServedSchema
from nqosd.kube.client import KubeClient, KubeConnectionError, Response
from nqosd.kube.credentials import KubeConfigError
from nqosd.kube.writes import send

OFF, FAR_OFF = 5.0, 60.0
"""Seconds by which clocks may differ until it is said, and until it is a fault."""
DATE_UNIT = 1.0
"""Seconds to which HTTP's dates are cut."""
MINUTE = 60
ME = "/apis/authentication.k8s.io/v1/selfsubjectreviews"
REVIEWS = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
POLICIES = next(each for each in RESOURCES if each.kind is ResourceKind.NETWORK_QOS)

UNREACHABLE = "see that the API server runs, and look for a firewall or proxy; the kubeconfig names its address"
LOG = "look at the log of the API server"


class _Version(msgspec.Struct, rename="camel"):
    git_version: str


class _UserInfo(msgspec.Struct):
    username: str


class _Self(msgspec.Struct, rename="camel"):
    user_info: _UserInfo


class _Me(msgspec.Struct):
    status: _Self


class _Access(msgspec.Struct):
    allowed: bool


class _Review(msgspec.Struct):
    status: _Access


class _Greeting(msgspec.Struct, frozen=True):
    """The answer to the first request, and the time here before and after it, in seconds since the epoch."""

    answer: Response
    asked: float
    answered: float


async def look_at_kubernetes(config: Config, seconds: float) -> list[CheckResult]:
    """Look at the API server, as whoever the configuration has the daemon be."""
    if config.kubernetes.source == "manifests":
        manifests = await asyncio.to_thread(read_manifests, config.kubernetes.manifests)
        return [_manifests(config, manifests)]
    about = _credentials(config)
    async with KubeClient(replace(kube_options(config), exec_timeout=seconds)) as client:
        greeting = await within(seconds, "api-server", about, _greet(client, about), UNREACHABLE)
        if isinstance(greeting, CheckResult):
            return [greeting]
        clock = _clock(client.server, greeting)
        if greeting.answer.status != HTTPStatus.OK:
            return [_refused(client.server, about, greeting.answer), clock]
        version = msgspec.json.decode(greeting.answer.body, type=_Version).git_version
        user = await _user(client)
        checks = [
            within(seconds, "rights", f"of {user}", _rights(client, user, rights(config)), LOG),
            within(seconds, "crd", POLICIES.full_name, _definition(client), LOG),
        ]
        if config.status.enabled:
            namespace, now = report_namespace(config), _date(greeting) or greeting.answered
            checks.append(within(seconds, ZONES, namespace, look_at_zones(client, namespace, now), LOG))
        results = [ok("api-server", client.server, f"{version}, as {user} ({about})"), *await asyncio.gather(*checks)]
        return [*results, clock]


async def gather_nodes(config: Config, seconds: float) -> Tables | CheckResult:
    """Read the nodes from where the daemon takes them, or say why that can't be done."""
    try:
        async with asyncio.timeout(seconds):
            return await gather_objects(config, kinds=(ResourceKind.NODE,))
    except TimeoutError:
        why = f"the nodes weren't listed within {seconds:g} s"
    except CommandError as error:
        why = f"the nodes aren't known: {error}"
    return skipped("zone", config.daemon.zone or "NB_Global.name", why)


def _manifests(config: Config, manifests: Manifests) -> CheckResult:
    about = ", ".join(config.kubernetes.manifests)
    if manifests.problems:
        found = "; ".join(shortened(map(str, manifests.problems)))
        return failed("manifests", about, found, "mend them; nqosd compile --strict says when they are right")
    return ok("manifests", about, f"{len(manifests.objects)} objects; no API server is asked")


async def look_for_old_controller(config: Config, zone: str, seconds: float) -> CheckResult | None:
    """Say whether the NetworkQoS controller in ovn-kubernetes of a zone is known to be off; None without a trace."""
    check, about = "old-controller", "statuses by ovn-kubernetes' NetworkQoS controller"
    if config.kubernetes.source == "manifests":
        return None
    async with KubeClient(replace(kube_options(config), exec_timeout=seconds)) as client:
        found = await within(seconds, check, about, ask_for_traces(client, zone), LOG)
    if isinstance(found, CheckResult):
        return found
    if not found.warning:
        said = f"it is off: it hasn't answered NetworkQoS {found.unanswered}"
        return ok(check, about, said) if found.unanswered else None
    said, _, way_out = found.warning.rpartition(": ")
    return warning(check, about, said, way_out)


def _credentials(config: Config) -> str:
    named = config.kubernetes.kubeconfig or os.environ.get("KUBECONFIG")
    return f"kubeconfig {named}" if named else "~/.kube/config, or the pod's service account"


async def _greet(client: KubeClient, about: str) -> _Greeting | CheckResult:
    asked = time.time()
    try:
        return _Greeting(await client.request("GET", "/version"), asked, time.time())
    except KubeConfigError as error:
        return failed(
            "api-server", about, str(error), "kubernetes.kubeconfig names a file that kubectl accepts as well"
        )
    except KubeConnectionError as error:
        return failed("api-server", client.server or about, str(error), UNREACHABLE)


def _refused(server: str, about: str, answer: Response) -> CheckResult:
    if answer.status == HTTPStatus.UNAUTHORIZED:
        way_out = f"make a new token or certificate for {about}: it has ended, or is of another cluster"
        return failed("api-server", server, f"{answer.status} Unauthorized: it doesn't take the credentials", way_out)
    return failed("api-server", server, f"{answer.status} {answer.body[:200].decode(errors='replace')}", UNREACHABLE)


async def _user(client: KubeClient) -> str:
    answer = await send(client, "POST", ME, {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"})
    return msgspec.json.decode(answer.body, type=_Me).status.user_info.username if answer.accepted else "unknown user"


async def _rights(client: KubeClient, user: str, needed: Sequence[Right]) -> CheckResult:
    answers = await asyncio.gather(*(_may(client, right) for right in needed))
    missing = [str(right) for right, may in zip(needed, answers, strict=True) if not may]
    if not missing:
        return ok("rights", f"of {user}", f"all {len(needed)} are granted")
    way_out = (
        "kubectl apply -k config/rbac; if that user isn't its ServiceAccount, "
        f"kubectl create clusterrolebinding nqosd-user --clusterrole=nqosd --user={user}, and a rolebinding of the "
        "role nqosd in the namespace of the Leases"
    )
    return failed("rights", f"of {user}", f"it may not {', '.join(missing)}", way_out)


async def _may(client: KubeClient, right: Right) -> bool:
    resource, _, subresource = right.resource.partition("/")
    attributes = {"verb": right.verb, "group": right.group, "resource": resource, "subresource": subresource}
    attributes |= {"namespace": right.namespace} if right.namespace else {}
    body = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectAccessReview",
        "spec": {"resourceAttributes": attributes},
    }
    answer = await send(client, "POST", REVIEWS, body)
    if not answer.accepted:
        raise RuntimeError(f"{answer.reason} {answer.message}")
    return msgspec.json.decode(answer.body, type=_Review).status.allowed


async def _definition(client: KubeClient) -> CheckResult:
    name, way_out = POLICIES.full_name, "kubectl apply -k config/crd"
    if await is_missing(client, POLICIES):
        return failed("crd", name, "there is no such CustomResourceDefinition", way_out)
    lost = await ServedSchema(client).lost()
    if lost is None:
        return skipped("crd", name, "the server doesn't show its schema, so nobody knows whether it keeps all fields")
    if lost:
        found = f"it isn't nqosd's: the server drops {', '.join(shortened(lost))}, so rules may cover more than written"
        return failed("crd", name, found, f"{way_out}, then apply the objects again that had these fields")
    return ok("crd", name, "has every field that nqosd reads or writes")


def _clock(server: str, greeting: _Greeting) -> CheckResult:
    about = f"of this machine and of {server}"
    there = _date(greeting)
    if there is None:
        return skipped("clock", about, f"the server's time isn't known: {greeting.answer.date!r}")
    ahead, behind = greeting.asked - there - DATE_UNIT, there - greeting.answered
    found = f"this one is {_span(max(ahead, behind))} {'ahead' if ahead > 0 else 'behind'}"
    way_out = "let both follow a time server; timedatectl says whether this machine does"
    if max(ahead, behind) > FAR_OFF:
        return failed("clock", about, f"{found}: tokens and certificates count as ended, or not valid yet", way_out)
    if max(ahead, behind) > OFF:
        return warning("clock", about, found, way_out)
    return ok("clock", about, f"they agree within {OFF:g} s")


def _date(greeting: _Greeting) -> float | None:
    """Give the server's time, in seconds since the epoch; None if it doesn't say."""
    try:
        return email.utils.parsedate_to_datetime(greeting.answer.date).timestamp()
    except ValueError:
        return None


def _span(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 2 * MINUTE else f"{seconds / MINUTE:.0f} min"
