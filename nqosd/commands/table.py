"""Which commands there are, which arguments they take, and where each one lives.

In: nothing. Out: `COMMANDS`. Rule: nothing is imported here that takes time, so that `nqosd --help` answers at once.
"""

from argparse import ArgumentParser
from collections.abc import Callable
from typing import NamedTuple

from nqosd.commands.arguments import (
    add_cluster,
    add_config,
    add_format,
    add_looks,
    add_packet,
    add_what,
    add_wide,
    between,
    filled,
    owner,
    path,
)

NEWEST_OVN = "26.03"
NETWORKS = ("all", "default")
EXITS = "Exit codes: 0 done, or shown; 1 refused; 78 unusable configuration."


class Command(NamedTuple):
    """A command. Its module in `nqosd.commands` has `run(options) -> int`, which gives the exit code."""

    name: str
    help: str
    description: str
    add_arguments: Callable[[ArgumentParser], None]
    prefix: str = "nqosd.commands."

    @property
    def module(self) -> str:
        """The module's full name."""
        return f"{self.prefix}{self.name.replace('-', '_')}"


class Program(NamedTuple):
    """What a person types first, what it is for, and the commands that may follow."""

    name: str
    description: str
    commands: tuple[Command, ...]


def _manifests(parser: ArgumentParser, *, number: str = "*") -> None:
    parser.add_argument(
        "paths",
        nargs=number,
        metavar="PATH",
        type=path,
        help="a manifest, a folder of manifests, or - for standard input",
    )


def _apply(parser: ArgumentParser) -> None:
    add_format(parser, "text", "json")
    parser.add_argument("--apply", action="store_true", help="do it; without this, the plan is shown and nothing done")


def _offline(parser: ArgumentParser, when: str = "") -> None:
    help_zone = f"{when}a zone's name (default: the whole cluster)"
    parser.add_argument("--zone", type=filled, default=None, metavar="Z", help=help_zone)
    before = "" if when else ", such as 23.03; before 24.09 some rows need a shield"
    parser.add_argument(
        "--ovn-version",
        default=NEWEST_OVN,
        metavar="V",
        help=f"{when}the release of OVN{before} (default: {NEWEST_OVN})",
    )
    parser.add_argument(
        "--unselected-networks",
        choices=NETWORKS,
        default=NETWORKS[0],
        help=f"{when}the networks of a policy without networkSelectors (default: {NETWORKS[0]})",
    )


def _check_config(parser: ArgumentParser) -> None:
    add_config(parser)
    add_format(parser, "text", "json")


def _doctor(parser: ArgumentParser) -> None:
    add_cluster(parser)
    add_format(parser, "text", "json")
    parser.add_argument(
        "--timeout",
        type=between(float, 0.1, 60, " seconds"),
        default=5.0,
        metavar="SECONDS",
        help="how long each look may take (default: 5; from 0.1 to 60)",
    )


def _compile(parser: ArgumentParser) -> None:
    _manifests(parser, number="+")
    _offline(parser)
    add_format(
        parser,
        "table",
        "json",
        "nbctl",
        "github",
        "sarif",
        before="github and sarif print what is wrong, with file and line, and nothing else; ",
    )
    add_wide(parser)
    parser.add_argument(
        "--instance",
        type=owner,
        default="nqosd",
        metavar="ID",
        help="the owner written into external_ids (default: nqosd)",
    )
    parser.add_argument(
        "--strict",
        action="store_true",
        help="for the checks of a repository of manifests: name what is wrong with each policy on standard error, with "
        "file and line, and let a warning count as much as a problem: unknown fields, kinds spelt almost right, "
        "policies that select no pod (where there are pods among the manifests)",
    )


def _explain(parser: ArgumentParser) -> None:
    parser.add_argument("--pod", required=True, metavar="NAMESPACE/NAME", help="the pod that sends")
    add_packet(parser, "pod/NAMESPACE/NAME")
    add_cluster(parser)
    parser.add_argument(
        "--southbound",
        type=filled,
        default=None,
        metavar="REMOTE",
        help="look for the row's flows in this database as well",
    )
    _offline(parser, "offline: ")
    _manifests(parser)


def _diff(parser: ArgumentParser) -> None:
    add_cluster(parser)
    add_format(parser, "text", "json")
    _manifests(parser)


def _get(parser: ArgumentParser) -> None:
    add_what(parser, "default")
    add_config(parser)


def _stats(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--once",
        action="store_true",
        help="print what the flows and meters have counted since they were made, and end; no port is opened",
    )
    add_format(parser, "table", "json", before="with --once; ")
    add_config(parser)


def _top(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--endpoint",
        action="append",
        default=[],
        metavar="URL",
        help="an exporter, such as http://192.0.2.1:17477; may be given several times "
        "(default: stats.endpoints of the configuration, else the one on this machine)",
    )
    add_looks(parser)
    add_config(parser)


def _adopt(parser: ArgumentParser) -> None:
    parser.add_argument(
        "instance", nargs="?", type=filled, default=None, metavar="ID", help="the owner of the rows until now"
    )
    add_config(parser)
    _apply(parser)


def _takeover(parser: ArgumentParser) -> None:
    parser.add_argument("--from", dest="source", required=True, choices=["ovn-kubernetes"], help="whose rows")
    parser.add_argument(
        "--watch",
        type=between(float, 0, 3600, " seconds"),
        default=10.0,
        metavar="SECONDS",
        help="how long to look for signs of that controller, before and after (default: 10; from 0 to 3600)",
    )
    add_cluster(parser)
    _apply(parser)


def _cleanup(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--instance", type=filled, default=None, metavar="ID", help="the owner (default: daemon.instance)"
    )
    add_cluster(parser)
    _apply(parser)


COMMANDS: tuple[Command, ...] = (
    Command("run", "run the daemon", "Run the daemon until SIGTERM. SIGHUP reloads.", add_cluster),
    Command(
        "check-config",
        "check a configuration file",
        "Check a configuration file and say what is wrong.",
        _check_config,
    ),
    Command(
        "doctor",
        "say what is in the way of the daemon, and how to mend it",
        "Look at everything that the daemon needs, from where it runs: configuration, sockets and their permissions, "
        "the database's schema and role, lock, zone, OVN's version, the API server, each right, the definition of "
        "NetworkQoS, clocks, the chassis and its exporter. Nothing is written. Run it as the daemon runs: as its user, "
        "with its configuration. Exit codes: 0 nothing is in the way, 1 something is (a cross), 78 unusable "
        "configuration.",
        _doctor,
    ),
    Command(
        "compile",
        "print what the daemon would write for some manifests",
        "Read manifests (YAML or JSON, several documents, Lists; NetworkQoS, Pod, Namespace, Node, "
        "NetworkAttachmentDefinition, UserDefinedNetwork, ClusterUserDefinedNetwork; other kinds are left out) "
        "and print the rows and sets that the daemon would write. Nothing is contacted. "
        "Exit code 1 if a policy is not ready, with --strict also if there is anything to warn of.",
        _compile,
    ),
    Command(
        "explain",
        "say which rule a packet takes, and why",
        "Say which policies select a pod and which don't, which rule a packet of it takes, which rules "
        "lose, and the row, priority, DSCP and limit. With PATHs and no --config it answers from manifests and "
        "contacts nothing; otherwise it looks into the Northbound database (and takes the objects from PATHs, or from "
        "where the daemon takes them).",
        _explain,
    ),
    Command(
        "diff",
        "show what the daemon would change in the database now",
        "Compare the Northbound database with what the daemon would make of it now, and print a unified "
        "diff by policy and set. Objects come from where the daemon takes them, or from manifests. Nothing is written. "
        "Exit codes: 0 nothing would change, 3 something would, 1 it couldn't be found out, 2 unusable manifests.",
        _diff,
    ),
    Command(
        "get",
        "show the policies, selections, rows or networks of the running daemon",
        "Ask the daemon that runs with this configuration, over its HTTP port, for its policies with their "
        "state, the selections of pods with their members, the rows, or the definitions of networks, ignored ones "
        "included. Exit code 1 if no daemon answers.",
        _get,
    ),
    Command(
        "stats",
        "count what the rules do on this chassis, for Prometheus",
        "Run on a chassis until SIGTERM: read the counters of br-int's flows and meters, and serve packets "
        "and bytes marked, let through and dropped, by rule, to Prometheus. The section [stats] of the configuration "
        "says where everything is.",
        _stats,
    ),
    Command(
        "top",
        "show the rates of the rules, live",
        "Ask exporters (nqosd stats) again and again, and show what each rule marks, lets through and "
        "drops per second on each node, the busiest first. Ctrl-C ends it. Where standard output is no terminal, the "
        "table is printed once. Exit code 1 if an exporter doesn't answer then.",
        _top,
    ),
    Command(
        "adopt",
        "take over the rows of an earlier instance of nqosd",
        "Give all QoS rows, address sets and port groups of an earlier instance to the one that the "
        "configuration names, in one transaction. Without an instance, list the instances that own rows. Stop all "
        f"daemons of both first. Without --apply the plan is shown and nothing is done. {EXITS}",
        _adopt,
    ),
    Command(
        "takeover",
        "replace the rows of the controller in ovn-kubernetes",
        "Remove the QoS rows and address sets of the NetworkQoS controller in ovn-kubernetes, and write "
        "this instance's, in one transaction. Turn that controller off first (--enable-network-qos=false): while its "
        "rows change, this is refused. Without --apply the plan is shown and nothing is done. "
        "Exit codes: 0 done, or shown; 1 refused, or that controller has written again; 78 unusable configuration.",
        _takeover,
    ),
    Command(
        "cleanup",
        "remove every trace of an instance",
        "Remove all QoS rows, address sets and port groups of an instance from the Northbound database in "
        "one transaction, and then what it wrote into the status of policies. Stop its daemons first. Without --apply "
        f"the plan is shown and nothing is done. {EXITS}",
        _cleanup,
    ),
)

NQOSD = Program(
    "nqosd",
    "Keeps the QoS rows and address sets of an OVN Northbound database equal to the NetworkQoS objects of a Kubernetes "
    "cluster.",
    COMMANDS,
)
