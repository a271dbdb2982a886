"""Which commands the plugin `kubectl nqos` has.

In: nothing. Out: `KUBECTL`. Rule: as in `table`, nothing is imported here that takes time.
"""

from argparse import ArgumentParser

from nqosd.commands.arguments import add_format, add_kubeconfig, add_looks, add_namespace, add_packet, add_what, filled
from nqosd.commands.table import Command, Program

PREFIX = "nqosd.commands.kubectl.plugin_"


def _cluster(parser: ArgumentParser) -> None:
    add_kubeconfig(parser, "$KUBECONFIG, else ~/.kube/config", "the current one")
    parser.add_argument(
        "--daemons",
        type=filled,
        default="kube-system",
        metavar="NAMESPACE",
        help="where the pods of nqosd run (default: kube-system)",
    )
    parser.add_argument(
        "--token-file",
        type=filled,
        default=None,
        metavar="FILE",
        help="the daemons' token (default: `token` of the Secret nqosd-http beside them, if it may be read)",
    )


def _zones(parser: ArgumentParser) -> None:
    parser.add_argument("--zone", type=filled, default=None, metavar="Z", help="only this zone (default: all)")


def _explain(parser: ArgumentParser) -> None:
    parser.add_argument("pod", metavar="pod/NAME", help="the pod that sends; pod/NAMESPACE/NAME for another namespace")
    add_namespace(parser, "of the pods (default: that of the kubeconfig's context)")
    add_packet(parser, "pod/NAME")
    _cluster(parser)
    parser.set_defaults(zone=None)


def _get(parser: ArgumentParser) -> None:
    add_what(parser, "that of the kubeconfig's context")
    _zones(parser)
    _cluster(parser)


def _top(parser: ArgumentParser) -> None:
    add_looks(parser)
    _cluster(parser)


def _diff(parser: ArgumentParser) -> None:
    add_format(parser, "text", "json")
    _zones(parser)
    _cluster(parser)


KUBECTL = Program(
    "kubectl nqos",
    "Looks into the nqosd daemons of a cluster, from a machine that has a kubeconfig and nothing else: through the API "
    "server, and through its proxy to the pods of nqosd. What the kubeconfig's rights don't reach is said.",
    (
        Command(
            "explain",
            "say which rule a packet takes, and why",
            "Say which rule a packet of a pod takes to an address or to another pod, which rules lose, and whether the "
            "row is in the database of the pod's zone. Protocol and port may be left out where no rule asks for them. "
            "Exit code 1 if no daemon had a part in the answer.",
            _explain,
            PREFIX,
        ),
        Command(
            "get",
            "show policies, selections, rows or networks of all zones",
            "Show what the daemon of each zone knows and does, as `nqosd get` does. Exit code 1 if a zone couldn't be "
            "reached; the others are shown.",
            _get,
            PREFIX,
        ),
        Command(
            "top",
            "show the rates of the rules on all nodes, live",
            "Show what each rule marks, lets through and drops per second on each node, as `nqosd top` does. Ctrl-C "
            "ends it. Exit code 1 if an exporter doesn't answer.",
            _top,
            PREFIX,
        ),
        Command(
            "diff",
            "show what the daemons would change in their databases now",
            "Work out from the cluster's objects what the database of each zone should hold, and compare. Exit codes: "
            "0 nothing would change, 3 something would, 1 a zone couldn't be reached.",
            _diff,
            PREFIX,
        ),
    ),
)
