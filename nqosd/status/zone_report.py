"""A zone's report: up to which resource version every NetworkQoS is applied there, and which ones aren't.

In: how each policy stands in the zone. Out: a `ZoneReport`, and its text as it stands in an annotation of a Lease.
Pure. Rule: what a report doesn't name, and what isn't newer than it reaches, is applied; so whatever makes a report too
long is named by its namespace, and costs nobody else.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet

import msgspec
from msgspec.structs import replace

from nqosd.api.networkqos import Condition
from nqosd.status.conditions import TRUE, WARNING, ConditionReason

SAME_EVERYWHERE = frozenset({ConditionReason.INVALID, ConditionReason.TOO_MANY_TIES})
"""Reasons that follow from the policies alone: every zone comes to the same, and none needs to report it."""
MAX_MESSAGE = 512
"""Bytes of a message in a report, and in the condition of a zone."""
DETAILED = 20
"""How many findings have messages."""
OF_NAMESPACE = 50
"""How many findings of one namespace are listed."""
LARGEST = 200_000
"""Bytes of a report; all annotations of an object together may have 262,144."""


class ZoneFinding(msgspec.Struct, frozen=True):
    """Why a policy isn't applied in a zone; or, of one that is, what people are warned of."""

    reason: str
    message: str = ""

    @property
    def fails(self) -> bool:
        """Say whether the policy isn't applied."""
        return self.reason != ConditionReason.APPLIED


class ZoneReport(msgspec.Struct, frozen=True):
    """What a zone says of all policies; `pending`: up to where namespaces are done that have something to write yet.

    Of the namespaces in `overflow` more policies fail than are listed.
    """

    zone: str
    version: int
    pending: Mapping[str, int] = {}
    findings: Mapping[str, ZoneFinding] = {}
    overflow: frozenset[str] = frozenset()

    def reaches(self, namespace: str) -> int:
        """Give the resource version up to which the policies of a namespace are applied, but for the findings."""
        return self.pending.get(namespace, self.version)

    def encode(self) -> str:
        """Give the report as text."""
        text = _encoded(self)
        if len(text) > LARGEST:
            namespaces = {key.partition("/")[0] for key, each in self.findings.items() if each.fails}
            short = replace(self, findings={}, overflow=self.overflow | namespaces)
            if len(text := _encoded(short)) > LARGEST:
                short = replace(short, pending={}, version=min([self.version, *self.pending.values()]))
            if len(text := _encoded(short)) > LARGEST:  # who can't say what fails has looked at nothing
                text = _encoded(replace(short, overflow=frozenset(), version=0))
        return text.decode()


class _Wire(msgspec.Struct):
    zone: str
    version: int
    pending: dict[str, int] = {}
    findings: dict[str, tuple[str, str]] = {}
    overflow: list[str] = []


_decoder = msgspec.json.Decoder(_Wire)


def decode_report(text: str) -> ZoneReport | None:
    """Read a report; None if it isn't one."""
    try:
        wire = _decoder.decode(text)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return None
    findings = {key: ZoneFinding(*each) for key, each in wire.findings.items()}
    return ZoneReport(wire.zone, wire.version, wire.pending, findings, frozenset(wire.overflow))


def findings_of(
    conditions: Iterable[tuple[str, Condition]], left_out: AbstractSet[str] = frozenset()
) -> tuple[dict[str, ZoneFinding], frozenset[str]]:
    """Give what a zone has to report of its policies, by key, and the namespaces that have more of it.

    What is `left_out` because the compiler fails on it is invalid here, and perhaps nowhere else.
    """
    found: dict[str, ZoneFinding] = {}
    overflow = set[str]()
    counts = Counter[tuple[str, bool]]()
    for key, condition in conditions:
        finding = _finding(condition, is_ours=key in left_out)
        if finding is None:
            continue
        namespace = key.partition("/")[0]
        counts[namespace, finding.fails] += 1
        if counts[namespace, finding.fails] > OF_NAMESPACE:
            overflow |= {namespace} if finding.fails else set()
        else:
            found[key] = finding if len(found) < DETAILED else replace(finding, message="")
    return {key: each for key, each in found.items() if each.fails or each.message}, frozenset(overflow)


def clipped(text: str, longest: int = MAX_MESSAGE) -> str:
    """Cut a text to so many bytes, not in the middle of a character."""
    data = text.encode()
    return text if len(data) <= longest else data[: longest - 3].decode(errors="ignore") + "…"


def _finding(condition: Condition, *, is_ours: bool) -> ZoneFinding | None:
    if condition.status == TRUE:
        _applied, warned, warnings = condition.message.partition(WARNING)
        return ZoneFinding(ConditionReason.APPLIED, clipped(warnings)) if warned else None
    if condition.reason in SAME_EVERYWHERE and not is_ours:
        return None
    return ZoneFinding(condition.reason, clipped(condition.message))


def _encoded(report: ZoneReport) -> bytes:
    findings = {key: (each.reason, each.message) for key, each in report.findings.items()}
    wire = _Wire(report.zone, report.version, dict(report.pending), findings, sorted(report.overflow))
    return msgspec.json.encode(wire)
