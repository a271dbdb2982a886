"""No text of an object becomes syntax, whatever it is and wherever it stands."""

import re
from collections import Counter
from collections.abc import Iterator
from random import Random

import pytest

from nqosd.api.decoding import DecodeError
from nqosd.cache.tables import Tables
from nqosd.compiler.compile import compile_everything
from nqosd.compiler.desired import Desired, QosRow
from nqosd.compiler.expression import string
from nqosd.compiler.settings import Settings
from nqosd.informers.changes import Change, Kind
from nqosd.informers.resources import BY_KIND
from tests.api.manifests import wire
from tests.oracle.cluster_strategies import Manifest
from tests.oracle.judge import MATCHES_AT_ONCE, Judge
from tests.oracle.match_nodes import Ask, Both, Comparison, Node, Reference
from tests.oracle.match_tokens import Constant, tokens
from tests.oracle.ovn_match import parse
from tests.oracle.packet import packet
from tests.proof.scenarios import scenarios
from tests.services.generation import GENERATIONS, OvnGeneration
from tests.tenants.poison import HOSTILE, poisoned

CLUSTERS = 300
VARIANTS = 6
PORT = re.compile(r"[A-Za-z0-9][-A-Za-z0-9_.]*")
"""A name of a logical port: what the names of namespaces, definitions, networks, nodes and pods can become."""

_SENDER = frozenset({"ip4.src", "ip6.src", "inport"})
_MEANT = frozenset({"ip4.src", "ip6.src", "ip4.dst", "ip6.dst", "tcp.dst", "udp.dst", "sctp.dst"})
_PREDICATES = frozenset({"ip4", "ip6", "tcp", "udp", "sctp"})


def test_every_token_is_one_that_the_compiler_meant() -> None:
    """Each alternative of each match asks for a sender first and for nothing else than the rule does, for any texts."""
    random = Random("syntax")  # noqa: S311 - not a secret
    seen: Counter[str] = Counter()
    for scenario, *_others in scenarios(CLUSTERS, "syntax"):
        for _ in range(VARIANTS):
            tables = _decoded(poisoned(scenario.objects, random), seen)
            desired = compile_everything(tables, Settings(ovn=(25, 3))).desired
            for row in desired.rows.values():
                _check(row, desired)
                seen["rows"] += 1
            for members in desired.members().values():
                assert all(PORT.fullmatch(each) or ":" in each for each in members), members
    assert min(seen["rows"], seen["objects"], seen["undecodable"]) > 100, seen


@pytest.mark.parametrize("generation", GENERATIONS, ids=lambda generation: generation.series)
def test_a_text_is_one_string_to_ovn(generation: OvnGeneration) -> None:
    """OVN reads what `string` writes as one constant, which is the text: nothing after a quote is a match."""
    texts = [text for text in HOSTILE if text not in ("\x00", "\ud800")]  # no name of a port can have these
    matches = [f"inport == {string(text)}" for text in texts]
    for match, text in zip(matches, texts, strict=True):
        assert [(token.kind, token.text) for token in tokens(match)][2:] == [("string", text), ("end", "")]
    assert len(matches) <= MATCHES_AT_ONCE
    with Judge(generation) as judge:
        judge.load(matches, {}, {}, [*texts, "other"])
        met, refused = judge.ask(packet("10.0.0.1", "10.0.0.2", "icmp", inport="other"))
    assert (met, refused) == (set(), set())


def _decoded(objects: dict[str, list[Manifest]], seen: Counter[str]) -> Tables:
    tables = Tables()
    for kind, manifests in objects.items():
        resource = BY_KIND[Kind(kind)]
        for manifest in manifests:
            try:
                value = resource.decode(wire(manifest)).value
            except DecodeError:
                seen["undecodable"] += 1
                continue
            seen["objects"] += 1
            tables.apply(Change(resource.kind, value.key, None, value))
    return tables


def _check(row: QosRow, desired: Desired) -> None:
    for alternative in _parts(parse(row.match).node, every=False):
        sender, *others = _parts(alternative, every=True)
        assert isinstance(sender, Comparison), row.match
        assert sender.field.name in _SENDER, row.match
        for other in others:
            for part in _parts(other, every=False):
                _check_part(part, row)
        for value in _values(alternative):
            if isinstance(value, Reference):
                assert value.name in desired.members()
            elif isinstance(value, str):
                assert PORT.fullmatch(value), row.match


def _check_part(part: Node, row: QosRow) -> None:
    for each in _parts(part, every=True):  # a range of ports is two comparisons
        if isinstance(each, Comparison):
            assert each.field.name in _MEANT, row.match
            assert each.relation in ("==", "<=", ">="), row.match
        else:
            assert isinstance(each, Ask), row.match
            assert each.predicate.name in _PREDICATES, row.match


def _parts(node: Node, *, every: bool) -> tuple[Node, ...]:
    return node.terms if isinstance(node, Both) and node.every is every else (node,)


def _values(node: Node) -> Iterator[Constant | str | Reference]:
    if isinstance(node, Both):
        for term in node.terms:
            yield from _values(term)
    elif isinstance(node, Comparison):
        yield from node.values
