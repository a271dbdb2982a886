"""An explanation with the databases' word on it: is the row there, and are its flows?

In: a question, a configuration. Out: `Found`. Rule: only rows of rules that match are looked for; nothing is written.
"""

from collections.abc import Sequence
from pathlib import Path

from msgspec.structs import replace

from nqosd.cache.tables import Tables
from nqosd.commands.explain_found import Found
from nqosd.commands.gathering import Database, GatherError, gather_database, gather_objects
from nqosd.commands.offline import zone_problem
from nqosd.commands.presence import presence
from nqosd.commands.southbound import SouthboundError, find_flows
from nqosd.compiler.desired import QosRow
from nqosd.config import Config
from nqosd.daemon.daemon_options import northbound_options
from nqosd.explain.decide import explain
from nqosd.explain.question import PodQuestion, Question, QuestionError
from nqosd.explain.verdict import Explanation
from nqosd.explain.world import World
from nqosd.ovsdb.remotes import Remote


async def look(
    question: Question | PodQuestion, config: Config, paths: Sequence[Path], southbound: str | None
) -> Found:
    """Answer a question, and look into the databases.

    Raises:
        GatherError: the objects or a database aren't to be had.
        QuestionError: the pod isn't there or not on that network, or the remote isn't one.
    """
    try:
        remote = None if southbound is None else Remote(southbound)
    except ValueError as error:
        raise QuestionError(f"--southbound: {error}") from error
    found = answer(question, await gather_objects(config, paths), await gather_database(config))
    flows = {}
    for row in _rows(found.explanation):
        if remote is not None and (uuid := found.rows[row.key].uuid):
            try:
                flows[row.key] = await find_flows(remote, uuid, row.match, tls=northbound_options(config).tls)
            except SouthboundError as error:
                raise GatherError(f"--southbound: {error}") from error
    return replace(found, flows=flows)


def answer(question: Question | PodQuestion, tables: Tables, database: Database) -> Found:
    """Answer a question, and look whether the rows of rules that match are in the Northbound database.

    Raises:
        GatherError: nothing is known about the database's zone.
        QuestionError: the pod isn't there or not on that network.
    """
    if problem := zone_problem(tables, database.settings.zone):
        raise GatherError(problem)
    world = World.of(tables, database.settings, database.replica.switches)
    explanation, owner = explain(question, world), database.settings.owner
    rows = {row.key: presence(row, world.desired, database.replica, owner) for row in _rows(explanation)}
    return Found(explanation, rows)


def _rows(explanation: Explanation) -> list[QosRow]:
    return [rule.row for each in explanation.attachments for rule in each.matching if rule.row is not None]
