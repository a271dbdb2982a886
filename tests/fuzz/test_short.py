"""A short form of `make fuzz`, without the guidance by coverage, which needs an instrumented process."""

import re
from random import Random

import pytest
from msgspec.structs import replace

from nqosd.api.decoding import ObjectList
from nqosd.cache.tables import Tables
from nqosd.compiler.definition import Compiled, compile_everything
from nqosd.compiler.settings import Settings
from nqosd.informers import answers, reflector
from nqosd.informers.resources import AnyDecoded, Resource
from nqosd.northbound.replica.idl import NorthboundIdl
from tools.fuzz import objects, watches
from tools.fuzz.mutation import flip, mutate
from tools.fuzz.targets import TARGETS

pytestmark = pytest.mark.long

INPUTS = {"objects": 2000, "watches": 2000, "messages": 300}
GENERATIONS = (1, 1, 2, 4)
"""How many mutations an input has gone through."""
ARRIVES = {"objects": ("compiled", "rows", "no object"), "watches": ("complete", "wrong answer", "events")}
"""What must come of some of the inputs: else the target looks at nothing."""


@pytest.mark.parametrize("name", TARGETS)
def test_nothing_that_is_mutated_is_a_find(name: str) -> None:
    """Whatever is changed of an object, a watch or a message, nothing that must never be comes of it."""
    target, random = TARGETS[name](), Random(f"fuzz {name}")  # noqa: S311 (not a secret)
    for seed in target.seeds:
        target.take(seed)
    for _ in range(INPUTS[name]):
        data = random.choice(target.seeds)
        for _ in range(random.choice(GENERATIONS)):
            data = mutate(data, random, lambda text: flip(text, random))
        try:
            target.take(data)
        except Exception as error:
            error.add_note(f"the input: {data!r}")
            raise
    assert all(target.seen[word] for word in ARRIVES.get(name, ())), target.seen


def test_a_token_that_nobody_meant_is_a_find(monkeypatch: pytest.MonkeyPatch) -> None:
    """A match that asks for more than a rule can is seen."""
    target = objects.Objects()

    def careless(tables: Tables, settings: Settings) -> Compiled:
        compiled = compile_everything(tables, settings)
        key, row = next(iter(compiled.desired.rows.items()))
        rows = {**compiled.desired.rows, key: replace(row, match=f"({row.match}) || ip4")}
        return replace(compiled, desired=replace(compiled.desired, rows=rows))

    monkeypatch.setattr(objects, "compile_everything", careless)
    with pytest.raises(AssertionError, match=re.escape("|| ip4")):
        target.take(target.seeds[0])


def test_what_one_tenant_takes_from_another_is_a_find(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the younger of two pods with one address kept it, the older one's set would lack it."""
    target = objects.Objects()
    stolen = next(seed for seed in target.seeds if b"10.244.0.6" in seed).replace(b"10.244.0.6", b"10.244.0.5")
    target.take(stolen)
    monkeypatch.setattr(objects, "LATER", "2026-01-01T00:00:00Z")
    with pytest.raises(AssertionError, match="the other tenant has"):
        target.take(stolen)


def test_a_list_that_is_believed_is_a_find(monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty object that passed for an empty list would delete everything."""
    read_page = answers.read_page

    def believing(body: bytes, resource: Resource) -> tuple[ObjectList, list[AnyDecoded]]:
        return read_page(body, resource) if body != b"{}" else (ObjectList("12", "", ()), [])

    monkeypatch.setattr(reflector.Reflector.page, "__defaults__", (believing,))
    moment = 2  # when something has been listed
    with pytest.raises(AssertionError, match="deleted"):
        watches.Watches().take(bytes([watches.PAGE + 3 * moment]) + b"{}")


def test_a_lock_that_is_believed_is_a_find(monkeypatch: pytest.MonkeyPatch) -> None:
    """An IDL that takes a refused lock for its own is seen."""
    target = TARGETS["messages"]()
    target.take(target.seeds[0])
    monkeypatch.setattr(NorthboundIdl, "holds_lock", property(lambda self: self.is_synced))
    refusal = next(seed for seed in target.seeds if b'"locked":true' in seed).replace(b"true", b"false")
    with pytest.raises(AssertionError, match="a lock that the server didn't give"):
        target.take(refusal)
