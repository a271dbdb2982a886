"""What a committed round means for one policy in one zone: the zone's condition.

In: a policy, the compiler's report on it, and what the database lacked. Out: a metav1 Condition `Ready-In-Zone-<zone>`.
Pure. Rule: a condition says what is so in the database now, for the generation that it names, and doesn't change while
pods merely come and go.
"""

import hashlib
import re
from collections.abc import Sequence
from enum import StrEnum
from sys import intern

from msgspec.structs import replace

from nqosd.api.networkqos import Condition, NetworkQoS
from nqosd.api.text import shortened
from nqosd.compiler.policy_reports import PolicyReport
from nqosd.compiler.room import MEMBERS, ROWS
from nqosd.northbound.results import Lacking

READY = "Ready"
"""The type of the condition over all zones."""
TYPE_PREFIX = "Ready-In-Zone-"
MAX_TYPE = 316
MAX_MESSAGE = 32768

TRUE = "True"
FALSE = "False"
UNKNOWN = "Unknown"
WARNING = " Warning: "
"""What stands in a message before the warnings."""

_NAME = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?")
_NOT_IN_NAME = re.compile(r"[^-A-Za-z0-9_.]")
DIGEST = 32
"""Hexadecimal digits: nobody finds two names that share so many."""
_DIGESTED = re.compile(rf"(.*-)?[0-9a-f]{{{DIGEST}}}", re.DOTALL)


class ConditionReason(StrEnum):
    """Why a condition is as it is; the first two are True, the last two Unknown, the others False."""

    APPLIED = "Applied"
    NO_SOURCE_PODS = "NoSourcePods"
    INVALID = "Invalid"
    TOO_LARGE = "TooLarge"
    TOO_MANY_TIES = "TooManyTies"
    WAITING_FOR_SWITCH = "WaitingForSwitch"
    BLOCKED = "Blocked"
    WAITING_FOR_ZONE = "WaitingForZone"
    ZONE_SILENT = "ZoneSilent"


_OF_ZONES = frozenset(f"{scope}{option}" for scope in ("", "namespace_") for option in (ROWS, MEMBERS))
"""Limits of what a policy comes to in a zone; all others are of what policies say."""
NOTHING_LACKING = Lacking()


def zone_name(zone: str, longest: int) -> str:
    """Give a zone's name as it may stand in a condition type or a field manager, never longer than `longest`.

    Names of nodes stay as they are. Any other name gets its wrong characters replaced and a digest added, so that two
    zones never share one.
    """
    return zone if len(zone) <= longest and stays(zone, _NAME) else digested(zone, _NOT_IN_NAME.sub("-", zone), longest)


def stays(zone: str, valid: re.Pattern[str]) -> bool:
    """Say whether a name is valid as it is, and isn't what `digested` may make of another one."""
    return valid.fullmatch(zone) is not None and not _DIGESTED.fullmatch(zone)


def digested(zone: str, readable: str, longest: int) -> str:
    """Give a name that no other zone has; it begins with what is `readable` of it."""
    digest = hashlib.sha256(zone.encode()).hexdigest()[:DIGEST]
    readable = readable[: longest - DIGEST - 1].strip("-_.")
    return f"{readable}-{digest}" if readable else digest


def condition_type(zone: str) -> str:
    """Give the type of a zone's condition: letters, digits, `-`, `_` and `.`, at most 316 characters."""
    return TYPE_PREFIX + zone_name(zone, MAX_TYPE - len(TYPE_PREFIX))


def condition(policy: NetworkQoS, report: PolicyReport, zone: str, lacking: Lacking = NOTHING_LACKING) -> Condition:
    """Say how a policy stands in a zone, without the time of its last transition (see `stamped`)."""
    reason = _reason(policy, report, lacking)
    return Condition(
        type=intern(condition_type(zone)),
        status=TRUE if reason in (ConditionReason.APPLIED, ConditionReason.NO_SOURCE_PODS) else FALSE,
        reason=reason.value,
        message=intern(_message(reason, report, lacking)),
        observed_generation=policy.generation,
    )


def fails_everywhere(report: PolicyReport) -> bool:
    """Say whether a policy isn't applied for what the policies alone say, so that every zone comes to the same."""
    return not report.ready and not any(problem.limit in _OF_ZONES for problem in report.problems)


def stamped(new: Condition, old: Condition | None, now: str) -> Condition:
    """Give a condition its transition time: that of the old one unless the status is another, then `now`."""
    kept = old is not None and old.status == new.status and old.last_transition_time
    return replace(new, last_transition_time=old.last_transition_time if old is not None and kept else now)


def _reason(policy: NetworkQoS, report: PolicyReport, lacking: Lacking) -> ConditionReason:
    if any(problem.limit for problem in report.problems):
        return ConditionReason.TOO_LARGE
    if policy.spec is None:
        return ConditionReason.INVALID
    if not report.ready:  # valid, and yet not compiled: it found no room among the policies of its priority
        return ConditionReason.TOO_MANY_TIES
    if lacking.obstacles:
        return ConditionReason.BLOCKED
    if lacking.switches:
        return ConditionReason.WAITING_FOR_SWITCH
    return ConditionReason.APPLIED if report.networks else ConditionReason.NO_SOURCE_PODS


def _message(reason: ConditionReason, report: PolicyReport, lacking: Lacking) -> str:
    match reason:
        case ConditionReason.APPLIED:
            text = f"In force on {_listed('network', report.networks)}."
        case ConditionReason.NO_SOURCE_PODS:
            text = "The policy is valid; it selects no pod in this zone."
        case ConditionReason.BLOCKED:
            text = _numbered(lacking.obstacles)
        case ConditionReason.WAITING_FOR_SWITCH:
            switches = _listed("logical switch", lacking.switches, plural="logical switches")
            text = f"Waiting for {switches}, not in the Northbound database yet."
        case _:
            text = _numbered([str(problem) for problem in report.problems])
    if report.warnings:
        text += WARNING + _numbered(report.warnings)
    return _clipped(text, MAX_MESSAGE)


def _numbered(sentences: Sequence[str]) -> str:
    """Put sentences on one line, since kubectl breaks none."""
    if len(sentences) == 1:
        return sentences[0]
    numbered = enumerate(shortened(sentences), 1)
    return " ".join(f"({number}) {sentence};" for number, sentence in numbered).removesuffix(";")


def _listed(noun: str, names: Sequence[str], *, plural: str = "") -> str:
    return f"{noun if len(names) == 1 else plural or noun + 's'} {', '.join(shortened(names))}"


def _clipped(text: str, longest: int) -> str:
    return text if len(text) <= longest else text[: longest - 1] + "…"
