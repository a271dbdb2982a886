"""`kubectl nqos explain`: which rule a packet takes, and why.

In: objects from the API server, and from the daemon of the pod's zone what its database holds. Out: as `nqosd explain`.
Rule: without a word of the daemon there is an answer all the same, from the objects and every option's default; that is
said on standard error, and by exit code 1.
"""

import argparse

from nqosd.cache.tables import Tables
from nqosd.commands.exits import FAILED, OK, UsageError
from nqosd.commands.explain import answer, question_of
from nqosd.commands.explain_found import Found
from nqosd.commands.explain_live import answer as answer_live
from nqosd.commands.gathering import GatherError, list_objects
from nqosd.commands.kubectl.pod_proxy import Cluster, ClusterError, cluster
from nqosd.commands.kubectl.zones import find_zones
from nqosd.commands.output import complain
from nqosd.commands.table import NEWEST_OVN
from nqosd.compiler.settings import Settings, parse_ovn_version
from nqosd.explain.decide import explain
from nqosd.explain.question import PodQuestion, Question, QuestionError
from nqosd.explain.world import World
from nqosd.informers.reflector_steps import ReflectorOptions
from nqosd.runtime import interrupts

UNSURE = "so what the database holds isn't known, and the daemon's options are taken to be the defaults"


def run(options: argparse.Namespace) -> int:
    """Run the command."""
    try:
        found, problem = interrupts.run(_explained(options))
    except QuestionError as error:
        raise UsageError(error) from error
    if problem:
        complain(f"{problem}\n{UNSURE}")
    answer(found, options)
    return FAILED if problem else OK


async def _explained(options: argparse.Namespace) -> tuple[Found, str]:
    """Give the answer, and why no daemon had a part in it; empty if one had."""
    async with cluster(options) as there:
        question = question_of(options, options.namespace or await there.namespace())
        tables = await list_objects(there.client, ReflectorOptions())
        try:
            return await _with_daemon(question, tables, there, options), ""
        except (ClusterError, GatherError) as error:
            return _without_daemon(question, tables), str(error)


async def _with_daemon(
    question: Question | PodQuestion, tables: Tables, there: Cluster, options: argparse.Namespace
) -> Found:
    pod = tables.pods.get(question.pod)
    node = None if pod is None else tables.nodes.get(pod.node)
    zones = await find_zones(there, options)
    speaker = next((one for one in zones.speakers if node is None or one.is_for(node)), None)
    if speaker is None:
        raise ClusterError("\n".join(zones.problems) or f"no daemon is for pod {question.pod}")
    return answer_live(question, tables, await zones.database(speaker))


def _without_daemon(question: Question | PodQuestion, tables: Tables) -> Found:
    pod = tables.pods.get(question.pod)
    node = None if pod is None else tables.nodes.get(pod.node)
    settings = Settings(zone="" if node is None else node.zone, ovn=parse_ovn_version(NEWEST_OVN))
    return Found(explain(question, World.of(tables, settings)))
