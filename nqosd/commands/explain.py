"""`nqosd explain`: which rule a packet takes, and why.

In: a packet of a pod, and manifests or a configuration. Out: text or JSON; exit code 0 if there is an answer, 2 for a
question that makes no sense, 1 if what it takes to answer isn't to be had. Rule: offline nothing is contacted; live
nothing is written.
"""

import argparse
import sys

from nqosd.commands.colour import Painter
from nqosd.commands.configuration import configuration
from nqosd.commands.exits import OK, UsageError
from nqosd.commands.explain_document import document
from nqosd.commands.explain_found import Found
from nqosd.commands.explain_text import text
from nqosd.commands.matches import shown
from nqosd.commands.offline import tables_of, zone_problem
from nqosd.commands.output import show
from nqosd.compiler.settings import Settings, parse_ovn_version, zone_name
from nqosd.explain.decide import explain
from nqosd.explain.question import PodQuestion, Question, QuestionError, Transport, ask
from nqosd.explain.world import World
from nqosd.informers.manifests.paths import read_manifests
from nqosd.runtime import interrupts


def run(options: argparse.Namespace) -> int:
    """Run the command."""
    try:
        question = question_of(options)
        is_offline = options.paths and options.config is None
        found = _offline(options, question) if is_offline else _live(options, question)
    except QuestionError as error:
        raise UsageError(error) from error
    answer(found, options)
    return OK


def question_of(options: argparse.Namespace, namespace: str = "") -> Question | PodQuestion:
    """Read the question; pods without a namespace are in this one.

    Raises:
        QuestionError: it makes no sense.
    """
    return ask(
        options.pod,
        options.to,
        None if options.proto is None else Transport(options.proto),
        port=options.port,
        network=options.network,
        source=options.source,
        namespace=namespace,
    )


def answer(found: Found, options: argparse.Namespace) -> None:
    """Print the answer."""
    if options.format == "json":
        show(document(found))
    else:
        paint = Painter.of(sys.stdout)
        paint.say(*text(found, paint, everything=options.all, show=shown(options, len("    row: "))))


def _offline(options: argparse.Namespace, question: Question | PodQuestion) -> Found:
    """Answer from manifests."""
    if options.southbound is not None:
        raise QuestionError("--southbound: a row is found there by its uuid in the Northbound database; add --config")
    version = parse_ovn_version(options.ovn_version)
    if version is None:
        raise QuestionError(f"--ovn-version {options.ovn_version}: not a release of OVN; write it as in 24.09")
    manifests = read_manifests(options.paths)
    if manifests.problems:
        raise QuestionError("\n".join(map(str, manifests.problems)))
    tables, zone = tables_of(manifests), zone_name(options.zone or "")
    if problem := zone_problem(tables, zone):
        raise UsageError(f"--zone: {problem}")
    settings = Settings(zone=zone, ovn=version, any_network=options.unselected_networks == "all")
    return Found(explain(question, World.of(tables, settings)))


def _live(options: argparse.Namespace, question: Question | PodQuestion) -> Found:
    """Answer from the database, and the cluster or manifests."""
    from nqosd.commands.explain_live import look  # noqa: PLC0415 - what speaks with others takes long to import

    config = configuration(options)
    return interrupts.run(look(question, config, options.paths, options.southbound))
