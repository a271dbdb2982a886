"""Which networks policies select costs what changed, however many policies and definitions there are."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any
from unittest.mock import Mock

import attrs
import pytest
from msgspec.structs import replace

from nqosd.api.changes import Change, ResourceKind
from nqosd.api.labels import EVERYTHING, LabelSelector, Operator, Requirement
from nqosd.api.networkqos import EgressRule, NetworkQoS, NetworkQoSSpec, NetworkSelectionType, NetworkSelector
from nqosd.api.objects import Attachment, NetworkAttachment, Pod, Topology, UserDefinedNetwork
from nqosd.compiler import address_ranges, selected_networks
from nqosd.compiler.definition import compile_everything
from nqosd.compiler.effective_policies import Standings
from nqosd.compiler.incremental import IncrementalCompiler
from nqosd.compiler.network_switches import TOLD
from nqosd.compiler.settings import Settings
from nqosd.config.options import Limits

MANY = TOLD + 10
POLICIES = 10
"""As many as may share a priority."""


def definition(number: int, network: str = "", topology: Topology = Topology.LAYER2) -> NetworkAttachment:
    """Give a definition with a label that no other has."""
    name = f"d{number:03}"
    created = f"2026-01-01T00:00:00Z{name}"
    labels = {"name": name, "change": "0"}
    return NetworkAttachment("a", name, labels, network or f"net{number}", topology, created=created)


def policy(number: int, priority: int = 1) -> NetworkQoS:
    """Give a policy for all networks but one."""
    but = LabelSelector.of([Requirement("name", Operator.NOT_IN, (f"d{number:03}",))])
    selector = NetworkSelector(NetworkSelectionType.NETWORK_ATTACHMENT_DEFINITIONS, EVERYTHING, but)
    spec = NetworkQoSSpec(priority, (EgressRule(1),), network_selectors=(selector,))
    return NetworkQoS("a", f"p{number}", spec=spec)


def put(*objects: NetworkAttachment | NetworkQoS) -> list[Change]:
    """Give objects as they come in."""
    kinds = {NetworkAttachment: ResourceKind.NETWORK_ATTACHMENT_DEFINITION, NetworkQoS: ResourceKind.NETWORK_QOS}
    return [Change(kinds[type(each)], each.key, None, each) for each in objects]


def compiled(
    objects: Iterable[NetworkAttachment | NetworkQoS], settings: Settings | None = None
) -> IncrementalCompiler:
    """Compile objects, and a pod on the first three definitions."""
    attachments = tuple(Attachment(f"a/d{number:03}", (f"10.0.{number}.1",)) for number in range(3))
    pod = Pod("a", "pod", {}, "n1", attachments=attachments)
    compiler = IncrementalCompiler(settings or Settings())
    compiler.apply([Change(ResourceKind.POD, pod.key, None, pod), *put(*objects)])
    return compiler


def hold(compiler: IncrementalCompiler) -> None:
    """Hold the compiler against the definition."""
    whole = compile_everything(compiler.tables, compiler.settings, compiler.switches)
    assert compiler.desired == whole.desired
    assert tuple(compiler.report(each.key) for each in whole.reports) == whole.reports


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    """Note each look: at how many definitions, for how many lists of selectors."""
    found: list[tuple[int, int]] = []

    class Counted(selected_networks.DefinitionIndex):
        def __init__(self, definitions: Mapping[int, Any], lists: Collection[Sequence[NetworkSelector]]) -> None:
            super().__init__(definitions, lists)
            found.append((len(definitions), len(lists)))

    monkeypatch.setattr(selected_networks, "DefinitionIndex", Counted)
    return found


@pytest.mark.parametrize("network", ["", "shared"], ids=["a network each", "one network"])
def test_only_what_changed_is_compared(looks: list[tuple[int, int]], network: str) -> None:
    """All is looked at once; then a definition that changed, for all lists, and all definitions, for new lists."""
    definitions = [definition(number, network) for number in range(MANY)]
    policies = [policy(number) for number in range(POLICIES)]
    compiler = compiled([*definitions, *policies])
    everything = MANY + 1, POLICIES  # and the default network
    assert looks == [everything]
    looks.clear()
    changed = replace(definitions[1], labels={"name": "d000"})
    compiler.apply(put(changed))
    assert looks == [(1, POLICIES)]
    hold(compiler)
    looks.clear()
    compiler.apply(put(policy(0, priority=2)))
    assert not looks
    compiler.apply(put(attrs.evolve(policy(2), name="p0")))
    assert not looks
    compiler.apply(put(*(attrs.evolve(policy(number + 15), name=f"p{number}") for number in range(POLICIES))))
    assert looks == [everything]
    hold(compiler)
    for number in range(POLICIES):
        gone = compiler.tables.policies[f"a/p{number}"]
        compiler.apply([Change(ResourceKind.NETWORK_QOS, gone.key, gone, None)])
    looks.clear()
    compiler.apply(put(definitions[1]))
    assert not looks
    assert not compiler._policies.selected._chosen


def long(number: int) -> NetworkQoS:
    """Give a policy that has more requirements of networks than it may."""
    requirements = [
        Requirement(f"k{number}.{each}", Operator.DOES_NOT_EXIST) for each in range(Limits().selectors + 20)
    ]
    selector = NetworkSelector(
        NetworkSelectionType.NETWORK_ATTACHMENT_DEFINITIONS, networks=LabelSelector.of(requirements)
    )
    spec = NetworkQoSSpec(1, (EgressRule(1),), network_selectors=(selector,))
    return NetworkQoS("a", f"long{number}", spec=spec)


REFUSED = {
    "too large": ([long(0), long(1)], Limits(), 2),
    "of too many": ([policy(each) for each in range(1, 4)], Limits(policies=1), 1),
    "of too many of one priority": ([policy(each) for each in range(POLICIES, POLICIES + 3)], Limits(), POLICIES),
}
"""Policies that aren't applied, under these limits, beside so many older ones."""


@pytest.mark.parametrize("why", REFUSED)
def test_what_policies_select_that_are_not_applied_is_not_looked_for(looks: list[tuple[int, int]], why: str) -> None:
    """Their lists are looked for once they are applied."""
    refused, limits, older = REFUSED[why]
    compiler = compiled([definition(0), *map(policy, range(older))], Settings(limits=limits))
    looks.clear()
    compiler.apply(put(*(attrs.evolve(each, created="99999") for each in refused)))
    compiler.apply(put(definition(0, topology=Topology.LAYER3)))
    assert looks == [(1, older)]
    hold(compiler)
    compiler.configure(Settings(limits=Limits(selectors=1000)))
    for number in range(older):
        gone = policy(number)
        compiler.apply([Change(ResourceKind.NETWORK_QOS, gone.key, gone, None)])
    assert {key.policy for key in compiler.desired.rows} == {each.key for each in refused}
    assert compiler._policies.selected._chosen.keys() == {each.spec.network_selectors for each in refused if each.spec}
    hold(compiler)
    for each in refused:
        compiler.apply([Change(ResourceKind.NETWORK_QOS, each.key, each, None)])
    assert not compiler._policies.selected._chosen


def test_a_definition_costs_policies_nothing_that_it_does_not_concern(monkeypatch: pytest.MonkeyPatch) -> None:
    """How policies stand isn't asked when a definition changes, nor is there other room where none selects another."""
    compiler = compiled([definition(0), *map(policy, range(POLICIES))])
    stood, settled = Mock(wraps=Standings.of), Mock(wraps=compiler._room.settle)
    monkeypatch.setattr(Standings, "of", stood)
    monkeypatch.setattr(compiler._room, "settle", settled)
    compiler.apply(put(replace(definition(0), created="2026-01-03T00:00:00Z")))
    assert (stood.call_count, settled.call_count) == (0, 0)
    compiler.apply(put(replace(definition(0), labels={"name": "d001"})))
    assert (stood.call_count, settled.call_count) == (0, 2)  # at members, and at rows
    hold(compiler)


def test_definitions_that_count_again_are_not_compared_again(looks: list[tuple[int, int]]) -> None:
    """When the one that made thousands of others be ignored goes, they are chosen as before."""
    others = [definition(number, "shared", Topology.LAYER3) for number in range(1, MANY)]
    first = definition(0, "shared")
    compiler = compiled([first, *others, *map(policy, range(POLICIES))])
    assert len(compiler.networks.ignored) == MANY - 1
    hold(compiler)
    looks.clear()
    compiler.apply([Change(ResourceKind.NETWORK_ATTACHMENT_DEFINITION, first.key, first, None)])
    assert not looks
    assert compiler.networks.ignored == {}
    assert {key.switch for key in compiler.desired.rows} == {"shared_n1"}
    hold(compiler)
    compiler.apply(put(first))
    hold(compiler)


def test_a_network_of_very_many_definitions_is_found() -> None:
    """Whether a network has few definitions or many, and whichever of them is chosen, a policy is for it."""
    for number in (1, selected_networks.FEW, selected_networks.FEW + 1):
        definitions = [definition(each, "shared") for each in range(number)]
        others = [definition(each) for each in range(number, number + 3)]
        its = LabelSelector.of([Requirement("name", Operator.IN, (definitions[-1].name,))])
        selector = NetworkSelector(NetworkSelectionType.NETWORK_ATTACHMENT_DEFINITIONS, networks=its)
        spec = NetworkQoSSpec(1, (EgressRule(1),), network_selectors=(selector,))
        compiler = compiled([*definitions, *others, NetworkQoS("a", "p", spec=spec)])
        assert {key.network for key in compiler.desired.rows} == {"shared"}
        hold(compiler)
        last = definitions[-1]
        compiler.apply([Change(ResourceKind.NETWORK_ATTACHMENT_DEFINITION, last.key, last, None)])
        assert compiler.desired.rows == {}
        hold(compiler)
        other = replace(definition(900, "shared"), labels=last.labels)
        compiler.apply(put(definition(800), other))
        assert {key.network for key in compiler.desired.rows} == ({"shared"} if number > 1 else set())
        hold(compiler)


def test_a_definition_in_the_place_of_another_is_news() -> None:
    """One network goes and another comes in one batch: policies that select either follow."""
    first, second = definition(0), definition(1)
    compiler = compiled([first, policy(1)])
    assert {key.network for key in compiler.desired.rows} == {"net0"}
    gone = Change(ResourceKind.NETWORK_ATTACHMENT_DEFINITION, first.key, first, None)
    compiler.apply([gone, *put(second)])
    assert compiler.desired.rows == {}
    hold(compiler)
    back = Change(ResourceKind.NETWORK_ATTACHMENT_DEFINITION, second.key, second, None)
    compiler.apply([back, *put(first)])
    assert {key.network for key in compiler.desired.rows} == {"net0"}
    hold(compiler)


@pytest.mark.parametrize(("owner", "selected"), [("d000", set()), ("other", {"net0"})], ids=["its name", "another"])
def test_labels_of_an_owner_count_for_the_definition_of_its_name(owner: str, selected: set[str]) -> None:
    """Of others a user may write thousands, and each would be compared anew with each policy when the owner changes."""
    first = replace(definition(0), owner_kind="UserDefinedNetwork", owner_name=owner)
    its = LabelSelector.of([Requirement("change", Operator.IN, ("0",))])
    selector = NetworkSelector(NetworkSelectionType.SECONDARY_USER_DEFINED_NETWORKS, networks=its)
    spec = NetworkQoSSpec(1, (EgressRule(1),), network_selectors=(selector,))
    compiler = compiled([first, NetworkQoS("a", "p", spec=spec)])
    networks = (UserDefinedNetwork("a", name, {"change": "1"}) for name in ("d000", "other"))
    compiler.apply([Change(ResourceKind.USER_DEFINED_NETWORK, each.key, None, each) for each in networks])
    assert {key.network for key in compiler.desired.rows} == selected
    hold(compiler)


def test_a_policy_is_told_of_few_of_very_many_ignored_definitions() -> None:
    """It names three, and that there are more."""
    others = [definition(number, "shared", Topology.LAYER3) for number in range(1, MANY)]
    compiler = compiled([definition(0, "shared"), *others, policy(1)])
    report = compiler.report("a/p1")
    assert report is not None
    told = [each for each in report.warnings if "ignored" in each]
    assert ["a/d002" in told[0], "a/d003" in told[1], "a/d004" in told[2]] == [True] * 3
    assert told[3:] == ["spec.networkSelectors: more definitions are ignored; nqosd get networks"]
    assert len(compiler._policies.by_key["a/p1"].ignored) < TOLD


def test_ranges_of_networks_that_stay_the_same_are_not_read_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """A definition with other subnets has its own read, of the network and of its switch; all others keep theirs."""
    definitions = [replace(definition(number), subnets=("10.0.0.0/16",)) for number in range(MANY)]
    compiler = compiled([*definitions, policy(1)])
    read: list[Iterable[str] | address_ranges.NodeSubnets] = []
    original = address_ranges.Ranges.of

    def counted(subnets: Iterable[str] | address_ranges.NodeSubnets) -> address_ranges.Ranges:
        read.append(subnets)
        return original(subnets)

    monkeypatch.setattr(address_ranges.Ranges, "of", counted)
    compiler.apply(put(replace(definitions[0], subnets=("10.9.0.0/16",))))
    assert read == [("10.9.0.0/16",)] * 2
    monkeypatch.undo()
    assert not any("10.0.0.1" in each.addresses for each in compiler.desired.address_sets.values())
    hold(compiler)
