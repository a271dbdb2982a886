"""What `nqosd doctor` sees of all zones: whether each of those that report goes on to.

In: an API server, and the time there. Out: a result. Rule: a zone is silent when its Lease is older than the daemons
allow; that no zone has reported yet is no fault.
"""

from nqosd.api.text import shortened
from nqosd.commands.doctor_results import CheckResult, failed, ok, skipped
from nqosd.kube.writes import ApiClient
from nqosd.status.leases import Leases
from nqosd.status.reports import OLD

ZONES = "zones"


async def look_at_zones(client: ApiClient, namespace: str, now: float) -> CheckResult:
    """Look at the reports in the Leases of a namespace; `now` in seconds since the epoch."""
    about = f"Leases of the namespace {namespace}"
    answer, listed = await Leases(client, namespace).reports()
    if listed is None:
        return skipped(ZONES, about, f"they can't be listed: {answer.reason} {answer.message}")
    renewals = sorted(listed.renewals.items())
    if silent := [f"{zone} (since {each.renewed})" for zone, each in renewals if each.is_old(now)]:
        way_out = "see that a daemon runs there and reaches the API server; nqosd doctor there says what is in the way"
        found = "silent, so that policies with senders there are not Ready"
        return failed(ZONES, ", ".join(shortened(silent)), found, way_out)
    if not renewals:
        return skipped(ZONES, about, "no zone has reported yet")
    return ok(ZONES, about, f"{len(renewals)} report, none is older than {OLD:g} s")
