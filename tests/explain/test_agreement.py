"""Explanations and the oracle agree: one packet, two opinions that share nothing but the manifests."""

from hypothesis import given, settings
from hypothesis import strategies as st

from nqosd.api.objects import DEFAULT_NETWORK, Attachment
from nqosd.compiler.settings import Settings, parse_ovn_version
from nqosd.explain.decide import attachment_verdict
from nqosd.explain.question import Question, Transport
from nqosd.explain.verdict import AttachmentVerdict, PolicyReason, RuleOutcome
from nqosd.explain.world import World
from tests.examples import examples
from tests.oracle.cluster import Sender
from tests.oracle.cluster_strategies import Manifest
from tests.oracle.meaning import Oracle, UndecidedError, read_meaning
from tests.oracle.networks import logical_port
from tests.oracle.ovn_match import define, parse
from tests.oracle.packet import Packet
from tests.oracle.probes import Send
from tests.oracle.strategies import Settings as Options
from tests.oracle.strategies import clusters
from tests.oracle.strategies import settings as options
from tests.proof.agreement import tables_of
from tests.proof.scenarios import VERSIONS, Scenario, packets

PACKETS = 60


def world_of(objects: dict[str, list[Manifest]], option: Options, version: str) -> World:
    """Compile a scenario."""
    ours = Settings(
        zone=option["zone"] or "",
        ovn=parse_ovn_version(version),
        any_network=option["unselected_networks"] == "all",
    )
    return World.of(tables_of(objects), ours)


def explained(world: World, sender: Sender, packet: Packet) -> AttachmentVerdict:
    """Explain a packet that the oracle's sender sends."""
    pod = world.tables.pods[sender.pod]
    by_port = {logical_port(each.key, pod.namespace, pod.name): each for each in pod.attachments}
    # to the oracle every pod is on the default network, with an address there or not
    attachment = by_port.get(sender.port) or Attachment(DEFAULT_NETWORK)
    question = Question(
        pod.key, packet.destination, Transport(packet.protocol), packet.port, sender.network, packet.source
    )
    return attachment_verdict(question, pod, attachment, world)


def compare(world: World, oracle: Oracle, send: Send) -> RuleOutcome | None:
    """Hold both opinions on one packet against each other; gives what became of it, None for nothing to compare."""
    try:
        decision = oracle.decide(send.sender, send.packet)
    except UndecidedError:
        return None
    verdict = explained(world, send.sender, send.packet)
    winner = verdict.winner
    assert verdict.obstacle == ""
    assert (verdict.network, verdict.switch) == (send.sender.network, send.sender.switch)
    if decision is None or winner is None:
        assert (decision, winner, verdict.matching) == (None, None, ()), send
        return RuleOutcome.NO_MATCH
    limit = (None, None) if winner.limit is None else (winner.limit.rate, winner.limit.burst)
    assert (winner.policy, winner.index) == (decision.policy, decision.rule), send
    assert (winner.dscp, *limit) == (decision.dscp, decision.rate, decision.burst)
    hits_the_row(world, verdict, send.packet)
    return RuleOutcome.WINS


def hits_the_row(world: World, verdict: AttachmentVerdict, packet: Packet) -> None:
    """Check that the rows that the winner and the losers name are there, that the packet hits each, and in order."""
    sets = {name: sorted(each.addresses) for name, each in world.desired.address_sets.items()}
    groups = {name: sorted(each.ports) for name, each in world.desired.port_groups.items()}
    priorities = []
    for rule in verdict.matching:
        assert rule.row is not None
        assert rule.row.priority == rule.priority
        assert rule.row.direction == verdict.direction
        assert (rule.row.key.policy, rule.row.key.rule) == (rule.policy, rule.index)
        assert parse(rule.row.match).bind(define(sets, groups))(packet), (rule.row, packet)
        priorities.append(rule.priority)
    assert priorities == sorted(priorities, reverse=True)


@given(clusters(), options(), st.integers(0, 999))
@settings(max_examples=examples(150), deadline=None, derandomize=True, database=None)
def test_the_winner_is_the_oracles(objects: dict[str, list[Manifest]], option: Options, seed: int) -> None:
    """For any cluster and packet the winner is the rule that the oracle names, and the packet hits its row."""
    for version in VERSIONS:
        oracle = read_meaning(objects, **option)
        world = world_of(objects, option, version)
        for send in packets(Scenario(objects, option, version), oracle, PACKETS, str(seed)):
            compare(world, oracle, send)


@given(clusters(), options(), st.integers(0, 999))
@settings(max_examples=examples(100), deadline=None, derandomize=True, database=None)
def test_every_policy_has_its_reason(objects: dict[str, list[Manifest]], option: Options, seed: int) -> None:
    """Each policy appears once; it is called invalid, tied or selecting exactly where the oracle says so."""
    oracle = read_meaning(objects, **option)
    world = world_of(objects, option, VERSIONS[-1])
    for send in packets(Scenario(objects, option, VERSIONS[-1]), oracle, 10, str(seed)):
        verdict = explained(world, send.sender, send.packet)
        assert [each.key for each in verdict.policies] == list(dict.fromkeys(each.key for each in verdict.policies))
        assert {each.key for each in verdict.policies} == world.tables.policies.keys()
        place = (send.sender.network, send.sender.switch)
        for each in verdict.policies:
            assert (each.reason is PolicyReason.INVALID) == (each.key in oracle.problems)
            assert (each.reason is PolicyReason.TOO_MANY_TIES) == (each.key in oracle.crowded_out)
            applied = oracle.applied.get(each.key)
            sources = None if applied is None else applied.sources.get(place)
            selected = sources is not None and sources.sent(send.sender, send.packet)
            assert (each.reason is PolicyReason.SELECTED) == selected, (each, send)
            assert selected or not each.rules
            assert each.detail


def test_generated_packets_find_winners() -> None:
    """The comparison is about something: among the generated packets many take a rule, and many take none."""
    found: dict[RuleOutcome | None, int] = {}

    @given(clusters(), options())
    @settings(max_examples=150, deadline=None, derandomize=True, database=None)
    def count(objects: dict[str, list[Manifest]], option: Options) -> None:
        oracle, world = read_meaning(objects, **option), world_of(objects, option, VERSIONS[-1])
        for send in packets(Scenario(objects, option, VERSIONS[-1]), oracle, 20, "0"):
            outcome = compare(world, oracle, send)
            found[outcome] = found.get(outcome, 0) + 1

    count()
    assert found[RuleOutcome.WINS] > 100
    assert found[RuleOutcome.NO_MATCH] > 100
