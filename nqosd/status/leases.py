"""The Leases in which zones report, and the one that says whose daemon sums up.

In: a report, or the wish to sum up. Out: requests to the API server, and what they found. Rule: every Lease is small,
and named after its zone, so that whoever goes on for a zone goes on with its Lease. Refusals are answers.
"""

import asyncio
import contextlib
import datetime as dt
import re
from collections.abc import Iterator

import msgspec
from msgspec.structs import replace

from nqosd.api.decoding.envelopes import decode_list
from nqosd.api.decoding.metadata import MALFORMED
from nqosd.informers.resource_versions import as_number
from nqosd.kube.writes import CONFLICT, NOT_FOUND, Answer, ApiClient, send
from nqosd.runtime.threads import aside
from nqosd.status.conditions import digested, stays
from nqosd.status.reports import OLD, Renewal
from nqosd.status.zone_report import ZoneReport, decode_report

VERSION = "coordination.k8s.io/v1"
POLICIES = "/apis/k8s.ovn.org/v1alpha1/networkqoses"
APPLY = "application/apply-patch+yaml"
ANNOTATION = "nqosd.io/report"
LABEL = "nqosd.io/report"
SELECTOR = f"{LABEL}=zone"
ELECTION = "nqosd-status"
PREFIX = "nqosd-zone-"
MAX_NAME = 253
_SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_NOT_IN_NAME = re.compile(r"[^a-z0-9]+")
LIGHT = 1 << 18
"""Bytes of a list that are read in the event loop; of reports that name a thousand failures they take 3 ms."""
HELD = 15.0
"""Seconds after which a Lease that wasn't renewed is anybody's; its holder renews it every 5 s."""
RELEASE = 1.0
"""Seconds that giving it up may take, when a daemon ends."""


class _Metadata(msgspec.Struct, rename="camel"):
    name: str = ""
    resource_version: str = ""
    annotations: dict[str, str] | None = None


class _Spec(msgspec.Struct, rename="camel"):
    holder_identity: str = ""
    renew_time: str = ""


class _Lease(msgspec.Struct):
    metadata: _Metadata
    spec: _Spec = msgspec.field(default_factory=_Spec)


_lease = msgspec.json.Decoder(_Lease)


class Listed(msgspec.Struct, frozen=True):
    """The reports that there are, and the name of each one's Lease, by zone; what isn't a report is left out.

    `newest` is the resource version of the policies, ahead of which none of them is; 0 if that isn't known.
    """

    renewals: dict[str, Renewal]
    names: dict[str, str]
    newest: int = 0


class Leases:
    """The Leases of a namespace."""

    def __init__(self, client: ApiClient, namespace: str) -> None:
        self._client = client
        self.path = f"/apis/{VERSION}/namespaces/{namespace}/leases"

    async def report(self, report: ZoneReport, holder: str) -> Answer:
        """Write a zone's report, and renew it."""
        spec = {"holderIdentity": holder, "renewTime": _now(), "leaseDurationSeconds": int(OLD)}
        body = _body(report_name(report.zone), spec) | {
            "metadata": {
                "name": report_name(report.zone),
                "labels": {LABEL: "zone"},
                "annotations": {ANNOTATION: report.encode()},
            }
        }
        query = {"fieldManager": "nqosd", "force": "true"}
        path = f"{self.path}/{report_name(report.zone)}"
        return await send(self._client, "PATCH", path, body, query=query, content_type=APPLY)

    async def reports(self) -> tuple[Answer, Listed | None]:
        """List all reports; None if that failed.

        One that is ahead of the policies has been written before the cluster's store was restored: it is left out. The
        policies are asked, after it: Leases may have a store of their own, whose versions say nothing of theirs.
        """
        answer = await send(self._client, "GET", self.path, query={"labelSelector": SELECTOR})
        policies = await send(self._client, "GET", POLICIES, query={"limit": "1"}) if answer.accepted else answer
        if not policies.accepted:
            return policies, None
        try:
            if len(answer.body) > LIGHT:
                return answer, await aside(lambda: _listed(answer.body, policies.body))
            return answer, _listed(answer.body, policies.body)
        except MALFORMED as error:
            return replace(answer, reason="Malformed", message=str(error)), None

    async def remove(self, name: str) -> Answer:
        """Remove the report of a zone that is gone."""
        return await send(self._client, "DELETE", f"{self.path}/{name}")


class Election:
    """Who sums up: the daemon that holds the Lease `nqosd-status`, each by a name that no other process has."""

    def __init__(self, client: ApiClient, leases: Leases) -> None:
        self._client = client
        self._path = leases.path
        self._seen: tuple[str, str] | None = None
        self._since = 0.0
        self._version = ""
        self.holder = ""
        """The daemon that sums up, as far as is known."""

    async def campaign(self, name: str, *, renews: bool = True) -> Answer:
        """Renew the Lease if it is held by this name, take it if nobody does; `holder` says how that ended.

        Who doesn't renew it, since its own word is old, only looks, and holds it until another daemon takes it.
        """
        now = asyncio.get_running_loop().time()
        answer = await send(self._client, "GET", f"{self._path}/{ELECTION}")
        if answer.status == NOT_FOUND:
            return self._took(name, await send(self._client, "POST", self._path, self._body(name, "")))
        lease = _decoded(answer)
        if lease is None:
            self.holder = ""
            return answer
        seen = lease.spec.holder_identity, lease.spec.renew_time
        if seen != self._seen:
            self._seen, self._since = seen, now
        self.holder = lease.spec.holder_identity
        if not renews or (self.holder and self.holder != name and now - self._since < HELD):
            return answer
        body = self._body(name, lease.metadata.resource_version)
        return self._took(name, await send(self._client, "PUT", f"{self._path}/{ELECTION}", body))

    def is_anothers(self, name: str, now: float) -> bool:
        """Say whether another daemon than this one holds the Lease, and has renewed it of late."""
        return self.holder not in ("", name) and now - self._since < HELD

    async def resign(self, name: str) -> None:
        """Let another daemon have it at once, if this one holds it."""
        if self.holder == name and self._version:
            body = self._body("", self._version)
            with contextlib.suppress(TimeoutError):  # then it is anybody's when it has not been renewed for long enough
                async with asyncio.timeout(RELEASE):
                    await send(self._client, "PUT", f"{self._path}/{ELECTION}", body)
        self.holder = ""

    def _took(self, name: str, answer: Answer) -> Answer:
        lease = _decoded(answer)
        self.holder = name if lease is not None else ""
        self._version = lease.metadata.resource_version if lease is not None else ""
        return replace(answer, status=200) if answer.status == CONFLICT else answer

    def _body(self, name: str, version: str) -> dict[str, object]:
        spec = {"holderIdentity": name, "renewTime": _now(), "leaseDurationSeconds": int(HELD)}
        body = _body(ELECTION, spec)
        return body | {"metadata": {"name": ELECTION, **({"resourceVersion": version} if version else {})}}


def report_name(zone: str) -> str:
    """Give the name of the Lease in which a zone reports: lower-case letters, digits, `-` and `.`."""
    longest = MAX_NAME - len(PREFIX)
    if len(zone) <= longest and stays(zone, _SUBDOMAIN):
        return PREFIX + zone
    return PREFIX + digested(zone, _NOT_IN_NAME.sub("-", zone.lower()), longest)


def _listed(leases: bytes, policies: bytes) -> Listed:
    """Read all reports but those that are ahead of the policies."""
    items = [_lease.decode(each) for each in decode_list(leases, VERSION, "Lease").items]
    newest = as_number(decode_list(policies, "k8s.ovn.org/v1alpha1", "NetworkQoS").resource_version)
    listed = Listed({}, {}, newest)
    for name, renewal in _renewals(items):
        if not newest or renewal.report.version <= newest:
            listed.renewals[renewal.report.zone] = renewal
            listed.names[renewal.report.zone] = name
    return listed


def _renewals(items: list[_Lease]) -> Iterator[tuple[str, Renewal]]:
    for each in items:
        report = decode_report((each.metadata.annotations or {}).get(ANNOTATION, ""))
        if report is not None and each.metadata.name == report_name(report.zone):
            yield each.metadata.name, Renewal(report, each.spec.renew_time)


def _decoded(answer: Answer) -> _Lease | None:
    if not answer.accepted:
        return None
    try:
        return _lease.decode(answer.body)
    except MALFORMED:
        return None


def _body(name: str, spec: dict[str, object]) -> dict[str, object]:
    return {"apiVersion": VERSION, "kind": "Lease", "metadata": {"name": name}, "spec": spec}


def _now() -> str:
    return dt.datetime.now(dt.UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
