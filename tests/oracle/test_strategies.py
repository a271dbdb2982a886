"""The generated cases: they are well formed, and they reach both sides of every verdict."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from random import Random

import attrs
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.examples import examples
from tests.oracle.cluster_strategies import Manifest
from tests.oracle.decoded import at, mapping, object_key, sequence
from tests.oracle.meaning import Decision, Oracle, UndecidedError, read_meaning
from tests.oracle.policy_strategies import policies
from tests.oracle.probes import Send, boundaries, probes
from tests.oracle.rules import Block, Entry, Ports, Rule
from tests.oracle.strategies import clusters
from tests.oracle.strategies import settings as zone_settings
from tests.oracle.validity import problems

pytestmark = pytest.mark.long

SLOW = list(HealthCheck)


@attrs.frozen
class Case:
    """A generated cluster, what it means, and packets."""

    objects: Mapping[str, list[Manifest]]
    oracle: Oracle
    sent: tuple[Send, ...]

    def decisions(self, oracle: Oracle) -> list[Decision | str | None]:
        """What an oracle says about the packets."""
        found: list[Decision | str | None] = []
        for send in self.sent:
            try:
                found.append(oracle.decide(send.sender, send.packet))
            except UndecidedError:
                found.append("undecided")
        return found


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """A cluster with a hundred packets, if anything can send."""
    objects = draw(clusters())
    oracle = read_meaning(objects, **draw(zone_settings()))
    around = boundaries(objects, oracle)
    return Case(objects, oracle, tuple(probes(oracle, around, draw(st.integers(0, 1 << 32).map(Random)), 100)))


@pytest.fixture(scope="module")
def sample() -> list[Case]:
    """The same few hundred cases each time."""
    collected: list[Case] = []

    @settings(max_examples=300, database=None, derandomize=True, deadline=None, suppress_health_check=SLOW,
              phases=[Phase.generate])  # fmt: skip
    @given(cases())
    def collect(case: Case) -> None:
        collected.append(case)

    collect()
    return collected


@given(policies(valid=True))
@settings(max_examples=examples(200), deadline=None, suppress_health_check=SLOW)
def test_valid_policies_are_valid(policy: Manifest) -> None:
    """A policy that is generated as a valid one has no problems."""
    assert problems(policy) == ()


@given(policies(valid=False))
@settings(max_examples=examples(100), deadline=None, suppress_health_check=SLOW)
def test_spoilt_policies_are_invalid(policy: Manifest) -> None:
    """A policy that is generated as an invalid one has exactly one problem."""
    assert len(problems(policy)) == 1


def test_sample_is_varied(sample: list[Case]) -> None:
    """The cases hold every kind of pod, network, policy and outcome that the definition tells apart."""
    seen = Counter[str]()
    for case in sample:
        seen.update(_kinds(case))
    missing = [kind for kind in _KINDS if not seen[kind]]
    assert missing == []
    decisions = [found for case in sample for found in case.decisions(case.oracle)]
    taken = sum(found is not None for found in decisions) / len(decisions)
    assert 0.15 < taken < 0.6


_KINDS = (
    "invalid", "crowded out", "two directions", "no address", "decided", "nothing", "limited", "per pod",
    "from-lport decided", "to-lport decided", "by port", "IPv4 decided", "IPv6 decided", "rule 0", "rule 1", "rule 2",
    "live twins", "ended", "leaving", "on host", "unreadable",
)  # fmt: skip


def _kinds(case: Case) -> Iterable[str]:
    oracle, pods = case.oracle, case.objects["Pod"]
    yield from ("invalid" for _ in oracle.problems)
    yield from ("crowded out" for _ in oracle.crowded_out)
    yield from ("per pod" for policy in oracle.applied.values() if policy.limit_per_pod)
    if len({sender.direction for sender in oracle.senders}) == 2:
        yield "two directions"
    owners = Counter((sender.network, address) for sender in oracle.senders for address in sender.addresses)
    yield from ("live twins" for count in owners.values() if count > 1)
    yield from ("no address" for sender in oracle.senders if sender.can_be_source and not sender.addresses)
    yield from ("ended" for pod in pods if at(pod, "status", "phase") in ("Succeeded", "Failed"))
    yield from ("leaving" for pod in pods if at(pod, "metadata", "deletionTimestamp"))
    yield from ("on host" for pod in pods if at(pod, "spec", "hostNetwork"))
    yield from ("unreadable" for pod in pods if not oracle.cluster.pods[object_key(pod)].attachments)
    for send, decision in zip(case.sent, case.decisions(oracle), strict=True):
        if not isinstance(decision, Decision):
            yield decision or "nothing"
            continue
        yield from ("decided", f"rule {decision.rule}", f"{send.sender.direction} decided")
        yield f"IPv{send.packet.source.version} decided"
        if decision.treatment.rate is not None:
            yield "limited"
        if not send.sender.addresses:
            yield "by port"


Mutation = Callable[[Rule], Rule]


def _blocks(change: Callable[[Block], Block]) -> Mutation:
    """A mutation of every block of `to`."""

    def entry(found: Entry) -> Entry:
        return change(found) if isinstance(found, Block) else found

    return lambda rule: attrs.evolve(rule, to=tuple(entry(found) for found in rule.to))


def _ports(change: Callable[[Ports], Ports]) -> Mutation:
    return lambda rule: attrs.evolve(rule, ports=tuple(change(found) for found in rule.ports))


MUTATIONS: Mapping[str, Mutation] = {
    "families swapped": _blocks(lambda block: attrs.evolve(block, version=10 - block.version)),
    "exceptions dropped": _blocks(lambda block: attrs.evolve(block, excepted=())),
    "last exception dropped": _blocks(lambda block: attrs.evolve(block, excepted=block.excepted[:-1])),
    "exceptions one too long": _blocks(
        lambda block: attrs.evolve(block, excepted=tuple((first, last + 1) for first, last in block.excepted))
    ),
    "blocks begin one later": _blocks(lambda block: attrs.evolve(block, first=block.first + 1)),
    "blocks end one later": _blocks(lambda block: attrs.evolve(block, last=block.last + 1)),
    "blocks end one earlier": _blocks(lambda block: attrs.evolve(block, last=block.last - 1)),
    "from ignored": lambda rule: attrs.evolve(rule, from_=()),
    "to ignored": lambda rule: attrs.evolve(rule, to=()),
    "ports ignored": lambda rule: attrs.evolve(rule, ports=()),
    "protocol is always TCP": _ports(lambda entry: attrs.evolve(entry, protocol="tcp")),
    "ports end one later": _ports(
        lambda entry: attrs.evolve(entry, ports=range(entry.ports.start, entry.ports.stop + 1))
    ),
    "port numbers ignored": _ports(lambda entry: attrs.evolve(entry, ports=range(65536))),
    "first entry of ports only": lambda rule: attrs.evolve(rule, ports=rule.ports[:1]),
    "first entry of to only": lambda rule: attrs.evolve(rule, to=rule.to[:1]),
    "dscp off by one": lambda rule: attrs.evolve(rule, dscp=rule.dscp ^ 1),
    "rate dropped": lambda rule: attrs.evolve(rule, rate=None, burst=None),
    "burst dropped": lambda rule: attrs.evolve(rule, burst=None),
}


def _mutant(oracle: Oracle, mutation: Mutation) -> Oracle:
    """An oracle whose every rule is changed."""
    applied = {
        key: attrs.evolve(
            policy, rules={network: tuple(map(mutation, rules)) for network, rules in policy.rules.items()}
        )
        for key, policy in oracle.applied.items()
    }
    return attrs.evolve(oracle, applied=applied)


@pytest.mark.parametrize("name", MUTATIONS)
def test_packets_tell_a_mutant_apart(sample: list[Case], name: str) -> None:
    """Some packet of the sample shows that a changed meaning is another one."""
    assert any(case.decisions(_mutant(case.oracle, MUTATIONS[name])) != case.decisions(case.oracle) for case in sample)


def test_packets_tell_rule_order_apart(sample: list[Case]) -> None:
    """Some packet of the sample takes another rule when the rules stand in reverse."""

    def reversed_rules(case: Case) -> Oracle:
        turned = [
            {
                **policy,
                "spec": {**mapping(policy, "spec"), "egress": list(reversed(sequence(policy, "spec", "egress")))},
            }
            for policy in case.objects["NetworkQoS"]
        ]
        return read_meaning({**case.objects, "NetworkQoS": turned})

    def marks(case: Case, oracle: Oracle) -> list[int | None]:
        return [found.dscp if isinstance(found, Decision) else None for found in case.decisions(oracle)]

    whole = [attrs.evolve(case, oracle=read_meaning(case.objects)) for case in sample]
    assert any(marks(case, reversed_rules(case)) != marks(case, case.oracle) for case in whole)
