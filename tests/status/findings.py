"""What a zone's report lists of policies that stand in some way."""

from collections.abc import Iterable

from nqosd.api.networkqos import Condition
from nqosd.status.digests import Digests
from nqosd.status.zone_report import NamespaceFindings, ZoneFinding, finding_of, together


def listed_of(
    conditions: Iterable[tuple[str, Condition]],
) -> tuple[dict[str, ZoneFinding], dict[str, Digests]]:
    """Give what is listed of policies, by key, and the namespaces of which more fails."""
    findings: dict[str, dict[str, ZoneFinding]] = {}
    for key, condition in conditions:
        finding = finding_of(condition)
        if finding is not None:
            findings.setdefault(key.partition("/")[0], {})[key] = finding
    return together({namespace: NamespaceFindings.of(mine) for namespace, mine in findings.items()})
