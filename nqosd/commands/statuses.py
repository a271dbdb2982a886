"""Takes back what a zone has written into the status of policies.

In: a configuration and a zone. Out: how many policies said something for that zone and do so no more. Rule: it applies
nothing in the name of the zone's field managers, so only what they own goes.
"""

from nqosd.commands.gathering import GatherError, gather_objects
from nqosd.config import Config
from nqosd.daemon.daemon_options import kube_options
from nqosd.daemon.publisher import WHOLE_CLUSTER
from nqosd.kube.client import KubeClient
from nqosd.kube.writes import NOT_FOUND
from nqosd.status.conditions import condition_type
from nqosd.status.entry import Removal
from nqosd.status.writer import send_removal


async def withdraw(config: Config, zone: str) -> int:
    """Take back the condition of a zone, and the summary where nobody else says it.

    Raises:
        GatherError: the policies can't be listed, or a status can't be written.
    """
    mine = condition_type(zone or WHOLE_CLUSTER)
    tables = await gather_objects(config)
    withdrawn = 0
    async with KubeClient(kube_options(config)) as client:
        for policy in tables.policies.values():
            found = [each for each in policy.status.conditions if each.type == mine]
            if not found:
                continue
            answer = await send_removal(client, Removal(policy, found[0]), until_accepted=True)
            if not answer.accepted and answer.status != NOT_FOUND:
                raise GatherError(f"the status of NetworkQoS {policy.key} can't be written: {answer.message}")
            withdrawn += 1
    return withdrawn
