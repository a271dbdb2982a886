"""`nqosd compile`: what the daemon would write for some manifests, without a cluster or a database.

In: paths and settings. Out: a table, JSON or commands; exit code 0, 1 if a policy isn't ready or (strictly) there is
anything to warn of, 2 if a manifest isn't usable, and then nothing is printed. Rule: nothing is contacted.
"""

import argparse
from collections.abc import Iterator

from nqosd.api.networkqos import NetworkQoS
from nqosd.cache.tables import Tables
from nqosd.commands.compiled_document import document
from nqosd.commands.compiled_text import Format, render
from nqosd.commands.exits import FAILED, OK, USAGE, UsageError
from nqosd.commands.matches import shown
from nqosd.commands.offline import tables_of, zone_problem
from nqosd.commands.output import complain, say
from nqosd.compiler.definition import Compiled, compile_everything
from nqosd.compiler.network_switches import Networks
from nqosd.compiler.settings import Settings, parse_ovn_version, zone_name
from nqosd.informers.manifests.paths import Manifests, read_manifests


def run(options: argparse.Namespace) -> int:
    """Run the command."""
    version = parse_ovn_version(options.ovn_version)
    if version is None:
        raise UsageError(
            f"--ovn-version {options.ovn_version}: not a release of OVN; write year and month, as in 24.09"
        )
    manifests = read_manifests(options.paths)
    tables, zone = tables_of(manifests), zone_name(options.zone)
    if problem := zone_problem(tables, zone):
        raise UsageError(f"--zone: {problem}")
    any_network = options.unselected_networks == "all"
    compiled = compile_everything(tables, Settings(options.instance, zone, version, any_network))
    complaints = list(_complaints(manifests, tables, compiled))
    if options.strict:
        complaints += _noted(compiled)
    for line in complaints:
        complain(line)
    if manifests.problems:
        return USAGE
    printed = document(compiled.desired, compiled.reports, options.instance)
    say(render(printed, Format(options.format), shown(options, 2)).removesuffix("\n"))
    is_accepted = all(each.ready for each in compiled.reports) and not (options.strict and complaints)
    return OK if is_accepted else FAILED


def _complaints(manifests: Manifests, tables: Tables, compiled: Compiled) -> Iterator[str]:
    yield from (f"error: {problem}" for problem in manifests.problems)
    yield from (f"warning: {warning}" for warning in manifests.warnings)
    for (kind, key), value in manifests.objects.items():
        if not isinstance(value, NetworkQoS) and value.problem is not None:
            yield f"warning: {kind} {key}: what can't be read counts for nothing: {value.problem}"
    for key, why in Networks.of(tables.attachments).ignored.items():
        yield f"warning: NetworkAttachmentDefinition {key} is ignored: {why}"
    for key, refused in compiled.refused.items():
        yield from (f"warning: Pod {key}: {each}, so it doesn't count" for each in refused)


def _noted(compiled: Compiled) -> Iterator[str]:
    """Say what is to be said of policies."""
    for each in compiled.reports:
        yield from (f"error: NetworkQoS {each.namespace}/{each.name}: {problem}" for problem in each.problems)
        yield from (f"warning: NetworkQoS {each.namespace}/{each.name}: {warning}" for warning in each.warnings)
