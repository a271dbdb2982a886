"""`nqosd explain`: which rule a packet takes, and why.

In: a packet of a pod, and manifests or a configuration. Out: text or JSON; exit code 0 if there is an answer, 2 for a
question that makes no sense, 1 if what it takes to answer isn't to be had. Rule: offline nothing is contacted; live
nothing is written.
"""

import argparse
import asyncio
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from nqosd.commands.colour import Painter
from nqosd.commands.configuration import add_config, load_config
from nqosd.commands.exits import BAD_CONFIG, FAILED, OK, USAGE
from nqosd.commands.output import complain, say
from nqosd.config import ConfigError
from nqosd.explain.question import Question, QuestionError, Transport, ask

if TYPE_CHECKING:
    from nqosd.commands import Subparsers
    from nqosd.commands.explain_found import Found

NEWEST_OVN = "26.03"


def add(commands: "Subparsers") -> None:
    """Declare the command."""
    parser = commands.add_parser(
        "explain",
        help="say which rule a packet takes, and why",
        description="Say which policies select a pod and which don't, which rule a packet of it takes, which rules "
        "lose, and the row, priority, DSCP and limit. With PATHs and no --config it answers from manifests and "
        "contacts nothing; otherwise it looks into the Northbound database (and takes the objects from PATHs, or from "
        "where the daemon takes them).",
    )
    parser.add_argument("--pod", required=True, metavar="NAMESPACE/NAME", help="the pod that sends")
    parser.add_argument("--to", required=True, metavar="ADDRESS", help="the destination")
    parser.add_argument("--proto", required=True, choices=[each.value for each in Transport], help="what it carries")
    parser.add_argument("--port", type=int, default=None, metavar="N", help="the destination port of tcp, udp and sctp")
    parser.add_argument("--network", default=None, metavar="NAME", help="the network (default: each of the pod's)")
    parser.add_argument(
        "--from", dest="source", default=None, metavar="ADDRESS", help="the source (default: the pod's own address)"
    )
    parser.add_argument("--format", choices=["text", "json"], default="text", help="default: text")
    parser.add_argument("--all", action="store_true", help="in text, list policies of other namespaces too")
    add_config(parser)
    parser.add_argument(
        "--southbound", default=None, metavar="REMOTE", help="look for the row's flows in this database as well"
    )
    parser.add_argument("--zone", default="", metavar="Z", help="offline: a zone's name (default: the whole cluster)")
    parser.add_argument(
        "--ovn-version", default=NEWEST_OVN, metavar="V", help=f"offline: the release of OVN (default: {NEWEST_OVN})"
    )
    parser.add_argument(
        "--unselected-networks",
        choices=["all", "default"],
        default="all",
        help="offline: the networks of a policy without networkSelectors (default: all)",
    )
    parser.add_argument("paths", nargs="*", metavar="PATH", type=Path, help="a manifest, or a folder of manifests")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Run the command."""
    try:
        question = ask(
            options.pod,
            options.to,
            Transport(options.proto),
            port=options.port,
            network=options.network,
            source=options.source,
        )
        if options.paths and options.config is None:
            return _show(_offline(options, question), options)
        return _live(options, question)
    except QuestionError as error:
        complain(f"nqosd explain: {error}")
        return USAGE


def _offline(options: argparse.Namespace, question: Question) -> "Found":
    """Answer from manifests."""
    from nqosd.commands.explain_found import Found  # noqa: PLC0415 - nothing that takes time before there is a question
    from nqosd.compiler.settings import Settings, parse_ovn_version  # noqa: PLC0415
    from nqosd.explain.decide import explain  # noqa: PLC0415
    from nqosd.explain.world import World  # noqa: PLC0415
    from nqosd.informers.manifests import read_manifests  # noqa: PLC0415
    from nqosd.offline import tables_of  # noqa: PLC0415

    if options.southbound is not None:
        raise QuestionError("--southbound: a row is found there by its uuid in the Northbound database; add --config")
    version = parse_ovn_version(options.ovn_version)
    if version is None:
        raise QuestionError(f"--ovn-version {options.ovn_version}: not a release of OVN; write it as in 24.09")
    manifests = read_manifests(options.paths)
    if manifests.problems:
        raise QuestionError("\n".join(map(str, manifests.problems)))
    settings = Settings(zone=options.zone, ovn=version, any_network=options.unselected_networks == "all")
    return Found(explain(question, World.of(tables_of(manifests), settings)))


def _live(options: argparse.Namespace, question: Question) -> int:
    """Answer from the database, and the cluster or manifests."""
    try:
        config = load_config(options.config)
    except ConfigError as error:
        complain(error)
        return BAD_CONFIG
    from nqosd.commands.explain_live import look  # noqa: PLC0415
    from nqosd.commands.gathering import GatherError  # noqa: PLC0415
    from nqosd.telemetry import logs  # noqa: PLC0415

    logs.configure("error", config.log.format)
    try:
        return _show(asyncio.run(look(question, config, options.paths, options.southbound)), options)
    except GatherError as error:
        complain(f"nqosd explain: {error}")
        return FAILED


def _show(found: "Found", options: argparse.Namespace) -> int:
    from nqosd.commands.explain_document import document  # noqa: PLC0415
    from nqosd.commands.explain_text import text  # noqa: PLC0415

    if options.format == "json":
        say(json.dumps(document(found), indent=2, ensure_ascii=False))
    else:
        paint = Painter.of(sys.stdout)
        paint.say(*text(found, paint, everything=options.all))
    return OK
