"""The compiler against the oracle: one cluster, many packets, two opinions.

In: a scenario. Out: the differences between what the oracle says a packet deserves and what the compiled rows do to it,
and those that show without a packet. Rule: the two share nothing but the manifests; rows reach the oracle's side as the
document that `nqosd compile` prints.
"""

import itertools
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from enum import StrEnum

import attrs
from msgspec.structs import replace

from nqosd.api.changes import Change, ResourceKind
from nqosd.cache.tables import Tables
from nqosd.commands.compiled_document import CompiledDocument, document
from nqosd.compiler.definition import compile_everything
from nqosd.compiler.settings import Settings, parse_ovn_version
from nqosd.compiler.switches import Switch, Switches
from nqosd.config.options import Limits
from tests.informers.wire import BY_KIND
from tests.oracle.decoded import Object
from tests.oracle.meaning import Decision, Oracle, UndecidedError, read_meaning
from tests.oracle.networks import DEFAULT
from tests.oracle.packet import Packet
from tests.oracle.probes import Send
from tests.oracle.rows import AmbiguousError, Result, Rows, pipeline_of, read_rows
from tests.proof.meters import Meters
from tests.proof.scenarios import Scenario

OWNER = "nqosd"


class Outcome(StrEnum):
    """How the two opinions about one packet relate."""

    RULE = "a rule"
    NO_RULE = "no rule"
    LEFT_OUT = "left out"
    DIFFERENT = "different"


@attrs.frozen
class Verdict:
    """What both sides say about a packet; `message` is for a person and empty where they agree."""

    outcome: Outcome
    message: str = ""
    decision: Decision | None = None
    result: Result | None = None


@attrs.frozen
class Comparison:
    """How many packets had which outcome, and every difference, with its packet where it shows at one."""

    outcomes: Counter[Outcome]
    different: tuple[tuple[Send | None, str], ...]


@attrs.frozen
class Case:
    """One scenario, seen from both sides."""

    scenario: Scenario
    oracle: Oracle
    compiled: CompiledDocument
    rows: Rows

    @classmethod
    def of(cls, scenario: Scenario, *, owner: str = OWNER) -> "Case":
        """Compile the manifests, and read them.

        Raises:
            MatchSyntaxError: OVN would refuse a compiled match.
        """
        oracle = read_meaning(scenario.objects, **scenario.options)
        printed = compiled(scenario, oracle, owner)
        return cls(scenario, oracle, printed, read_rows(printed, pipeline_of(scenario.version)))

    def recompiled(self) -> "Case":
        """Compile once more, by whatever the compiler is now."""
        printed = compiled(self.scenario, self.oracle)
        rows = read_rows(printed, pipeline_of(self.scenario.version))
        return attrs.evolve(self, compiled=printed, rows=rows)

    def compare(self, sends: Iterable[Send]) -> "Comparison":
        """Compare everything: what shows without a packet, each packet, and who shares a limit with whom."""
        outcomes: Counter[Outcome] = Counter()
        standing = itertools.chain(self._standing_differences(), self._bound_differences())
        different: list[tuple[Send | None, str]] = [(None, message) for message in standing]
        meters = Meters()
        for send in sends:
            verdict = self.judge(send)
            outcomes[verdict.outcome] += 1
            if verdict.outcome is Outcome.DIFFERENT:
                different.append((send, verdict.message))
            elif verdict.decision is not None and verdict.result is not None:
                meters.note(self.oracle, send, verdict.decision, verdict.result)
        different += [(None, message) for message in meters.differences(self.oracle)]
        return Comparison(outcomes, tuple(different))

    def judge(self, send: Send) -> Verdict:
        """Compare what a packet deserves with what it gets."""
        packet: Packet = send.packet
        try:
            decision = self.oracle.decide(send.sender, packet)
        except UndecidedError as error:
            return Verdict(Outcome.LEFT_OUT, str(error))
        try:
            result = self.rows.treat(send.sender.switch, packet)
            again = self._limited_again(send)
        except AmbiguousError as error:
            return Verdict(Outcome.DIFFERENT, f"{send}: {error}")
        if decision is None and result is None:
            return Verdict(Outcome.NO_RULE)
        if result is not None and len({_namespace(winner) for winner in result.winners}) > 1:
            # Before 24.09 a packet whose source is an address of pods of two namespaces, or is taken by a sender
            # without addresses from another namespace's pod, meets both namespaces' rows, and shields stand among the
            # rules of one namespace only: nothing is promised for it.
            return Verdict(Outcome.LEFT_OUT, f"{send}: meets rows of two namespaces")
        if decision is None or result is None or not _is(decision, result):
            message = f"{send}: deserves {decision}, gets {result}"
        elif again is not None:
            message = f"{send}: comes back from the router, and gets {again}"
        else:
            return Verdict(Outcome.RULE, "", decision, result)
        return Verdict(Outcome.DIFFERENT, message, decision, result)

    def _limited_again(self, send: Send) -> Result | None:
        """Send a packet through its own switch once more, as a router does that chose a pod on it for a service."""
        back = self.oracle.cluster.networks.way_back(send.sender.network, send.sender.switch)
        if not back.is_known_for(send.packet.source, send.sender.addresses):
            return None
        packets = (attrs.evolve(send.packet, inport=port) for port in back.ports)
        results = (self.rows.treat(send.sender.switch, packet) for packet in packets)
        return next((each for each in results if each is not None and each.treatment.rate is not None), None)

    def _standing_differences(self) -> Iterator[str]:
        """Compare which policies are applied, and on which switches and in which direction their rows stand."""
        for entry in self.compiled["policies"]:
            key = f"{entry['namespace']}/{entry['name']}"
            expected = key in self.oracle.applied
            if entry["ready"] != expected:
                yield f"{key}: ready is {entry['ready']}, and should be {expected}: {entry['problems']}"
            elif not expected and not (entry["problems"] and all(problem["field"] for problem in entry["problems"])):
                yield f"{key}: not ready, without a field that says why: {entry['problems']}"
        known = {DEFAULT, *(nad.network for nad in self.oracle.cluster.networks.nads.values())}
        for row in self.compiled["qos"]:
            key, network = row["external_ids"].get("nqosd.io/policy", ""), row["external_ids"]["nqosd.io/network"]
            if network not in known:
                yield f"{key}: a row on network {network}, which no definition that counts is of"
                continue
            direction = self.oracle.cluster.networks.direction(network)
            if row["direction"] != direction:
                yield f"{key}: a row on network {network} is {row['direction']}, and should be {direction}"
            if not key:
                continue
            policy = self.oracle.applied.get(key)
            for switch in row["switches"]:
                if policy is None or (network, switch) not in policy.sources:
                    yield f"{key}: a row stands on switch {switch}, on which this policy has no sender"

    def _bound_differences(self) -> Iterator[str]:
        """Compare which policies are beyond limits of members that some of them are at, and some beyond."""
        figures = sorted(each.total for each in self.oracle.members.values() if each.total) or [1]
        most = figures[len(figures) // 2]
        limits = Limits(members=most, namespace_members=most * 3 // 2)
        settings = replace(settings_of(self.scenario), limits=limits)
        found = compile_everything(tables_of(self.scenario.objects), settings, _switches(self.oracle))
        expected = self.oracle.beyond(limits.members, limits.namespace_members)
        for report in found.reports:
            is_beyond = any(problem.limit.endswith("members") for problem in report.problems)
            if is_beyond != (report.key in expected):
                yield f"{report.key}: beyond {limits.members} members is {is_beyond}: {report.problems}"


def compiled(scenario: Scenario, oracle: Oracle, owner: str = OWNER) -> CompiledDocument:
    """Compile a scenario for a database with the switches of an oracle, and print and read the result."""
    found = compile_everything(tables_of(scenario.objects), settings_of(scenario, owner), _switches(oracle))
    printed: CompiledDocument = json.loads(json.dumps(document(found.desired, found.reports, owner)))
    return printed


def settings_of(scenario: Scenario, owner: str = OWNER) -> Settings:
    """Give the settings of a scenario."""
    return Settings(
        owner=owner,
        zone=scenario.options["zone"] or "",
        ovn=parse_ovn_version(scenario.version),
        any_network=scenario.options["unselected_networks"] == "all",
    )


def _switches(oracle: Oracle) -> Switches:
    """Give the switches that senders are on, with their ports to routers and underlays."""
    networks = oracle.cluster.networks
    return {each.switch: Switch(networks.uplinks(each.network, each.switch)) for each in oracle.senders}


def tables_of(objects: Mapping[str, Iterable[Object]]) -> Tables:
    """Decode manifests into tables."""
    tables = Tables()
    for change in changes_of(objects):
        tables.apply(change)
    return tables


def changes_of(objects: Mapping[str, Iterable[Object]]) -> Iterator[Change]:
    """Decode manifests, through the bytes that an API server would send."""
    for kind, manifests in objects.items():
        resource = BY_KIND[ResourceKind(kind)]
        for manifest in manifests:
            value = resource.decode(json.dumps(manifest).encode()).value
            yield Change(resource.kind, value.key, None, value)


def _is(decision: Decision, result: Result) -> bool:
    winner = {"nqosd.io/policy": decision.policy, "nqosd.io/rule": str(decision.rule)}
    return decision.treatment == result.treatment and all(winner.items() <= each.items() for each in result.winners)


def _namespace(winner: Mapping[str, str]) -> str:
    return winner["nqosd.io/policy"].partition("/")[0]
