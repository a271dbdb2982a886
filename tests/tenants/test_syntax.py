"""No text of an object becomes syntax, whatever it is and wherever it stands."""

from collections import Counter
from ipaddress import ip_network
from random import Random

import pytest

from nqosd.api.changes import Change, ResourceKind
from nqosd.api.decoding import DecodeError
from nqosd.cache.tables import Tables
from nqosd.compiler.definition import compile_everything
from nqosd.compiler.expression import string
from nqosd.compiler.settings import Settings
from nqosd.compiler.switches import Switch
from tests.api.manifests import wire
from tests.informers.wire import BY_KIND
from tests.oracle.cluster_strategies import Manifest
from tests.oracle.judge import MATCHES_AT_ONCE, Judge
from tests.oracle.match_tokens import tokens
from tests.oracle.packet import packet
from tests.proof.scenarios import scenarios
from tests.services.generation import GENERATIONS, OvnGeneration
from tests.tenants.poison import HOSTILE, poisoned
from tests.tenants.tokens import PORT, check_tokens

CLUSTERS = 300
VARIANTS = 6


class Routed(dict[str, Switch]):
    """Switches that all have a port to a router, whatever they are called."""

    def __bool__(self) -> bool:
        return True

    def get(self, _name: str, _default: object = None) -> Switch:
        """Give a switch."""
        return Switch(("stor",))


@pytest.mark.long
def test_every_token_is_one_that_the_compiler_meant() -> None:
    """Each alternative of each match asks for a sender first and for nothing else than the rule does, for any texts."""
    random = Random("syntax")  # noqa: S311 - not a secret
    seen: Counter[str] = Counter()
    for scenario, *_others in scenarios(CLUSTERS, "syntax"):
        for _ in range(VARIANTS):
            tables = _decoded(poisoned(scenario.objects, random), seen)
            desired = compile_everything(tables, Settings(ovn=(25, 3)), Routed()).desired
            for row in desired.rows.values():
                check_tokens(row, desired)
                seen["rows"] += 1
            for members in desired.members().values():
                assert all(map(_is_member, members)), members
    assert min(seen["rows"], seen["objects"], seen["undecodable"]) > 100, seen


def _is_member(text: str) -> bool:
    """Say whether a text can be a member of a set: an address, a prefix, or the name of a port."""
    try:
        ip_network(text)
    except ValueError:
        return PORT.fullmatch(text) is not None
    return True


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
        resource = BY_KIND[ResourceKind(kind)]
        for manifest in manifests:
            try:
                value = resource.decode(wire(manifest)).value
            except DecodeError:
                seen["undecodable"] += 1
                continue
            seen["objects"] += 1
            tables.apply(Change(resource.kind, value.key, None, value))
    return tables
