"""The command `nqosd`: arguments in, exit codes out.

Exit codes: see `nqosd.commands.exits`. Rule: what a command has to say goes to standard output, what went wrong to
standard error.
"""

import argparse
import asyncio
from collections.abc import Sequence
from pathlib import Path

from nqosd import __version__, collector
from nqosd.commands import Command, Run, adopt, cleanup, diff, explain, get, stats, takeover, top
from nqosd.commands.configuration import DEFAULT_CONFIG, add_config, load_config, service_path
from nqosd.commands.exits import BAD_CONFIG, FAILED, OK, USAGE
from nqosd.commands.output import complain, say
from nqosd.compiler.rendering import Format
from nqosd.config import ConfigError

__all__ = ["BAD_CONFIG", "FAILED", "OK", "USAGE", "main"]

NEWEST_OVN = "26.03"

OTHERS: tuple[Command, ...] = (explain, diff, get, stats, top, adopt, takeover, cleanup)
"""The commands that live in modules of their own."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; gives its exit code."""
    options = _parser().parse_args(arguments)
    command: Run = options.run
    return command(options)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="nqosd",
        description="Keeps the QoS rows and address sets of an OVN Northbound database equal to the NetworkQoS objects "
        "of a Kubernetes cluster.",
        epilog="Exit codes: 0 all is well; 1 a policy is not ready, the daemon has failed, or what was asked couldn't "
        "be found out; 2 unusable arguments or manifests, or diff found a difference; 78 unusable configuration.",
    )
    parser.add_argument("--version", action="version", version=f"nqosd {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    run = commands.add_parser("run", help="run the daemon", description="Run the daemon until SIGTERM. SIGHUP reloads.")
    add_config(run)
    run.set_defaults(run=lambda options: _run(options.config))

    check = commands.add_parser(
        "check-config",
        help="check a configuration file",
        description="Check a configuration file and say what is wrong.",
    )
    add_config(check)
    check.set_defaults(run=lambda options: _check_config(options.config))

    compile_ = commands.add_parser(
        "compile",
        help="print what the daemon would write for some manifests",
        description="Read manifests (YAML or JSON, several documents, Lists; NetworkQoS, Pod, Namespace, Node, "
        "NetworkAttachmentDefinition, UserDefinedNetwork, ClusterUserDefinedNetwork; other kinds are left out) "
        "and print the rows and sets that the daemon would write. Nothing is contacted. "
        "Exit code 1 if a policy is not ready.",
    )
    compile_.add_argument("paths", nargs="+", metavar="PATH", type=Path, help="a manifest, or a folder of manifests")
    compile_.add_argument("--zone", default="", metavar="Z", help="a zone's name (default: the whole cluster)")
    compile_.add_argument(
        "--ovn-version",
        default=NEWEST_OVN,
        metavar="V",
        help=f"the release of OVN, such as 23.03; before 24.09 some rows need a shield (default: {NEWEST_OVN})",
    )
    compile_.add_argument(
        "--format", choices=[each.value for each in Format], default=Format.TABLE.value, help="default: table"
    )
    compile_.add_argument(
        "--instance", default="nqosd", metavar="ID", help="the owner written into external_ids (default: nqosd)"
    )
    compile_.add_argument(
        "--unselected-networks",
        choices=["all", "default"],
        default="all",
        help="the networks of a policy without networkSelectors (default: all)",
    )
    compile_.set_defaults(run=_compile)
    for other in OTHERS:
        other.add(commands)
    return parser


def _run(path: Path | None) -> int:
    path = service_path(path)
    try:
        config = load_config(path, awaits=True)
    except ConfigError as error:
        complain(error)
        return BAD_CONFIG
    collector.pause()
    # The parts that speak with others take most of a second to import; no other command needs them.
    from nqosd import daemon  # noqa: PLC0415
    from nqosd.telemetry import logs  # noqa: PLC0415

    logs.configure(config.log.level, config.log.format)
    asyncio.run(daemon.Daemon(config, lambda: load_config(path, awaits=True)).run())
    return OK


def _check_config(path: Path | None) -> int:
    try:
        load_config(path)
    except ConfigError as error:
        complain(error)
        return BAD_CONFIG
    say(f"{path or DEFAULT_CONFIG}: ok")
    return OK


def _compile(options: argparse.Namespace) -> int:
    from nqosd import offline  # noqa: PLC0415 - check-config doesn't need it

    try:
        request = offline.Request(
            paths=tuple(options.paths),
            zone=options.zone,
            ovn_version=options.ovn_version,
            style=Format(options.format),
            instance=options.instance,
            any_network=options.unselected_networks == "all",
        )
        answer = offline.compile_manifests(request)
    except offline.RequestError as error:
        complain(f"nqosd compile: {error}")
        return USAGE
    for line in answer.complaints:
        complain(line)
    say(answer.text.removesuffix("\n"))
    if answer.is_incomplete:
        return USAGE
    return OK if answer.all_ready else FAILED
