"""A zone's report: up to which resource version every NetworkQoS is applied there, and which ones aren't.

In: how each policy stands in the zone. Out: a `ZoneReport`, and its text as it stands in an annotation of a Lease.
Pure. Rule: what a report doesn't name, and what isn't newer than it reaches, is applied; so whatever makes a report too
long is named by its namespace, and costs nobody else.
"""

from collections import Counter, defaultdict
from collections.abc import Container, Mapping, Sequence
from heapq import heapify, heappop, heappush, nsmallest

import msgspec
from msgspec.structs import replace

from nqosd.api.networkqos import Condition
from nqosd.status.conditions import TRUE, WARNING, ConditionReason
from nqosd.status.digests import Digests

MAX_MESSAGE = 512
"""Bytes of a message in a report, and in the condition of a zone."""
DETAILED = 20
"""How many findings have messages."""
OF_NAMESPACE = 50
"""How many findings of one namespace are listed."""
EVERYWHERE = 1_000
"""How many policies of a namespace may be beyond limits until none of them is reported: each zone knows it as well."""
LONG = 32_000
"""Bytes of findings in a report: a thousand zones may write theirs at once, and one daemon reads all of them."""
FEW = 5
"""Policies of a namespace that fail and are listed though the report is longer than that."""
LONGER = 64_000
"""Bytes of findings beyond which those of such namespaces are digested, too, if need be."""
WORTH = 128
"""Bytes that digests have to save there, so that who has little to list isn't digested with others."""
LARGEST = 200_000
"""Bytes of a report; all annotations of an object together may have 262,144."""


_NONE = Digests()
_ANYHOW = frozenset({ConditionReason.TOO_LARGE, ConditionReason.INVALID})


class ZoneFinding(msgspec.Struct, frozen=True):
    """Why a policy isn't applied in a zone; or, of one that is, what people are warned of.

    `is_everywhere`: every zone with the same limits finds it, so that it needs no report; none tells that.
    """

    reason: str
    message: str = ""
    is_everywhere: bool = False

    @property
    def fails(self) -> bool:
        """Say whether the policy isn't applied."""
        return self.reason != ConditionReason.APPLIED

    @property
    def counts_anyhow(self) -> bool:
        """Say whether it is found of policies of which it isn't known whether they have senders: and the zone may."""
        return self.reason in _ANYHOW


class ZoneReport(msgspec.Struct, frozen=True):
    """What a zone says of all policies; `pending`: up to where namespaces are done that have something to write yet.

    Of the namespaces in `overflow` more policies fail than are listed: those with these digests, or, where there are
    none, any.
    """

    zone: str
    version: int
    pending: Mapping[str, int] = {}
    findings: Mapping[str, ZoneFinding] = {}
    overflow: Mapping[str, Digests] = {}

    def reaches(self, namespace: str) -> int:
        """Give the resource version up to which the policies of a namespace are applied, but for the findings."""
        return self.pending.get(namespace, self.version)

    def encode(self) -> str:
        """Give the report as text."""
        short = _digested(_shortened(self, LONG, FEW))
        if len(text := _encoded(short)) > LARGEST:
            rest = len(_encoded(replace(short, findings={}, overflow={})))
            short = _shortened(short, LARGEST - rest - 1_000, 0)
            text = _encoded(short)
        if len(text) > LARGEST:
            short = replace(short, pending={}, version=min([self.version, *self.pending.values()]))
            if len(text := _encoded(short)) > LARGEST:  # who can't say what fails has looked at nothing
                text = _encoded(replace(short, findings={}, overflow={}, version=0))
        return text.decode()


class _Wire(msgspec.Struct):
    zone: str
    version: int
    pending: dict[str, int] = {}
    findings: dict[str, tuple[str, str]] = {}
    overflow: list[str] = []
    digests: dict[str, str] = {}
    """In base64, by namespace of the `overflow`; versions before this one know only these."""


_decoder = msgspec.json.Decoder(_Wire)


def decode_report(text: str) -> ZoneReport | None:
    """Read a report; None if it isn't one."""
    try:
        wire = _decoder.decode(text)
        overflow = {each: Digests(text=wire.digests.get(each, "")) for each in wire.overflow}
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return None
    findings = {key: ZoneFinding(*each) for key, each in wire.findings.items()}
    return ZoneReport(wire.zone, wire.version, wire.pending, findings, overflow)


class NamespaceFindings(msgspec.Struct, frozen=True):
    """The findings of a namespace that a report lists, by key, and digests of the other policies that fail."""

    findings: Mapping[str, ZoneFinding]
    others: Digests = msgspec.field(default_factory=Digests)

    @classmethod
    def of(cls, findings: Mapping[str, ZoneFinding]) -> "NamespaceFindings":
        """List the first of what fails here, and of what people are warned of; digest what fails everywhere, if few."""
        everywhere = [key for key, each in findings.items() if each.is_everywhere]
        if everywhere:
            findings = {key: each for key, each in findings.items() if not each.is_everywhere}
        known = everywhere if len(everywhere) <= EVERYWHERE else []
        if len(findings) <= OF_NAMESPACE:
            return cls({key: findings[key] for key in sorted(findings)}, Digests(known))
        failing, warned = ([key for key, each in findings.items() if each.fails is fails] for fails in (True, False))
        keys = (key for mine in (failing, warned) for key in nsmallest(OF_NAMESPACE, mine))
        listed = {key: findings[key] for key in keys}
        return cls(listed, Digests([*known, *(key for key in failing if key not in listed)]))


def together(
    namespaces: Mapping[str, NamespaceFindings],
) -> tuple[dict[str, ZoneFinding], dict[str, Digests]]:
    """Give the findings of a report, by key, and the namespaces of which more policies fail, with their digests.

    Messages are for the namespaces first that have fewest findings: one that has many leaves the others theirs.
    """
    found: dict[str, ZoneFinding] = {}
    for each in sorted(namespaces.values(), key=lambda each: len(each.findings)):
        for key, finding in each.findings.items():
            found[key] = finding if len(found) < DETAILED else replace(finding, message="")
    overflow = {name: each.others for name, each in namespaces.items() if each.others}
    return {key: each for key, each in found.items() if each.fails or each.message}, overflow


def finding_of(condition: Condition) -> ZoneFinding | None:
    """Give what there is to say of a policy, if anything."""
    if condition.status == TRUE:
        _applied, warned, warnings = condition.message.partition(WARNING)
        return ZoneFinding(ConditionReason.APPLIED, clipped(warnings)) if warned else None
    return ZoneFinding(condition.reason, clipped(condition.message))


def clipped(text: str, longest: int = MAX_MESSAGE) -> str:
    """Cut a text to so many bytes, not in the middle of a character."""
    data = text.encode()
    return text if len(data) <= longest else data[: longest - 3].decode(errors="ignore") + "…"


def _shortened(report: ZoneReport, most: int, few: int) -> ZoneReport:
    """Leave out findings beyond so many bytes, those of the namespaces of which most is to be said, again and again.

    In their place are digests of what fails, and where these are too much as well, the name of the namespace alone, by
    which others that are applied count as failing. So it is where more than a `few` fail. Messages don't count for
    which these are: who has few findings has them.
    """
    sizes, messages, failing = _weighed(report, few)
    gone: dict[str, Digests] = {}
    excess = sizes.total() + messages.total() - most
    largest = [(-size, namespace) for namespace, size in sizes.items()] if excess > 0 else []
    heapify(largest)
    while excess > 0 and largest:
        size, namespace = heappop(largest)
        others = report.overflow.get(namespace, _NONE)
        is_last = namespace in gone or (namespace in report.overflow and not others)
        digests = _NONE if is_last else others.with_keys(failing[namespace])
        if _size(namespace, digests) >= -size:
            digests = _NONE
        gone[namespace] = digests
        left = _size(namespace, digests)
        excess += left + size - messages.pop(namespace, 0)
        if digests:
            heappush(largest, (-left, namespace))
    return _without(report, {each: gone[each] for each in gone if each in report.overflow or failing[each]}, gone)


def _digested(report: ZoneReport) -> ZoneReport:
    """Digest also what fails where few do, if that is `LONGER`, where most is to be said first; all is known still.

    What is hardly shorter then is listed, and asks nobody else for room.
    """
    sizes, _messages, failing = _weighed(report, 0)
    if sizes.total() <= LONGER:
        return report
    found = {each: report.overflow.get(each, _NONE).with_keys(keys) for each, keys in failing.items()}
    listed = {each: sizes[each] for each in found if sizes[each] - _size(each, found[each]) >= WORTH}
    excess, gone = sum(listed.values()) - LONGER, dict[str, Digests]()
    for namespace in sorted(listed, key=lambda each: listed[each], reverse=True):
        if excess <= 0:
            break
        gone[namespace] = found[namespace]
        excess -= listed[namespace] - _size(namespace, found[namespace])
    return _without(report, gone, gone)


def _without(report: ZoneReport, digests: Mapping[str, Digests], namespaces: Container[str]) -> ZoneReport:
    """Leave out what is listed of some namespaces, for digests."""
    kept = {key: each for key, each in report.findings.items() if key.partition("/")[0] not in namespaces}
    return replace(report, findings=kept, overflow={**report.overflow, **digests})


def _weighed(report: ZoneReport, few: int) -> tuple[Counter[str], Counter[str], Mapping[str, Sequence[str]]]:
    """Give the bytes of keys and reasons, and of messages, and what fails, by namespace; not where only a `few` do."""
    sizes, messages, failing = Counter[str](), Counter[str](), defaultdict[str, list[str]](list)
    for namespace, digests in report.overflow.items():
        sizes[namespace] += _size(namespace, digests)
    for key, each in report.findings.items():
        namespace = key.partition("/")[0]
        sizes[namespace] += len(key) + len(each.reason) + 11
        messages[namespace] += len(msgspec.json.encode(each.message)) - 2
        if each.fails:
            failing[namespace].append(key)
    for namespace in list(sizes):  # what isn't cut asks nobody else for room
        if len(failing[namespace]) + len(report.overflow.get(namespace, _NONE)) <= few:
            del sizes[namespace], messages[namespace]
    return sizes, messages, failing


def _size(namespace: str, digests: Digests) -> int:
    """Give the bytes of a namespace in the overflow of a report."""
    return len(namespace) + 3 + (len(namespace) + len(str(digests)) + 6 if digests else 0)


def _encoded(report: ZoneReport) -> bytes:
    findings = {key: (each.reason, each.message) for key, each in report.findings.items()}
    digests = {namespace: str(each) for namespace, each in report.overflow.items() if each}
    wire = _Wire(report.zone, report.version, dict(report.pending), findings, sorted(report.overflow), digests)
    return msgspec.json.encode(wire)
