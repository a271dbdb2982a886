"""`nqosd compile`: what the daemon would write for some manifests, without a cluster or a database.

In: paths and settings. Out: text, complaints about the manifests, and whether every policy is ready. Rule: what is
missing is implied as a cluster implies it: a node that a pod is scheduled to exists, a namespace has its name as label.
"""

from collections.abc import Iterator
from pathlib import Path

import attrs

from nqosd.api.networkqos import NetworkQoS
from nqosd.api.objects import Node
from nqosd.cache.tables import Tables
from nqosd.compiler.compile import Compiled, compile_everything
from nqosd.compiler.document import document
from nqosd.compiler.networks import Networks
from nqosd.compiler.places import Zone
from nqosd.compiler.rendering import Format, render
from nqosd.compiler.settings import Settings, parse_ovn_version
from nqosd.informers.changes import Change, Kind
from nqosd.informers.manifests import Manifests, read_manifests


class RequestError(Exception):
    """The request can't be met; the message names the argument and its value."""


@attrs.frozen
class Request:
    """What to compile, and for which database."""

    paths: tuple[Path, ...]
    zone: str = ""
    ovn_version: str = "26.03"
    style: Format = Format.TABLE
    instance: str = "nqosd"
    any_network: bool = True


@attrs.frozen
class Answer:
    """`text` is the result; `complaints` are lines for standard error; `is_incomplete`: a manifest was not usable."""

    text: str
    complaints: tuple[str, ...]
    is_incomplete: bool
    all_ready: bool


def compile_manifests(request: Request) -> Answer:
    """Compile manifests.

    Raises:
        RequestError: the version isn't one of OVN's.
    """
    version = parse_ovn_version(request.ovn_version)
    if version is None:
        raise RequestError(
            f"--ovn-version {request.ovn_version}: not a release of OVN; write year and month, as in 24.09"
        )
    manifests = read_manifests(request.paths)
    tables = tables_of(manifests)
    settings = Settings(request.instance, request.zone, version, request.any_network)
    compiled = compile_everything(tables, settings)
    printed = document(compiled.desired, compiled.reports, request.instance)
    return Answer(
        text=render(printed, request.style),
        complaints=tuple(_complaints(manifests, tables, compiled, request)),
        is_incomplete=bool(manifests.problems),
        all_ready=all(each.ready for each in compiled.reports),
    )


def tables_of(manifests: Manifests) -> Tables:
    """Put manifests into tables; a node that a pod is scheduled to exists, whether it is among them or not."""
    tables = Tables()
    for change in manifests.changes():
        tables.apply(change)
    for name in {pod.node for pod in tables.pods.values() if pod.node} - tables.nodes.keys():
        tables.apply(Change(Kind.NODE, name, None, Node(name)))
    return tables


def _complaints(manifests: Manifests, tables: Tables, compiled: Compiled, request: Request) -> Iterator[str]:
    yield from (f"error: {problem}" for problem in manifests.problems)
    yield from (f"warning: {warning}" for warning in manifests.warnings)
    for (kind, key), value in manifests.objects.items():
        if not isinstance(value, NetworkQoS) and value.problem is not None:
            yield f"warning: {kind} {key}: what can't be read counts for nothing: {value.problem}"
    for key, why in Networks.of(tables.attachments).ignored.items():
        yield f"warning: NetworkAttachmentDefinition {key} is ignored: {why}"
    for key, refused in compiled.refused.items():
        yield from (f"warning: Pod {key}: {each}, so it doesn't count" for each in refused)
    if request.zone and Zone.of(request.zone, tables.nodes).nodes is None:
        known = ", ".join(sorted(tables.nodes)) or "none"
        yield (
            f"warning: --zone {request.zone}: no node has this name or zone annotation, so it stands for the whole "
            f"cluster (nodes: {known})"
        )
