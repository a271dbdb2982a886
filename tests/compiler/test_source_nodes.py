"""On which nodes a policy has senders, other zones' included."""

from hypothesis import given, settings
from hypothesis import strategies as st

from nqosd.api.changes import Change
from nqosd.api.networkqos import NetworkQoS
from nqosd.compiler.definition import all_places
from nqosd.compiler.incremental import IncrementalCompiler
from nqosd.compiler.network_switches import Networks
from nqosd.compiler.pod_addresses import Zone
from nqosd.compiler.settings import Settings
from tests.compiler.worlds import NODES, batches
from tests.examples import examples


@given(batches, st.sampled_from(["", "east", *NODES]))
@settings(max_examples=examples(150), deadline=None)
def test_the_nodes_are_those_of_all_pods_that_the_policy_means(events: list[list[Change]], zone: str) -> None:
    """After any sequence of events they are what going through all pods gives, and a change of them is told."""
    compiler = IncrementalCompiler(Settings(zone=zone))
    known: dict[str, frozenset[str] | None] = {}
    for batch in events:
        delta = compiler.apply(batch)
        for key, policy in compiler.tables.policies.items():
            found = compiler.source_nodes(key)
            assert found == senders(compiler, policy)
            if key in known and known[key] != found and None not in (known[key], found):
                assert key in delta.policies
            known[key] = found


def senders(compiler: IncrementalCompiler, policy: NetworkQoS) -> frozenset[str] | None:
    """Find the nodes of a policy's senders the long way."""
    tables = compiler.tables
    if Zone.of(compiler.settings.zone, tables.nodes).nodes is None:
        return None
    effective = compiler._policies.by_key.get(policy.key)
    if effective is None:
        return frozenset()
    return frozenset(
        pod.node
        for key, found in all_places(tables, Networks.of(tables.attachments), Zone()).items()
        if effective.sources.matches(pod := tables.pods[key], tables.namespaces)
        for place in found.places
        if effective.selects(place.network) and place.is_of(effective.sources) and not _is_hybrid(pod.node, compiler)
    )


def _is_hybrid(name: str, compiler: IncrementalCompiler) -> bool:
    node = compiler.tables.nodes.get(name)
    return node is not None and node.is_hybrid
