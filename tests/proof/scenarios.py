"""Scenarios: a cluster with policies, the settings, and the version of OVN that its rows are for.

In: a seed. Out: scenarios and packets, the same ones each time for one seed; and any of them as a file and back. Rule:
a file holds everything that it takes to see a difference again.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from ipaddress import ip_address
from random import Random

import attrs
from hypothesis import HealthCheck, Phase, given, seed, settings

from tests.oracle.cluster_strategies import Manifest
from tests.oracle.decoded import Object, at, mapping, sequence, text
from tests.oracle.meaning import Oracle
from tests.oracle.packet import Packet
from tests.oracle.probes import Send, boundaries, probes
from tests.oracle.strategies import Settings as Options
from tests.oracle.strategies import clusters
from tests.oracle.strategies import settings as options

VERSIONS = ("23.03.1-20.27.4-69.4", "25.03.0-20.41.0-77.6")
"""NB_Global.options:northd_internal_version of an OVN of each generation: marks and meters apart, and in one table."""

NO_PACKET: Object = {}
"""What stands for a packet where none matters."""


@attrs.frozen
class Scenario:
    """Manifests by kind, the settings of zone and networks, and a version of OVN."""

    objects: Mapping[str, list[Manifest]]
    options: Options
    version: str


def scenarios(how_many: int, of_seed: str) -> list[tuple[Scenario, ...]]:
    """Generate at most `how_many` distinct clusters, each as a scenario for every version of OVN."""
    found: dict[str, tuple[Scenario, ...]] = {}

    @seed(of_seed)
    @settings(
        max_examples=how_many,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(clusters(), options())
    def collect(objects: dict[str, list[Manifest]], option: Options) -> None:
        every = tuple(Scenario(objects, option, version) for version in VERSIONS)
        found.setdefault(json.dumps([objects, option]), every)

    run: Callable[[], None] = collect
    run()
    return list(found.values())


def packets(scenario: Scenario, oracle: Oracle, how_many: int, of_seed: str) -> list[Send]:
    """Generate at most `how_many` distinct packets for a scenario, from both sides of every boundary."""
    around = boundaries(scenario.objects, oracle)
    return list(dict.fromkeys(probes(oracle, around, Random(of_seed), how_many)))  # noqa: S311 - not a secret


def describe(send: Send | None) -> Object:
    """Write a packet and its sender as JSON takes them; `NO_PACKET` for none."""
    if send is None:
        return NO_PACKET
    packet = send.packet
    return {
        "pod": send.sender.pod,
        "inport": send.sender.port,
        "source": str(packet.source),
        "destination": str(packet.destination),
        "protocol": packet.protocol,
        "port": packet.port,
    }


def to_text(scenario: Scenario, packet: Object, seed: str) -> str:
    """Write a scenario, the packet that matters in it, and the seed of its other packets, as JSON."""
    objects = {kind: manifests for kind, manifests in scenario.objects.items() if manifests}
    parts = {"version": scenario.version, "options": scenario.options, "objects": objects}
    return json.dumps({**parts, "packet": packet, "seed": seed}, indent=2) + "\n"


def from_text(written: str) -> tuple[Scenario, Object, str]:
    """Read what `to_text` wrote."""
    read = json.loads(written)
    choice = Options(zone=read["options"]["zone"], unselected_networks=read["options"]["unselected_networks"])
    return Scenario(read["objects"], choice, read["version"]), read["packet"], read["seed"]


def find_send(oracle: Oracle, packet: Object) -> Send | None:
    """Find the sender of a packet that was written as JSON; None where it can't send here."""
    for sender in oracle.senders:
        if (sender.pod, sender.port) == (packet.get("pod"), packet.get("inport")):
            port = packet.get("port")
            return Send(
                sender,
                Packet(
                    ip_address(text(packet, "source")),
                    ip_address(text(packet, "destination")),
                    text(packet, "protocol"),
                    port if isinstance(port, int) else None,
                    inport=sender.port,
                ),
            )
    return None


def smaller(scenario: Scenario) -> Iterator[Scenario]:
    """Give scenarios with one object, one rule or one entry of a rule less."""
    for kind, manifests in scenario.objects.items():
        for index in range(len(manifests)):
            yield _with(scenario, kind, [*manifests[:index], *manifests[index + 1 :]])
    policies = scenario.objects.get("NetworkQoS", [])
    for index, policy in enumerate(policies):
        for spec in _smaller_specs(mapping(policy, "spec")):
            yield _with(scenario, "NetworkQoS", [*policies[:index], {**policy, "spec": spec}, *policies[index + 1 :]])


def _smaller_specs(spec: Object) -> Iterator[Object]:
    rules = sequence(spec, "egress")
    for index, rule in enumerate(rules):
        yield {**spec, "egress": [*rules[:index], *rules[index + 1 :]]}
        for part in mapping(rule, "classifier"):
            entries = sequence(rule, "classifier", part)
            for position in range(len(entries)):
                rest = [*entries[:position], *entries[position + 1 :]]
                classifier = {**mapping(rule, "classifier"), part: rest}
                turned = {**mapping(rule), "classifier": classifier}
                yield {**spec, "egress": [*rules[:index], turned, *rules[index + 1 :]]}
    for field in ("podSelector", "networkSelectors"):
        if at(spec, field) is not None:
            yield {key: value for key, value in spec.items() if key != field}


def _with(scenario: Scenario, kind: str, manifests: list[Manifest]) -> Scenario:
    return attrs.evolve(scenario, objects={**scenario.objects, kind: manifests})
