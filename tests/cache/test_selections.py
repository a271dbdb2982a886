"""The selection index gives the answer of the definition, without asking every selection."""

from collections.abc import Iterator

from hypothesis import given, settings
from hypothesis import strategies as st

import nqosd.cache.selections as index_module
from nqosd.api.labels import EVERYTHING, LabelSelector, Operator, Requirement
from nqosd.api.objects import Namespace, Pod
from nqosd.cache.selections import FEW, PodSelection, SelectionIndex, SelectionUse
from tests.compiler.worlds import NAMESPACES, namespaces, pods, selectors
from tests.examples import examples

selections = st.builds(PodSelection, st.sampled_from(SelectionUse), st.sampled_from(NAMESPACES) | selectors, selectors)


@given(
    st.lists(selections, max_size=12),
    st.sets(st.integers(0, 11)),
    st.lists(namespaces),
    st.lists(pods, max_size=5),
    st.integers(0, 2),
)
@settings(max_examples=examples(300), deadline=None)
def test_index_is_the_definition(
    wanted: list[PodSelection], dropped: set[int], known: list[Namespace], some: list[Pod], few: int
) -> None:
    """The selections that the index finds for a pod are those that match it, each once, and none that was dropped."""
    table = {each.name: each for each in known}
    index = SelectionIndex(table)
    before, index_module.FEW = index_module.FEW, few
    try:
        for selection in wanted:
            index.add(selection)
    finally:
        index_module.FEW = before
    for position in dropped & set(range(len(wanted))):
        index.discard(wanted[position])
    left = set(wanted) - {wanted[position] for position in dropped & set(range(len(wanted)))}
    for pod in some:
        found = index.of(pod)
        assert len(found) == len(set(found))
        assert set(found) == {each for each in left if each.matches(pod, table)}
        assert sum(map(len, index.candidates(pod))) <= index.weigh(pod) <= index.weight
    for selection in left:
        index.discard(selection)
    assert not index._filed
    assert index.weight == 0


def test_cost_is_that_of_the_label() -> None:
    """A pod is compared with the selections that require one of its labels, not with all."""
    index = SelectionIndex({})
    for number in range(1000):
        required = LabelSelector.of([Requirement("id", Operator.IN, (str(number),))])
        index.add(PodSelection(SelectionUse.SOURCE, "a", required))
    asked = index.candidates(Pod("a", "p", {"id": "7", "app": "x"}))
    assert list(map(len, asked)) == [1]


class CountedLabels(dict[str, str]):
    """Labels that count how often they are looked at."""

    looks = 0

    def __iter__(self) -> Iterator[str]:
        for key in super().__iter__():
            self.looks += 1
            yield key

    def __contains__(self, key: object) -> bool:
        self.looks += 1
        return super().__contains__(key)


def test_labels_that_nobody_asks_for_cost_nothing() -> None:
    """A pod may have any number of labels, and selectors may require any number of others: the fewer are looked at."""
    index = SelectionIndex({})
    for number in range(10):
        required = LabelSelector.of([Requirement(f"id{number}", Operator.EXISTS)])
        index.add(PodSelection(SelectionUse.PEER, EVERYTHING, required))
    labels = CountedLabels({f"id{number}": "" for number in range(5, 1000)})
    assert index.weigh(Pod("a", "p", labels)) == 5
    assert labels.looks <= 20
    labels = CountedLabels({"id3": "", "other": ""})
    assert index.weigh(Pod("a", "p", labels)) == 1
    assert labels.looks <= 4


def test_rarest_label_is_chosen() -> None:
    """Of several required labels the one with the fewest selections under it is the one to be filed under."""
    index = SelectionIndex({})
    for number in range(100):
        both = [Requirement("app", Operator.IN, ("x",)), Requirement("id", Operator.IN, (str(number),))]
        index.add(PodSelection(SelectionUse.SOURCE, "a", LabelSelector.of(both)))
    assert sum(map(len, index.candidates(Pod("a", "p", {"id": "7", "app": "x"})))) <= 2


def test_a_long_list_of_values_is_filed_under_its_key() -> None:
    """Thousands of values take no place in the index each, and pods with the key are compared with the selector."""
    listed = tuple(f"{number:05}" for number in range(20_000))
    few, many = (Requirement("id", Operator.IN, listed[:number]) for number in (FEW, 20_000))
    for required, places in (([few], FEW), ([many], 1), ([many, Requirement("x", Operator.EXISTS)], 1)):
        index = SelectionIndex({})
        selection = PodSelection(SelectionUse.PEER, EVERYTHING, LabelSelector.of(required))
        index.add(selection)
        assert len(index.anchors[selection]) == places
        for value, matches in (("00007", True), ("7", False)):
            pod = Pod("a", "p", {"id": value, "x": ""})
            assert index.of(pod) == ((selection,) if matches else ())
        assert not index.candidates(Pod("a", "p", {"other": "00007"}))


def test_namespace_without_an_object() -> None:
    """A namespace that isn't known has the label of its name, so `{}` and a selector by name both match it."""
    by_name = LabelSelector.of([Requirement("kubernetes.io/metadata.name", Operator.IN, ("a",))])
    for scope, matches in (
        (EVERYTHING, True),
        (by_name, True),
        (LabelSelector((Requirement("x", Operator.EXISTS),)), False),
    ):
        assert PodSelection(SelectionUse.PEER, scope, EVERYTHING).matches(Pod("a", "p"), {}) is matches
