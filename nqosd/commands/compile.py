"""`nqosd compile`: what the daemon would write for some manifests, without a cluster or a database.

In: paths and settings. Out: a table, JSON or commands, or what is wrong, for GitHub or as SARIF; exit code 0, 1 if a
policy isn't ready or (strictly) there is anything to warn of, 2 if a manifest isn't usable, and then nothing else is
printed. Rule: nothing is contacted.
"""

import argparse

from nqosd.commands.compiled_document import document
from nqosd.commands.compiled_text import Format, render
from nqosd.commands.exits import FAILED, OK, USAGE, UsageError
from nqosd.commands.findings import findings, github, nothing, sarif
from nqosd.commands.matches import shown
from nqosd.commands.offline import tables_of, zone_problem
from nqosd.commands.output import complain, say
from nqosd.compiler.definition import compile_everything
from nqosd.compiler.settings import Settings, parse_ovn_version, zone_name
from nqosd.informers.manifests.paths import read_manifests

REPORTS = {"github": github, "sarif": sarif}


def run(options: argparse.Namespace) -> int:
    """Run the command."""
    version = parse_ovn_version(options.ovn_version)
    if version is None:
        raise UsageError(
            f"--ovn-version {options.ovn_version}: not a release of OVN; write year and month, as in 24.09"
        )
    manifests = read_manifests(options.paths)
    tables, zone = tables_of(manifests), zone_name(options.zone or "")
    if not manifests.problems and (problem := zone_problem(tables, zone)):
        raise UsageError(f"--zone: {problem}")
    any_network = options.unselected_networks == "all"
    compiled = compile_everything(tables, Settings(options.instance, zone, version, any_network))
    found = findings(manifests, tables, compiled) or nothing(manifests, options.paths)
    if options.format in REPORTS:
        say(REPORTS[options.format](found).removesuffix("\n"))
    else:
        for each in found:
            if options.strict or not each.is_about_policy:
                complain(each)
        if not manifests.problems:
            printed = document(compiled.desired, compiled.reports, options.instance)
            say(render(printed, Format(options.format), shown(options, 2)).removesuffix("\n"))
    if manifests.problems:
        return USAGE
    is_accepted = all(each.ready for each in compiled.reports) and not (options.strict and found)
    return OK if is_accepted else FAILED
