"""Which networks a policy selects, by example."""

import pytest

from tests.oracle.cluster_strategies import Manifest, manifest
from tests.oracle.examples import meaning, nad, namespace, policy

TEAM_A: Manifest = {"matchLabels": {"team": "a"}}
NET_X: Manifest = {"matchLabels": {"net": "x"}}

NADS = [
    nad("red/plain", "plain", labels={"net": "x"}),
    nad("blue/plain", "plain-too", labels={"net": "y"}),
    nad("nowhere/plain", "lost", labels={"net": "x"}),
    nad("red/main", "red-main", role="primary", owner=("UserDefinedNetwork", "main")),
    nad("blue/side", "blue-side", role="secondary", labels={"net": "y"}, owner=("UserDefinedNetwork", "side")),
    nad("red/side", "red-side", labels={"net": "x"}, owner=("UserDefinedNetwork", "unknown")),
    nad("red/wide", "wide", role="primary", labels={"net": "y"}, owner=("ClusterUserDefinedNetwork", "wide")),
    nad("blue/wide", "wide", role="primary", labels={"net": "y"}, owner=("ClusterUserDefinedNetwork", "wide")),
    nad("blue/orphan", "orphan", labels={"net": "x"}, owner=("ClusterUserDefinedNetwork", "gone")),
    nad("blue/copy", "copy", role="secondary", labels={"net": "y"}, owner=("UserDefinedNetwork", "side")),
    nad("blue/foreign", "foreign", labels={"net": "x"}, type="macvlan"),
]
SURROUNDINGS = [
    namespace("red", team="a"),
    namespace("blue", team="b"),
    namespace("green", team="a"),
    manifest("UserDefinedNetwork", "blue", "side", labels={"net": "x"}),
    manifest("UserDefinedNetwork", "red", "side", labels={"net": "z"}),
    manifest("ClusterUserDefinedNetwork", None, "wide", labels={"net": "x"}),
    *NADS,
]


def of_nads(namespaces: Manifest, networks: Manifest) -> Manifest:
    """A selector of type NetworkAttachmentDefinitions."""
    selector = {"namespaceSelector": namespaces, "networkSelector": networks}
    return {"networkSelectionType": "NetworkAttachmentDefinitions", "networkAttachmentDefinitionSelector": selector}


def of_cluster_udns(networks: Manifest) -> Manifest:
    """A selector of type ClusterUserDefinedNetworks."""
    selector = {"networkSelector": networks}
    return {"networkSelectionType": "ClusterUserDefinedNetworks", "clusterUserDefinedNetworkSelector": selector}


def of_primary_udns(namespaces: Manifest) -> Manifest:
    """A selector of type PrimaryUserDefinedNetworks."""
    selector = {"namespaceSelector": namespaces}
    return {"networkSelectionType": "PrimaryUserDefinedNetworks", "primaryUserDefinedNetworkSelector": selector}


def of_secondary_udns(namespaces: Manifest, networks: Manifest) -> Manifest:
    """A selector of type SecondaryUserDefinedNetworks."""
    selector = {"namespaceSelector": namespaces, "networkSelector": networks}
    return {"networkSelectionType": "SecondaryUserDefinedNetworks", "secondaryUserDefinedNetworkSelector": selector}


DEFAULT: Manifest = {"networkSelectionType": "DefaultNetwork"}


@pytest.mark.parametrize(
    ("selectors", "selected"),
    [
        ([DEFAULT], "default"),
        # by the NAD's own labels; a namespace without an object has its name's label; another plugin's is no network
        ([of_nads({}, {})], "plain plain-too lost red-main blue-side red-side wide orphan copy"),
        ([of_nads({}, NET_X)], "plain lost red-side orphan"),
        ([of_nads({"matchLabels": {"kubernetes.io/metadata.name": "nowhere"}}, {})], "lost"),
        ([of_nads({"matchLabels": {"kubernetes.io/metadata.name": "red"}}, NET_X)], "plain red-side"),
        ([of_nads(TEAM_A, {})], "plain red-main red-side wide"),
        ([of_nads(TEAM_A, NET_X)], "plain red-side"),
        # by the labels of the owner, or of the NAD where the owner isn't known
        ([of_cluster_udns({})], "wide orphan"),
        ([of_cluster_udns(NET_X)], "wide orphan"),
        ([of_cluster_udns({"matchLabels": {"net": "y"}})], ""),
        # by role and namespace
        ([of_primary_udns({})], "red-main wide"),
        ([of_primary_udns(TEAM_A)], "red-main wide"),
        ([of_primary_udns({"matchLabels": {"team": "b"}})], "wide"),
        ([of_primary_udns({"matchLabels": {"team": "c"}})], ""),
        # owned by a UserDefinedNetwork of the NAD's namespace, not primary; by its labels, if it has the NAD's name
        ([of_secondary_udns({}, {})], "blue-side red-side copy"),
        ([of_secondary_udns({}, NET_X)], "blue-side red-side"),
        ([of_secondary_udns(TEAM_A, {})], "red-side"),
        ([of_secondary_udns({}, {"matchLabels": {"net": "y"}})], "copy"),
        # several at once add up
        ([DEFAULT, of_primary_udns(TEAM_A), of_nads({}, NET_X)], "default red-main wide plain lost red-side orphan"),
    ],
)
def test_selected_networks(selectors: list[Manifest], selected: str) -> None:
    """A policy selects the union of what its network selectors select."""
    oracle = meaning(*SURROUNDINGS, policy("q", networkSelectors=selectors))
    assert sorted(oracle.applied["red/q"].networks) == sorted(selected.split())


@pytest.mark.parametrize(
    ("option", "selected"),
    [("all", "default plain plain-too lost red-main blue-side red-side wide orphan copy"), ("default", "default")],
)
def test_without_selectors(option: str, selected: str) -> None:
    """A policy without network selectors is about every network, or by option about the default one alone."""
    oracle = meaning(*SURROUNDINGS, policy("q"), unselected_networks=option)
    assert sorted(oracle.applied["red/q"].networks) == sorted(selected.split())
