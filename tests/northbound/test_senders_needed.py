"""What a row that waits may match: nothing, once the sets of its senders are empty. Pure."""

import pytest
from hypothesis import given, settings

from nqosd.api.changes import Change
from nqosd.compiler.definition import compile_everything
from nqosd.compiler.desired import Direction
from nqosd.compiler.incremental import IncrementalCompiler
from nqosd.compiler.rows import POD_PART
from nqosd.compiler.settings import Settings
from nqosd.northbound.plan.senders_needed import needs_senders
from nqosd.northbound.replica.stored import StoredRow
from tests.compiler.worlds import batches
from tests.examples import examples

SETS = frozenset({"set_a", "set_b"})


@pytest.mark.parametrize(
    "match",
    [
        "ip4.src == $set_a",
        "inport == @set_a && ip4",
        "(ip4.src == $set_a && (ip4.dst == $x || ip4.dst == 10.0.0.0/8) && tcp) || (ip6.src == $set_b && ip6)",
        "((ip4.src == $set_a || ip6.src == $set_b)) && tcp",
        'ip4.src == $set_a && inport != "a || b)"',
    ],
)
def test_who_needs_senders(match: str) -> None:
    """Each alternative has a condition that only a member of one of the sets meets."""
    assert needs_senders(match, SETS)


@pytest.mark.parametrize(
    "match",
    [
        "",
        "ip4",
        "ip4.src == $set_c",
        "ip4.src == $set_a || ip4",
        "ip4 || ip4.src == $set_a",
        "(ip4.src == $set_a && tcp) || (ip6 && udp)",
        "ip4.src == $set_a && tcp || udp",
        "!(ip4.src == $set_a)",
        "! (ip4.src == $set_a) && ip4",
        "!(ip4.src == $set_a && tcp) && ip4",
        "ip4.src != $set_a",
        "ip4.dst == $set_a",
        "ip4.src == {$set_a, 10.0.0.1}",
        'inport == "ip4.src == $set_a" || ip4',
        "(ip4.src == $set_a",
        "ip4.src == $set_a) || ip4",
        "ip4.src == $set_a_more",
        "(" * 1_000_000 + "ip4.src == $set_a",
    ],
    ids=lambda match: match[:30],
)
def test_who_may_match_without_senders(match: str) -> None:
    """What somebody edited, and what can't be read."""
    assert not needs_senders(match, SETS)


@given(batches)
@settings(max_examples=examples(100), deadline=None)
def test_each_row_of_a_policy_needs_its_senders(events: list[list[Change]]) -> None:
    """What the compiler writes does nothing without the sets of its senders, unless it is for one pod."""
    compiler = IncrementalCompiler(Settings("nqosd", any_network=True))
    for batch in events:
        compiler.apply(batch)
    for row in compile_everything(compiler.tables, compiler.settings).desired.rows.values():
        stored = StoredRow("", Direction.TO_LPORT, 0, row.match, {}, {}, {})
        if row.key.policy and not row.key.part.startswith(POD_PART):
            assert needs_senders(row.match, stored.sources)
            assert not needs_senders(f"{row.match} || ip4", stored.sources)
