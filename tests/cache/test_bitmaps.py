"""The bitmap index gives the answer of the definition for many pods at once."""

from hypothesis import given, settings
from hypothesis import strategies as st

from nqosd.api.labels import EVERYTHING, LabelSelector, Operator, Requirement
from nqosd.api.objects import Namespace, Pod
from nqosd.cache import bitmaps
from nqosd.cache.bitmaps import BitmapIndex, positions
from nqosd.cache.selections import PodSelection, SelectionUse
from tests.cache.test_selections import selections
from tests.compiler.worlds import namespaces, pods
from tests.examples import examples


@given(
    st.lists(selections, max_size=12),
    st.lists(namespaces),
    st.lists(st.tuples(pods, st.integers(1, 3)), max_size=9),
    st.integers(1, 4),
)
@settings(max_examples=examples(300), deadline=None)
def test_the_bits_are_those_of_the_definition(
    wanted: list[PodSelection], known: list[Namespace], some: list[tuple[Pod, int]], common: int
) -> None:
    """For each selection the ones are at the places of the pods that match it, however frequent their labels are."""
    table = {each.name: each for each in known}
    every = sorted(some, key=lambda each: each[0].namespace)
    places = [pod for pod, number in every for _ in range(number)]
    by_namespace = [
        (name, [(pod.labels, number) for pod, number in every if pod.namespace == name])
        for name in dict.fromkeys(pod.namespace for pod, _number in every)
    ]
    before, bitmaps.COMMON = bitmaps.COMMON, common
    try:
        index = BitmapIndex(by_namespace, wanted, table)
    finally:
        bitmaps.COMMON = before
    for selection in wanted:
        bits = index.chosen(selection)
        matching = [place for place, pod in enumerate(places) if selection.matches(pod, table)]
        assert list(positions(bits)) == matching
        assert bits.bit_count() == len(matching)


def test_a_long_list_of_values_is_read_from_the_shorter_side() -> None:
    """Whether a selector lists more values than pods have, or fewer, the same pods are chosen."""
    index_of = {"a": [({"id": str(number)}, 1) for number in range(30)]}
    for number in (3, 300):
        listed = Requirement("id", Operator.IN, tuple(sorted(map(str, range(5, 5 + number)))))
        selection = PodSelection(SelectionUse.PEER, EVERYTHING, LabelSelector((listed,)))
        found = BitmapIndex(index_of.items(), [selection], {}).chosen(selection)
        assert list(positions(found)) == list(range(5, min(5 + number, 30)))
