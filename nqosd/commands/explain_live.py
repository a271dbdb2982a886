"""An explanation with the databases' word on it: is the row there, and are its flows?

In: a question, a configuration. Out: `Found`. Rule: only rows of rules that match are looked for; nothing is written.
"""

from collections.abc import Sequence
from pathlib import Path

from nqosd.commands.explain_found import Found
from nqosd.commands.gathering import GatherError, gather_database, gather_objects
from nqosd.commands.offline import zone_problem
from nqosd.commands.presence import presence
from nqosd.commands.southbound import SouthboundError, find_flows
from nqosd.compiler.desired import QosRow
from nqosd.config import Config
from nqosd.daemon.daemon_options import northbound_options
from nqosd.explain.decide import explain
from nqosd.explain.question import Question, QuestionError
from nqosd.explain.verdict import Explanation
from nqosd.explain.world import World
from nqosd.ovsdb.remotes import Remote


async def look(question: Question, config: Config, paths: Sequence[Path], southbound: str | None) -> Found:
    """Answer a question, and look into the databases.

    Raises:
        GatherError: the objects or a database aren't to be had.
        QuestionError: the pod isn't there or not on that network, or the remote isn't one.
    """
    try:
        remote = None if southbound is None else Remote(southbound)
    except ValueError as error:
        raise QuestionError(f"--southbound: {error}") from error
    tables = await gather_objects(config, paths)
    database = await gather_database(config)
    if problem := zone_problem(tables, database.settings.zone):
        raise GatherError(problem)
    world = World.of(tables, database.settings, database.replica.switches)
    explanation = explain(question, world)
    owner = database.settings.owner
    wanted = _rows(explanation)
    rows = {row.key: presence(row, world.desired, database.replica, owner) for row in wanted}
    flows = {}
    for row in wanted:
        if remote is not None and rows[row.key].uuid:
            try:
                tls = northbound_options(config).tls
                flows[row.key] = await find_flows(remote, rows[row.key].uuid, row.match, tls=tls)
            except SouthboundError as error:
                raise GatherError(f"--southbound: {error}") from error
    return Found(explanation, rows, flows)


def _rows(explanation: Explanation) -> list[QosRow]:
    return [rule.row for each in explanation.attachments for rule in each.matching if rule.row is not None]
