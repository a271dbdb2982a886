"""Malformed objects, of every kind and in great number: none raises, and none that is refused disturbs others."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from random import Random

import attrs
import pytest

from nqosd.api.changes import Change, Object, ResourceKind
from nqosd.api.decoding import DecodeError
from nqosd.api.networkqos import NetworkQoS
from nqosd.api.objects import Pod
from nqosd.cache.tables import Tables
from nqosd.commands.compiled_document import document
from nqosd.compiler.definition import compile_everything
from nqosd.compiler.incremental import IncrementalCompiler
from nqosd.compiler.settings import Settings
from tests.informers.wire import BY_KIND
from tests.oracle.cluster_strategies import Manifest, manifest
from tests.oracle.examples import node
from tests.oracle.rows import read_rows
from tests.proof.agreement import OWNER, changes_of
from tests.proof.malformed import malformed
from tests.proof.rarities import rarities
from tests.proof.scenarios import scenarios

pytestmark = pytest.mark.long

ROUNDS = 50
OBJECTS_OF_A_KIND = 25
POLICIES = 65
SEED = "malformed"
SETTINGS = Settings(owner=OWNER, ovn=(25, 3))


@attrs.frozen
class Round:
    """A healthy cluster, and what became of the malformed objects beside it."""

    healthy: tuple[Change, ...]
    undecodable: Counter[ResourceKind]
    refused: tuple[Change, ...]
    accepted: tuple[Change, ...]


@pytest.fixture(scope="module")
def rounds() -> list[Round]:
    """Decode malformed objects beside healthy clusters; only a `DecodeError` may come of it."""
    random = Random(SEED)  # noqa: S311 - not a secret
    generated = [versions[0] for versions in scenarios(2 * ROUNDS, SEED)]
    healthy = [each for each in (*rarities()[::2], *reversed(generated)) if each.objects.get("Pod")][:ROUNDS]
    return [_round(each.objects, random) for each in healthy]


def test_there_are_enough_and_of_every_kind(rounds: list[Round]) -> None:
    """At least 10,000 objects are tried, and of every kind some are undecodable, some refused and some accepted."""
    undecodable = Counter[ResourceKind]()
    for each in rounds:
        undecodable += each.undecodable
    refused = Counter(change.kind for each in rounds for change in each.refused)
    accepted = Counter(change.kind for each in rounds for change in each.accepted)
    assert undecodable.total() + refused.total() + accepted.total() >= 10_000
    for kind in ResourceKind:
        assert min(undecodable[kind], refused[kind], accepted[kind]) > 50, (kind, undecodable, refused, accepted)


def test_every_refused_policy_says_where(rounds: list[Round]) -> None:
    """A policy that is refused names at least one field, and every problem has a path and a message."""
    policies = [change.new for each in rounds for change in each.refused if isinstance(change.new, NetworkQoS)]
    assert policies != []
    for policy in policies:
        assert policy.spec is None
        assert policy.problems
        for problem in policy.problems:
            assert problem.field.startswith(("spec", "metadata"))
            assert problem.message


def test_whatever_is_accepted_compiles_to_rows_that_ovn_reads(rounds: list[Round]) -> None:
    """All objects together compile, in one go and incrementally alike, and every match of theirs parses."""
    for each in rounds:
        changes = [*each.healthy, *each.accepted, *each.refused]
        whole = compile_everything(_tables(changes), SETTINGS)
        step_by_step = IncrementalCompiler(SETTINGS)
        for change in changes:
            step_by_step.apply([change])
        assert step_by_step.desired == whole.desired
        assert read_rows(document(whole.desired, whole.reports, OWNER), "one table").rows or not whole.desired.rows
        refused = {change.key for change in each.refused if change.kind is ResourceKind.NETWORK_QOS}
        reports = {report.key: report for report in whole.reports}
        for key in refused:
            assert not reports[key].ready
            assert all(problem.field for problem in reports[key].problems)
            assert reports[key].problems


def test_refused_objects_leave_the_rows_of_others_alone(rounds: list[Round]) -> None:
    """A healthy cluster's rows, sets and reports are the same with the refused objects and without them."""
    rows = 0
    for each in rounds:
        alone = compile_everything(_tables(each.healthy), SETTINGS)
        beside = compile_everything(_tables([*each.healthy, *each.refused]), SETTINGS)
        assert beside.desired == alone.desired
        kept = {report.key for report in alone.reports}
        assert [report for report in beside.reports if report.key in kept] == list(alone.reports)
        rows += len(alone.desired.rows)
    assert rows > ROUNDS


def _round(objects: Mapping[str, list[Manifest]], random: Random) -> Round:
    healthy = tuple(changes_of(objects))
    undecodable = Counter[ResourceKind]()
    refused: list[Change] = []
    accepted: list[Change] = []
    taken = {(change.kind, change.key) for change in healthy}
    for kind in ResourceKind:
        for number in range(POLICIES if kind is ResourceKind.NETWORK_QOS else OBJECTS_OF_A_KIND):
            base = random.choice(objects.get(kind) or _BASES[kind])
            named = {**base, "metadata": {**_metadata(base), "name": f"bad-{number}"}}
            try:
                value: Object = BY_KIND[kind].decode(malformed(named, random)).value
            except DecodeError:
                undecodable[kind] += 1
                continue
            if (kind, value.key) in taken:
                continue
            taken.add((kind, value.key))
            (refused if _counts_for_nothing(value) else accepted).append(Change(kind, value.key, None, value))
    return Round(healthy, undecodable, tuple(refused), tuple(accepted))


def _counts_for_nothing(value: Object) -> bool:
    if isinstance(value, NetworkQoS):
        return bool(value.problems)
    return value.problem is not None and not (isinstance(value, Pod) and value.attachments)


def _metadata(base: Manifest) -> Manifest:
    metadata = base["metadata"]
    assert isinstance(metadata, dict)
    return metadata


def _tables(changes: Iterable[Change]) -> Tables:
    tables = Tables()
    for change in changes:
        tables.apply(change)
    return tables


def _bases() -> Iterator[Manifest]:
    for scenario in rarities():
        for manifests in scenario.objects.values():
            yield from manifests
    yield manifest("UserDefinedNetwork", "red", "own", labels={"tier": "a"})
    yield node("n1", "z1")


_BASES = {kind: [each for each in _bases() if each["kind"] == kind] for kind in ResourceKind}
"""Valid manifests of every kind, for clusters that have none of it."""
