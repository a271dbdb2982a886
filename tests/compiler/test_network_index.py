"""Networks that are kept up to date are those of all definitions, and a change costs what it concerns."""

from collections.abc import Iterable, Mapping

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from nqosd.api.changes import Change, ResourceKind
from nqosd.api.objects import NetworkAttachment, NetworkRole, Topology
from nqosd.cache.tables import Tables
from nqosd.compiler.incremental import IncrementalCompiler
from nqosd.compiler.network_index import NetworkIndex
from nqosd.compiler.network_switches import Networks
from nqosd.compiler.oldest_definitions import OldestDefinitions, oldest_definitions
from nqosd.compiler.settings import Settings
from nqosd.config.options import Limits
from tests.examples import examples

NAMES = ["a.b", "a-b", "ext_a/b", "ext_ext_a-b", "ext", "ext_ext", "c", ""]
definitions = st.builds(
    NetworkAttachment,
    st.sampled_from(["red", "blue"]),
    st.sampled_from(["d1", "d2", "d3", "d4"]),
    st.just({}),
    st.sampled_from(NAMES),
    st.sampled_from(Topology),
    st.sampled_from(NetworkRole),
    st.sampled_from([(), ("10.0.0.0/28",)]),
    created=st.sampled_from(["", "2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z"]),
    accepted=st.booleans(),
)
batches = st.lists(st.lists(st.tuples(definitions, st.sampled_from([True, True, False])), max_size=6), max_size=8)


@given(batches, st.sampled_from([1, 2, 5000]))
@settings(max_examples=examples(500), deadline=None)
def test_equals_all_networks(events: list[list[tuple[NetworkAttachment, bool]]], most: int) -> None:
    """Whatever definitions come, change and go, in any batching; what isn't named as concerned stays as it was."""
    tables, limits = Tables(), Limits(definitions=most)
    oldest, index = OldestDefinitions(tables.attachments, limits), NetworkIndex()
    for batch in events:
        for nad, stays in batch:
            change = Change(ResourceKind.NETWORK_ATTACHMENT_DEFINITION, nad.key, None, nad if stays else None)
            tables.apply(change)
        before = index.networks
        concerned = index.take(oldest.take([nad.key for nad, _stays in batch]), oldest.by_key)
        now = Networks.of(oldest_definitions(tables.attachments, limits))
        assert index.networks == now
        assert {key for key in [*before.by_nad, *now.by_nad] if before.at(key) != now.at(key)} <= concerned.nads
        names = {*before.by_name, *now.by_name}
        assert {name for name in names if before.by_name.get(name) != now.by_name.get(name)} <= concerned.networks
    everything = list(tables.attachments)
    tables.attachments.clear()
    index.take(oldest.take(everything), oldest.by_key)
    assert index.networks == Networks.of({})
    assert (index._known, index._members) == ({}, {})


def test_a_definition_costs_nothing_that_is_not_of_its_stem(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of very many networks those are derived anew whose names may make the same switches."""
    derived: list[set[str]] = []
    original = Networks.in_order

    def counted(attachments: Mapping[str, NetworkAttachment], before: Networks | None = None) -> Networks:
        derived.append(set(attachments))
        return original(attachments, before)

    def put(compiler: IncrementalCompiler, nads: Iterable[NetworkAttachment]) -> None:
        compiler.apply(Change(ResourceKind.NETWORK_ATTACHMENT_DEFINITION, each.key, None, each) for each in nads)

    others = [NetworkAttachment("a", f"d{each}", {}, f"net{each}") for each in range(100)]
    mine = [NetworkAttachment("a", f"e{each}", {}, name) for each, name in enumerate(("x.y", "x-y", "ext_x/y"))]
    compiler = IncrementalCompiler(Settings())
    put(compiler, [*others, *mine])
    ignored = dict(compiler.networks.ignored)
    assert ignored.keys() == {"a/e1"}
    monkeypatch.setattr(Networks, "in_order", counted)
    put(compiler, [replace(mine[0], topology=Topology.LAYER2)])
    assert derived == [{"a/e0", "a/e1", "a/e2"}]
    put(compiler, [replace(others[0], labels={"a": "b"})])
    assert derived[1:] == [{"a/d0"}]
    compiler.apply([Change(ResourceKind.NAMESPACE, "a", None, None)])
    assert len(derived) == 2
