"""The man pages nqosd(8), kubectl-nqos(1) and nqosd.toml(5).

In: the parser of the command line and the documented options. Out: roff source. Rule: commands, options, exit codes and
defaults come from the code; only what no parser knows (signals, files, environment) is written here.
"""

import argparse
import re
from collections.abc import Iterator

from nqosd import __version__
from nqosd.cli import parser as cli_parser
from nqosd.commands.kubectl_table import KUBECTL
from nqosd.commands.table import NQOSD, Program
from tools.docs import roff
from tools.docs.options import introduction, sections

SIGNALS = (
    ("SIGTERM, SIGINT", "End the daemon. Its rows stay in the database. SIGINT gives exit code 130."),
    ("SIGHUP", "Read the configuration again, and take up the options that can change; see `nqosd.toml`(5)."),
)
FILES = (
    ("/etc/nqosd/nqosd.toml", "The configuration. Without it every option has its default."),
    (
        "/var/run/ovn/ovnnb_db.sock, /var/run/openvswitch/ovnnb_db.sock, /var/run/ovn-ic/ovnnb_db.sock",
        "The socket of the Northbound database, unless `northbound.remotes` names another one.",
    ),
    ("~/.kube/config", "The kubeconfig, unless `kubernetes.kubeconfig` or $KUBECONFIG names another one."),
)
ENVIRONMENT = (
    (
        "NQOSD_<SECTION>_<OPTION>",
        "An option; it goes before the file. NQOSD_NORTHBOUND_REMOTES is `northbound.remotes`.",
    ),
    ("KUBECONFIG", "The kubeconfig file, where `kubernetes.kubeconfig` is empty."),
    ("NOTIFY_SOCKET, WATCHDOG_USEC, WATCHDOG_PID", "What systemd sets: it is told when the daemon is ready and lives."),
    ("JOURNAL_STREAM", "What systemd sets: lines of the log then begin with their priority."),
)


def command() -> str:
    """Write nqosd(8)."""
    lines = _program(NQOSD, "nqosd", 8, "NetworkQoS for OVN")
    lines += _terms("SIGNALS", SIGNALS)
    lines += _terms("FILES", FILES)
    lines += _terms("ENVIRONMENT", ENVIRONMENT)
    lines += [*roff.heading("SEE ALSO"), ".BR nqosd.toml (5),", ".BR kubectl\\-nqos (1),"]
    lines += [".BR ovn\\-nb (5),", ".BR ovn\\-nbctl (8)"]
    return "\n".join(lines) + "\n"


def plugin() -> str:
    """Write kubectl-nqos(1)."""
    lines = _program(KUBECTL, "kubectl-nqos", 1, "looks into the nqosd daemons of a cluster, a plugin of kubectl")
    lines += _terms("ENVIRONMENT", (("KUBECONFIG", "The kubeconfig file, where none is named."),))
    lines += [*roff.heading("SEE ALSO"), ".BR kubectl (1),", ".BR nqosd (8)"]
    return "\n".join(lines) + "\n"


def _program(program: Program, name: str, section: int, summary: str) -> list[str]:
    """Write what the parser of a program knows."""
    parser = cli_parser(program)
    lines = roff.title(name, section, __version__)
    lines += [*roff.heading("NAME"), f"{roff.escaped(name)} \\- {summary}"]
    lines += [*roff.heading("SYNOPSIS"), *_synopsis(parser)]
    lines += [*roff.heading("DESCRIPTION"), *roff.filled(parser.description or "")]
    lines += roff.heading("OPTIONS")
    for action in _options(parser):
        lines += _option(action)
    lines += roff.heading("COMMANDS")
    for command_name, each in _commands(parser):
        lines += roff.subheading(command_name)
        lines += roff.filled(each.description or "")
        for action in _options(each):
            lines += _option(action)
    return lines + _terms("EXIT STATUS", tuple(_exit_codes(parser)))


def configuration() -> str:
    """Write nqosd.toml(5)."""
    lines = roff.title("nqosd.toml", 5, __version__)
    lines += [*roff.heading("NAME"), "nqosd.toml \\- configuration of nqosd"]
    lines += [*roff.heading("SYNOPSIS"), ".I /etc/nqosd/nqosd.toml"]
    lines += roff.heading("DESCRIPTION")
    lines += roff.filled("The configuration is a TOML file with a section for each part of the daemon.")
    for text in introduction()[1:]:  # the first one is about the file's own layout
        lines += roff.paragraph(text)
    for section in sections():
        lines += [*roff.heading(f"[{section.name}]"), *roff.filled(section.meaning)]
        for entry in section.entries:
            mark = " [reload]" if entry.reloadable else ""
            terms = ", ".join(f"{name} = {default}" for name, default in entry.defaults)
            lines += roff.item(terms + mark, entry.text)
    lines += [*roff.heading("SEE ALSO"), ".BR nqosd (8)"]
    return "\n".join(lines) + "\n"


def _terms(title: str, terms: tuple[tuple[str, str], ...]) -> list[str]:
    return roff.heading(title) + [line for term, text in terms for line in roff.item(term, text)]


def _commands(parser: argparse.ArgumentParser) -> Iterator[tuple[str, argparse.ArgumentParser]]:
    """Give every command with its whole name, commands of commands included."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for name, each in action.choices.items():
                yield f"{parser.prog} {name}", each
                yield from _commands(each)


def _options(parser: argparse.ArgumentParser) -> list[argparse.Action]:
    kinds = argparse._SubParsersAction
    return [each for each in parser._actions if not isinstance(each, kinds) and each.dest != "help"]


def _option(action: argparse.Action) -> list[str]:
    value = action.metavar or ("|".join(map(str, action.choices)) if action.choices else action.dest.upper())
    takes = f" {value}" if action.nargs != 0 else ""
    term = ", ".join(f"{each}{takes}" for each in action.option_strings) or str(value)
    return roff.item(term, _sentence(action.help or ""))


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}{'' if text.endswith('.') else '.'}".replace("%%", "%")


def _synopsis(parser: argparse.ArgumentParser) -> list[str]:
    lines = []
    for name, each in [(parser.prog, parser), *_commands(parser)]:
        options = [usage for action in _options(each) if (usage := _usage(action))]
        lines += [".SY " + roff.escaped(name).replace(" ", "\\~"), *options, ".YS"]
    return lines


def _usage(action: argparse.Action) -> str:
    value = str(action.metavar or ("|".join(map(str, action.choices)) if action.choices else action.dest.upper()))
    if not action.option_strings:
        more = "\\~.\\|.\\|." if action.nargs in {"+", "*"} else ""
        return _bracketed(f"\\fI{roff.escaped(value)}\\fR{more}", optional=action.nargs in {"?", "*"})
    takes = f"\\~\\fI{roff.escaped(value)}\\fR" if action.nargs != 0 else ""
    return _bracketed(f"\\fB{roff.escaped(action.option_strings[0])}\\fR{takes}", optional=not action.required)


def _bracketed(usage: str, *, optional: bool) -> str:
    return f"[{usage}]" if optional else usage


def _exit_codes(parser: argparse.ArgumentParser) -> Iterator[tuple[str, str]]:
    """Read the codes from the closing words of the help: `Exit codes: 0 all is well; 1 …`."""
    words = (parser.epilog or "").partition("Exit codes: ")[2]
    for each in words.split("; "):
        found = re.fullmatch(r"(\d+) (.+?)\.?", each)
        if found is None:
            raise ValueError(f"the help's epilog has no `CODE meaning` in {each!r}: nqosd/cli.py, parser")
        yield found[1], _sentence(found[2])
