"""Manifests as a cluster would have them, for what is answered offline.

In: manifests. Out: `Tables`. Rule: what is missing is implied as a cluster implies it: a node that a pod is scheduled
to exists, a namespace has its name as label.
"""

from nqosd.api.changes import Change, ResourceKind
from nqosd.api.objects import Node
from nqosd.api.text import shortened
from nqosd.cache.tables import Tables
from nqosd.compiler.pod_addresses import Zone
from nqosd.informers.manifests.paths import Manifests


def tables_of(manifests: Manifests) -> Tables:
    """Put manifests into tables; a node that a pod is scheduled to exists, whether it is among them or not."""
    tables = Tables()
    for change in manifests.changes():
        tables.apply(change)
    for name in {pod.node for pod in tables.pods.values() if pod.node} - tables.nodes.keys():
        tables.apply(Change(ResourceKind.NODE, name, None, Node(name)))
    return tables


def zone_problem(tables: Tables, zone: str) -> str:
    """Say that no node is of a zone, so that nobody can say whose pods are senders; nothing if one is."""
    if not Zone.of(zone, tables.nodes).is_empty:
        return ""
    known = ", ".join(shortened(sorted(tables.nodes))) or "none"
    return f"no node is of the zone {zone}, by its name or its zone annotation (nodes: {known})"
