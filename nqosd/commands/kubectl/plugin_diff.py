"""`kubectl nqos diff`: what the daemons of all zones would change in their databases now.

In: objects from the API server, and from each daemon what its database holds. Out: as `nqosd diff`, zone by zone; exit
code 1 if something couldn't be reached, else 3 if anything differs. Rule: what there should be is worked out here, from
the objects, and not asked of the daemon.
"""

import argparse
import asyncio
from typing import TypedDict

from nqosd.commands.diff import Differences, compiled_for, differences, tell
from nqosd.commands.differences import Section
from nqosd.commands.exits import DIFFERENT, FAILED, OK
from nqosd.commands.gathering import list_objects
from nqosd.commands.get_tables import zone_of
from nqosd.commands.kubectl.pod_proxy import cluster
from nqosd.commands.kubectl.zones import Speaker, find_zones
from nqosd.commands.output import complain, show
from nqosd.informers.reflector_steps import ReflectorOptions
from nqosd.runtime import interrupts


class ZoneDifferences(TypedDict):
    """What `nqosd diff` prints, for a zone; its name is empty for the whole cluster."""

    zone: str
    differences: list[Section]
    notes: list[str]


def run(options: argparse.Namespace) -> int:
    """Run the command."""
    found, problems = interrupts.run(_compare(options))
    for each in problems:
        complain(each)
    if options.format == "json":
        show(found)
    else:
        for zone in found:
            tell(Differences(differences=zone["differences"], notes=zone["notes"]), zone_of({"zone": zone["zone"]}))
    differs = any(each["differences"] for each in found)
    return FAILED if problems else DIFFERENT if differs else OK


async def _compare(options: argparse.Namespace) -> tuple[list[ZoneDifferences], list[str]]:
    """Compare zone by zone; gives what couldn't be reached as well."""
    async with cluster(options) as there:
        zones = await find_zones(there, options)
        tables = await list_objects(there.client, ReflectorOptions())

        async def compare(speaker: Speaker) -> ZoneDifferences:
            database = await zones.database(speaker)
            found = await asyncio.to_thread(lambda: differences(compiled_for(tables, database), database))
            return ZoneDifferences(zone=speaker.zone, **found)

        answers, problems = await zones.ask(compare)
    return [found for _speaker, found in answers], problems
