"""Attacks by labels, by selectors that are compared with them, and by definitions: many and long ones."""

from typing import cast

from nqosd.compiler.matching import REQUIREMENTS
from nqosd.config.options import Limits
from tests.faults.manifests import Json
from tests.tenants.attack import Attack
from tests.tenants.attacker import Attacker

LIMITS = Limits()
LABELS = 50_000
RANGES = 5000
DEFINITIONS, POLICIES = 1000, 300
LONG_RULES = 5
"""Rules of each policy with long selectors."""
LONG_POLICIES = LIMITS.namespace_selectors // (LIMITS.selectors * LONG_RULES)


def long_labels(attacker: Attacker) -> None:
    """Pods with more labels than anybody has, as large as the API server takes them."""
    for number in range(3):
        networks = {"default": {"ip_addresses": [f"10.244.150.{number + 1}/16"]}}
        attacker.pod(f"pod{number}", networks, labels=_labels(attacker, number))
    attacker.policy("limited", [_LIMITED])


def other_long_labels(attacker: Attacker, number: int) -> None:
    """A pod goes, and comes again with other labels."""
    pod = attacker.others[number % len(attacker.others)]
    pod["metadata"] = {**cast("Json", pod["metadata"]), "labels": _labels(attacker, 3 + number)}
    attacker.replace(pod)


def _labels(attacker: Attacker, number: int) -> dict[str, str]:
    return {f"k{number}.{each}": "" for each in range(attacker.part(LABELS))}


def many_ranges(attacker: Attacker) -> None:
    """A network of single addresses, another definition that disagrees about them, and a pod with one of them."""
    attacker.limit()
    for number in range(2):
        hosts = range(number, attacker.part(RANGES) + number)
        subnets = ",".join(f"11.0.{host // 250}.{host % 250}/32" for host in hosts)
        attacker.definition(f"flat{number}", name="flat", topology="layer2", subnets=subnets)
    attacker.pod("evil", {f"{attacker.namespace}/flat0": {"ip_addresses": ["11.0.0.1/32"]}})


def long_selectors(attacker: Attacker) -> None:
    """Selectors with as many requirements as a rule, a policy and a namespace may have."""
    attacker.pods(1)
    for number in range(LONG_POLICIES):
        attacker.policy(f"long{number}", _long_rules(attacker, number))


def other_long_selectors(attacker: Attacker, number: int) -> None:
    """As many other requirements in one policy."""
    rules = _long_rules(attacker, LONG_POLICIES + number)
    attacker.change(attacker.policies[number % LONG_POLICIES], {"egress": rules})


def _long_rules(attacker: Attacker, number: int) -> list[Json]:
    return [{**_LIMITED, "classifier": {"to": [_long(attacker, f"{number}.{rule}")]}} for rule in range(LONG_RULES)]


def _long(attacker: Attacker, name: str) -> Json:
    keys = range(attacker.part(REQUIREMENTS * (LIMITS.selectors - 1)))
    requirements = [{"key": f"{name}.{key}", "operator": "DoesNotExist"} for key in keys]
    return {"namespaceSelector": {}, "podSelector": {"matchExpressions": requirements}}


def many_definitions(attacker: Attacker) -> None:
    """Definitions and policies, each of which selects all but one of them."""
    attacker.pods(1)
    for number in range(attacker.part(DEFINITIONS)):
        name = f"{attacker.namespace}-{number}"
        attacker.definition(f"d{number}", {"name": f"d{number}"}, name=name, topology="layer2")
    for number in range(attacker.part(POLICIES)):
        attacker.policy(f"p{number:03}", [_LIMITED], priority=number % 100, networkSelectors=[_but(f"d{number}")])


def other_definitions(attacker: Attacker, number: int) -> None:
    """A definition gets another label, by which no policy selects it or each one does; or a policy another priority."""
    turn, of_policies = divmod(number, 2)
    if of_policies:
        attacker.change(attacker.policies[turn % len(attacker.policies)], {"priority": 100 - turn % 100})
    else:
        definition = attacker.others[1 + turn // 2 % (len(attacker.others) - 1)]
        labels = {"metadata": {"labels": {"hidden": "no" if turn % 2 else "yes"}}}
        attacker.site.cluster.patch(definition, labels, user=attacker.user)


def _but(name: str) -> Json:
    expressions = [
        {"key": "name", "operator": "NotIn", "values": [name]},
        {"key": "hidden", "operator": "NotIn", "values": ["yes"]},
    ]
    selector = {"namespaceSelector": {}, "networkSelector": {"matchExpressions": expressions}}
    return {
        "networkSelectionType": "NetworkAttachmentDefinitions",
        "networkAttachmentDefinitionSelector": selector,
    }


_LIMITED: Json = {"dscp": 0, "bandwidth": {"rate": 1000}}
_NODE = frozenset({"n1"})
_PODS = "policies, pods"

OF_LABELS = (
    Attack(
        f"pods with {LABELS:,} labels each, others each time",
        _PODS,
        "the labels stayed in caches when the pods had gone: 8 MB each time; 0.2 s of the event loop for each pod",
        "no label that is long, or one of many, is kept by a cache; only those are looked at that selectors ask for",
        long_labels,
        again=other_long_labels,
        limits=_NODE,
        tests=(
            "tests/api/test_pods.py::test_long_labels_are_not_remembered",
            "tests/cache/test_selections.py::test_labels_that_nobody_asks_for_cost_nothing",
        ),
    ),
    Attack(
        f"{RANGES:,} `subnets` in a definition, and another one of the same network that disagrees",
        "a policy, a pod, definitions",
        "a row with 79 kB of match on each of its switches, a log line and a condition of 149 kB",
        "the definitions render nothing",
        many_ranges,
        tests=("tests/api/test_networks.py::test_a_configuration_that_does_not_parse_renders_no_network_and_says_so",),
    ),
    Attack(
        f"{REQUIREMENTS * (LIMITS.selectors - 1):,} requirements in the selector of each of {LONG_RULES} rules of "
        f"{LONG_POLICIES} policies, others each time",
        "policies",
        "nothing bounded how many requirements each new pod of anybody was compared with",
        "ten requirements count as a selector",
        long_selectors,
        again=other_long_selectors,
        limits=_NODE,
        tests=("tests/compiler/test_limits.py::test_a_long_selector_counts_as_many",),
    ),
    Attack(
        f"{DEFINITIONS:,} definitions, and {POLICIES} policies each of which selects all but one of them",
        "policies, definitions",
        "0.5 s for each change of one of them, in which all rows waited",
        "what changed is looked at once, for all policies",
        many_definitions,
        again=other_definitions,
        tests=("tests/compiler/test_selected_networks.py::test_only_what_changed_is_compared",),
    ),
)
