"""Policies and reports for the tests of this package."""

from nqosd.api.networkqos import Condition, EgressRule, NetworkQoS, NetworkQoSSpec, NetworkQoSStatus
from nqosd.api.problems import Problem
from nqosd.compiler.policy_reports import PolicyReport
from nqosd.status.conditions import READY
from nqosd.status.readiness import APPLIED, StatusVerdict, ZoneCounts

BAD_CIDR = Problem("spec.egress[0].classifier.to[0].ipBlock.cidr", "'bogus' is not a CIDR")


def policy(
    generation: int = 1, *, valid: bool = True, uid: str = "u-1", status: NetworkQoSStatus | None = None
) -> NetworkQoS:
    """Give the policy team-a/video."""
    return NetworkQoS(
        "team-a",
        "video",
        uid=uid,
        generation=generation,
        spec=NetworkQoSSpec(priority=10, egress=(EgressRule(dscp=20),)) if valid else None,
        problems=() if valid else (BAD_CIDR,),
        status=status or NetworkQoSStatus(),
    )


def report(
    *networks: str, ready: bool = True, problems: tuple[Problem, ...] = (), warnings: tuple[str, ...] = ()
) -> PolicyReport:
    """Give a report on team-a/video, which has source pods on these networks."""
    return PolicyReport(
        "team-a",
        "video",
        ready=ready,
        problems=problems,
        warnings=warnings,
        networks=networks,
        switches=tuple(f"{network}_node" for network in networks),
        rows=len(networks),
    )


INVALID = report(ready=False, problems=(BAD_CIDR,))


def zone_condition(zone: str, status: str = "True", *, generation: int = 1, message: str = "m") -> Condition:
    """Give a condition as a zone's daemon writes it."""
    reason = "Applied" if status == "True" else "WaitingForSwitch"
    return Condition(f"Ready-In-Zone-{zone}", status, reason, message, generation, "2026-11-24T00:00:00Z")


ONE = ZoneCounts(1, 1)


def verdict(
    status: str = "True",
    *,
    reason: str = "Applied",
    generation: int = 1,
    message: str = "m",
    zones: tuple[Condition, ...] = (),
    counts: ZoneCounts = ONE,
    kept: frozenset[str] = frozenset(),
) -> StatusVerdict:
    """Give what the status of a policy should say; the summary is the guide's, or the message."""
    ready = Condition(READY, status, reason, message, generation)
    return StatusVerdict(APPLIED if status == "True" else message, (ready, *zones), counts, kept)


WAITING = verdict("False", reason="WaitingForSwitch", message="Not applied in zone z: Waiting for logical switch x")
