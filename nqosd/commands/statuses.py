"""Takes back what a zone has said of policies in Kubernetes.

In: a configuration and a zone. Out: how many policies' statuses say nothing of nqosd any more. Rule: as long as another
zone reports, its daemons say what is so, and only this zone's report goes.
"""

import time

from nqosd.commands.gathering import GatherError, gather_objects
from nqosd.config import Config
from nqosd.daemon.daemon_options import kube_options, report_namespace
from nqosd.daemon.publisher import WHOLE_CLUSTER
from nqosd.kube.client import KubeClient
from nqosd.kube.writes import FORBIDDEN, NOT_FOUND, Answer, send
from nqosd.status.entry import Removal, is_ours
from nqosd.status.leases import ELECTION, Leases, report_name
from nqosd.status.writer import PATCH


async def withdraw(config: Config, zone: str) -> int:
    """Remove the report of a zone; if it was the last one, take back the statuses of all policies.

    Raises:
        GatherError: the policies or reports can't be listed, or something can't be written.
    """
    tables = await gather_objects(config)
    withdrawn = 0
    async with KubeClient(kube_options(config)) as client:
        leases = Leases(client, report_namespace(config))
        _check(await leases.remove(report_name(zone or WHOLE_CLUSTER)), "the zone's report", FORBIDDEN)
        answer, listed = await leases.reports()
        _check(answer, "the reports of zones", FORBIDDEN)
        if listed is not None and not all(each.is_old(time.time()) for each in listed.renewals.values()):
            return 0
        for name in (ELECTION, *(listed.names.values() if listed is not None else ())):
            _check(await leases.remove(name), f"the Lease {name}", FORBIDDEN)
        for policy in tables.policies.values():
            if any(map(is_ours, policy.status.conditions)):
                removal = Removal(policy)
                answer = await send(
                    client, "PATCH", removal.path, removal.body, query=removal.query, content_type=PATCH
                )
                _check(answer, f"the status of NetworkQoS {policy.key}")
                withdrawn += 1
    return withdrawn


def _check(answer: Answer, what: str, *borne: int) -> None:
    if not answer.accepted and answer.status not in (NOT_FOUND, *borne):
        raise GatherError(f"{what} can't be written or read: {answer.message}")
