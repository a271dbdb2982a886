"""Label selectors and network selectors: what is valid, and what is said about the rest."""

import pytest

from nqosd.api.labels import EVERYTHING, LabelSelector, Operator, Requirement
from nqosd.api.networkqos import NetworkSelectionType, NetworkSelector
from tests.api.manifests import Json, rule
from tests.api.written import labelled, problems, spec_of


def pods(selector: object) -> Json:
    """Give a spec with this podSelector."""
    return rule() | {"podSelector": selector}


def networks(*entries: object) -> Json:
    """Give a spec with these networkSelectors."""
    return rule() | {"networkSelectors": list(entries)}


@pytest.mark.parametrize("selector", [None, {}, {"matchLabels": {}, "matchExpressions": []}, {"matchLabels": None}])
def test_an_absent_or_empty_pod_selector_selects_everything(selector: object) -> None:
    """Null is the same as absent, as in Kubernetes."""
    assert spec_of(pods(selector)).pod_selector == EVERYTHING


def test_labels_and_expressions_become_requirements() -> None:
    """An entry of matchLabels is In with one value; every other operator is read."""
    selector = {
        "matchLabels": {"app": "web", "example.com/tier": ""},
        "matchExpressions": [
            {"key": "a", "operator": "In", "values": ["2", "1"]},
            {"key": "b", "operator": "NotIn", "values": ["x"]},
            {"key": "c", "operator": "Exists"},
            {"key": "d", "operator": "DoesNotExist", "values": []},
        ],
    }
    assert spec_of(pods(selector)).pod_selector == LabelSelector.of(
        [
            Requirement("app", Operator.IN, ("web",)),
            Requirement("example.com/tier", Operator.IN, ("",)),
            Requirement("a", Operator.IN, ("1", "2")),
            Requirement("b", Operator.NOT_IN, ("x",)),
            Requirement("c", Operator.EXISTS),
            Requirement("d", Operator.DOES_NOT_EXIST),
        ]
    )


@pytest.mark.parametrize(
    ("selector", "field"),
    [
        (5, ""),
        ([], ""),
        ({"matchLabels": []}, ".matchLabels"),
        ({"matchLabels": {"app": 5}}, ".matchLabels[app]"),
        ({"matchLabels": {"app": None}}, ".matchLabels[app]"),
        ({"matchLabels": {"-app": "web"}}, ".matchLabels[-app]"),
        ({"matchLabels": {"": "web"}}, '.matchLabels[""]'),
        ({"matchLabels": {"/app": "web"}}, ".matchLabels[/app]"),
        ({"matchLabels": {"Example.com/app": "web"}}, ".matchLabels[Example.com/app]"),
        ({"matchLabels": {"a/b/c": "web"}}, ".matchLabels[a/b/c]"),
        ({"matchLabels": {"a" * 64: "web"}}, f".matchLabels[{'a' * 64}]"),
        ({"matchLabels": {"app": "web "}}, ".matchLabels[app]"),
        ({"matchLabels": {"app": "a" * 64}}, ".matchLabels[app]"),
        ({"matchExpressions": {}}, ".matchExpressions"),
        ({"matchExpressions": [None]}, ".matchExpressions[0]"),
        ({"matchExpressions": [{"operator": "Exists"}]}, ".matchExpressions[0].key"),
        ({"matchExpressions": [{"key": "a b", "operator": "Exists"}]}, ".matchExpressions[0].key"),
        ({"matchExpressions": [{"key": "a"}]}, ".matchExpressions[0].operator"),
        ({"matchExpressions": [{"key": "a", "operator": "Gt", "values": ["1"]}]}, ".matchExpressions[0].operator"),
        ({"matchExpressions": [{"key": "a", "operator": "In"}]}, ".matchExpressions[0].values"),
        ({"matchExpressions": [{"key": "a", "operator": "NotIn", "values": []}]}, ".matchExpressions[0].values"),
        ({"matchExpressions": [{"key": "a", "operator": "Exists", "values": ["1"]}]}, ".matchExpressions[0].values"),
        ({"matchExpressions": [{"key": "a", "operator": "In", "values": ["1", 2]}]}, ".matchExpressions[0].values[1]"),
        ({"matchExpressions": [{"key": "a", "operator": "In", "values": "1"}]}, ".matchExpressions[0].values"),
    ],
)
def test_a_bad_label_selector_is_a_problem_of_its_field(selector: object, field: str) -> None:
    """Each fault is reported once, at the field where it stands."""
    assert [problem.field for problem in problems(pods(selector))] == [f"spec.podSelector{field}"]


OF_TYPE: dict[str, tuple[str, Json]] = {
    "ClusterUserDefinedNetworks": (
        "clusterUserDefinedNetworkSelector",
        {"networkSelector": {"matchLabels": {"n": "1"}}},
    ),
    "PrimaryUserDefinedNetworks": (
        "primaryUserDefinedNetworkSelector",
        {"namespaceSelector": {"matchLabels": {"s": "1"}}},
    ),
    "SecondaryUserDefinedNetworks": (
        "secondaryUserDefinedNetworkSelector",
        {"namespaceSelector": {"matchLabels": {"s": "1"}}, "networkSelector": {"matchLabels": {"n": "1"}}},
    ),
    "NetworkAttachmentDefinitions": (
        "networkAttachmentDefinitionSelector",
        {"namespaceSelector": {"matchLabels": {"s": "1"}}, "networkSelector": {"matchLabels": {"n": "1"}}},
    ),
}


def entry(type_: str) -> Json:
    """Give a valid entry of networkSelectors."""
    if type_ not in OF_TYPE:
        return {"networkSelectionType": type_}
    name, selectors = OF_TYPE[type_]
    return {"networkSelectionType": type_, name: selectors}


def test_all_types_of_networks_can_stand_together() -> None:
    """Each type carries its own selector, with the label selectors that belong to it."""
    spaces, nets = labelled("s", "1"), labelled("n", "1")
    assert spec_of(networks(*map(entry, NetworkSelectionType))).network_selectors == (
        NetworkSelector(NetworkSelectionType.DEFAULT_NETWORK),
        NetworkSelector(NetworkSelectionType.CLUSTER_USER_DEFINED_NETWORKS, EVERYTHING, nets),
        NetworkSelector(NetworkSelectionType.PRIMARY_USER_DEFINED_NETWORKS, spaces, EVERYTHING),
        NetworkSelector(NetworkSelectionType.SECONDARY_USER_DEFINED_NETWORKS, spaces, nets),
        NetworkSelector(NetworkSelectionType.NETWORK_ATTACHMENT_DEFINITIONS, spaces, nets),
    )


@pytest.mark.parametrize("type_", OF_TYPE)
def test_a_type_needs_its_selector_and_bears_no_other(type_: str) -> None:
    """A missing selector, a missing part of it and a foreign one are each a problem."""
    name, selectors = OF_TYPE[type_]
    path = "spec.networkSelectors[0]"
    bare = problems(networks({"networkSelectionType": type_}))
    assert [problem.field for problem in bare] == [f"{path}.{name}"]
    hollow = problems(networks({"networkSelectionType": type_, name: {}}))
    assert [problem.field for problem in hollow] == [f"{path}.{name}.{part}" for part in selectors]
    foreign = problems(networks({"networkSelectionType": "DefaultNetwork", name: selectors}))
    assert [problem.field for problem in foreign] == [f"{path}.{name}"]


@pytest.mark.parametrize(
    ("selectors", "fields"),
    [
        ([], ["networkSelectors"]),
        ({}, ["networkSelectors"]),
        ([entry("DefaultNetwork")] * 2, ["networkSelectors[1].networkSelectionType"]),
        ([{}], ["networkSelectors[0].networkSelectionType"]),
        ([{"networkSelectionType": "AllNetworks"}], ["networkSelectors[0].networkSelectionType"]),
        (["DefaultNetwork"], ["networkSelectors[0]"]),
        (
            [entry("DefaultNetwork")] * 6,
            ["networkSelectors", *(f"networkSelectors[{index}].networkSelectionType" for index in range(1, 6))],
        ),
    ],
)
def test_bad_network_selectors_are_problems_of_their_fields(selectors: object, fields: list[str]) -> None:
    """The list has 1 to 5 entries of different, known types."""
    found = problems(rule() | {"networkSelectors": selectors})
    assert [problem.field for problem in found] == [f"spec.{field}" for field in fields]


@pytest.mark.parametrize("number", [1, 10, 11, 1000])
def test_of_many_values_each_counts(number: int) -> None:
    """However many values a requirement lists, labels meet it as they meet one of few."""
    values = tuple(sorted(f"v{2 * each}" for each in range(number)))
    among = Requirement("app", Operator.IN, values)
    apart = Requirement("app", Operator.NOT_IN, values)
    for each in range(2 * number + 1):
        labels = {"app": f"v{each}"}
        assert among.matches(labels) is not apart.matches(labels) is (each % 2 == 1 or each == 2 * number)
    assert apart.matches({})
    assert not among.matches({})
