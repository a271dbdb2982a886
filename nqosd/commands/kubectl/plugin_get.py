"""`kubectl nqos get`: what the daemons of all zones know and do.

In: daemons, through the API server's proxy. Out: a table or JSON as `nqosd get` has it, with the zone of each entry;
exit code 1 if something couldn't be reached. Rule: what couldn't is said once, on standard error.
"""

import argparse
import asyncio
from typing import Any

import msgspec

from nqosd.commands.exits import FAILED, OK
from nqosd.commands.get import follow
from nqosd.commands.get_tables import keys
from nqosd.commands.kubectl.pod_proxy import Cluster, cluster
from nqosd.commands.kubectl.zones import Speaker, find_zones
from nqosd.commands.output import complain
from nqosd.runtime.interrupts import interruptible


def run(options: argparse.Namespace) -> int:
    """Run the command."""
    options.with_zone = True
    said: set[str] = set()
    with asyncio.Runner() as runner:
        connection = cluster(options)
        there = runner.run(interruptible(connection.__aenter__()))

        def get(what: str) -> Any:  # noqa: ANN401 - what the path has
            entries, problems = runner.run(interruptible(_ask(there, what, options)))
            for each in problems:
                if each not in said:
                    complain(each)
            said.clear()  # what is over and comes back is said again
            said.update(problems)
            return entries

        try:
            if options.what == "policy":  # its name alone means what it means to kubectl
                options.home = runner.run(interruptible(there.namespace()))
            code = follow(get, options)
        finally:
            runner.run(connection.__aexit__(None, None, None))
    return code or (FAILED if said else OK)


async def _ask(there: Cluster, what: str, options: argparse.Namespace) -> tuple[list[dict[str, Any]], list[str]]:
    """Give the entries of all zones, and what couldn't be reached."""
    zones = await find_zones(there, options)

    async def state(speaker: Speaker) -> Any:  # noqa: ANN401 - what the path has
        return msgspec.json.decode(await zones.state(speaker, what))

    found, problems = await zones.ask(state)
    lists = [(one.zone, state if isinstance(state, list) else [state]) for one, state in found]
    entries = [{"zone": zone, **entry} for zone, entries in lists for entry in entries]
    if not what.startswith("policy/"):
        entries.sort(key=lambda entry: keys(what, entry))
    return entries, problems
