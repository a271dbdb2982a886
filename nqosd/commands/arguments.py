"""Arguments that several commands take, of `nqosd` and of `kubectl nqos`.

In: a parser. Out: the parser with more arguments. Rules: nothing is imported here that takes time, as in `table`; a
value that no command could use is refused before anything else is done.
"""

from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

T = TypeVar("T", int, float)

NAMES = {int: "a whole number", float: "a number"}
DEFAULT_CONFIG = Path("/etc/nqosd/nqosd.toml")


def between(kind: type[T], low: T, high: T, unit: str = "") -> Callable[[str], T]:
    """Give what reads a number within bounds, both included; `unit` is what is counted."""

    def read(text: str) -> T:
        try:
            number = kind(text)
        except ValueError:
            number = None
        if number is None or not low <= number <= high:  # no order holds for nan
            raise ArgumentTypeError(f"{text!r} is not {NAMES[kind]} from {low} to {high}{unit}")
        return number

    return read


def filled(text: str) -> str:
    """Read a text that names something."""
    if not text:
        raise ArgumentTypeError("it is empty; name one, or leave it out")
    return text


def owner(text: str) -> str:
    """Read the name of an instance."""
    from nqosd.config import checks  # noqa: PLC0415 - it takes time, which `nqosd --help` hasn't

    if problem := checks.owner(text):
        raise ArgumentTypeError(f"{text!r} {problem}")
    return text


def path(text: str) -> Path:
    """Read a path; an empty one would be the folder that a person happens to be in."""
    return Path(filled(text))


def add_config(parser: ArgumentParser) -> None:
    """Let the configuration be named."""
    parser.add_argument(
        "--config",
        type=path,
        default=None,
        metavar="FILE",
        help=f"the configuration, TOML (default: {DEFAULT_CONFIG} if it exists, else every option's default)",
    )


def add_kubeconfig(parser: ArgumentParser, kubeconfig: str, context: str) -> None:
    """Let a kubeconfig be named, and its context; the texts say which one counts without."""
    help_file, help_context = f"the kubeconfig (default: {kubeconfig})", f"its context (default: {context})"
    parser.add_argument("--kubeconfig", type=filled, default=None, metavar="FILE", help=help_file)
    parser.add_argument("--context", type=filled, default=None, metavar="NAME", help=help_context)


def add_cluster(parser: ArgumentParser) -> None:
    """Let the configuration and the cluster be named."""
    add_config(parser)
    add_kubeconfig(parser, "kubernetes.kubeconfig", "kubernetes.context")


def add_format(parser: ArgumentParser, *choices: str, before: str = "") -> None:
    """Let the format be chosen; the first one counts without."""
    parser.add_argument("-o", "--format", choices=choices, default=choices[0], help=f"{before}default: {choices[0]}")


def add_wide(parser: ArgumentParser) -> None:
    """Let matches be shown as they are."""
    parser.add_argument("--wide", action="store_true", help="show matches as OVN has them, however long")


def add_namespace(parser: ArgumentParser, meaning: str) -> None:
    """Let a namespace be named; without one it is None."""
    parser.add_argument("-n", "--namespace", type=filled, default=None, metavar="NAMESPACE", help=meaning)


def add_packet(parser: ArgumentParser, pod: str) -> None:
    """Add the arguments that say which packet is asked about, and how to print the answer; `pod` is a pod's form."""
    parser.add_argument("--to", required=True, metavar=f"ADDRESS|{pod}", help="the destination")
    transports = ("tcp", "udp", "sctp", "icmp", "other")
    parser.add_argument(
        "--proto",
        type=str.lower,
        choices=transports,
        default=None,
        help="what it carries; it may be left out where no rule asks for it, and so may the port",
    )
    parser.add_argument(
        "--port",
        type=between(int, 0, 65535),
        default=None,
        metavar="N",
        help="the destination port of tcp, udp and sctp",
    )
    parser.add_argument(
        "--network", type=filled, default=None, metavar="NAME", help="the network (default: each of the pod's)"
    )
    parser.add_argument(
        "--from",
        dest="source",
        type=filled,
        default=None,
        metavar="ADDRESS",
        help="the source (default: the pod's own address)",
    )
    add_format(parser, "text", "json")
    add_wide(parser)
    parser.add_argument("--all", action="store_true", help="in text, list policies of other namespaces too")


def add_what(parser: ArgumentParser, home: str) -> None:
    """Add the arguments that say what of a daemon's state to show, and how; `home` is a policy's usual namespace."""
    parser.add_argument(
        "what",
        choices=["policies", "selections", "rows", "networks", "policy"],
        help="what to show; policy: all about one",
    )
    parser.add_argument(
        "names",
        nargs="*",
        type=filled,
        metavar="NAME",
        help="only these: a policy (for rows too), a set, a network or a definition; with its namespace or without",
    )
    add_namespace(parser, f"only what is in this namespace (default: all; for policy {home})")
    add_format(parser, "table", "json")
    add_wide(parser)
    parser.add_argument("-w", "--watch", action="store_true", help="go on, and show what is new or has changed")


def add_looks(parser: ArgumentParser) -> None:
    """Add the arguments that say how often to look at exporters, and how to print it."""
    parser.add_argument(
        "--interval",
        type=between(float, 0.1, 3600, " seconds"),
        default=2.0,
        metavar="SECONDS",
        help="time of a rate, and between two looks (default: 2; from 0.1 to 3600)",
    )
    parser.add_argument(
        "--once", action="store_true", help="show it once, when each exporter has read its counters again"
    )
    add_format(parser, "table", "json", before="json: a line for each look; ")
