"""Room: a namespace is looked at again before pods that come or go can change for which policies there is room."""

from collections.abc import Iterable, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nqosd.api.changes import Change, ResourceKind
from nqosd.api.labels import LabelSelector, Operator, Requirement
from nqosd.api.networkqos import Classifier, EgressRule, NetworkQoS, NetworkQoSSpec, PodPeer
from nqosd.api.objects import Attachment, Pod
from nqosd.compiler.definition import compile_everything
from nqosd.compiler.incremental import IncrementalCompiler
from nqosd.compiler.room import MEMBERS, Room
from nqosd.compiler.settings import Settings
from nqosd.config.options import Limits
from tests.examples import examples

LABELS = ("x", "y", "z")


def having(label: str) -> LabelSelector:
    """Select the pods with a label."""
    return LabelSelector((Requirement(label, Operator.EXISTS),))


def policy(number: int, chosen: Sequence[str], senders: str = "none") -> NetworkQoS:
    """Make a policy with a peer for each of some labels, for pods with another one."""
    rules = tuple(EgressRule(1, classifier=Classifier(to=(PodPeer(having(each)),))) for each in chosen)
    spec = NetworkQoSSpec(number, rules, having(senders))
    return NetworkQoS("a", f"p{number}", f"2026-01-01T00:00:0{number}Z", spec=spec)


def pod(number: int, labels: Sequence[str] | None) -> Change:
    """Give a pod with some labels, or none any more."""
    new = None
    if labels is not None:
        attachment = Attachment("default", (f"10.0.0.{number}",))
        new = Pod("a", f"pod{number}", dict.fromkeys(labels, ""), "n1", attachments=(attachment,))
    return Change(ResourceKind.POD, f"a/pod{number}", None, new)


def compiled(limits: Limits, policies: Sequence[NetworkQoS], pods: Sequence[Change]) -> IncrementalCompiler:
    """Compile policies, then pods."""
    compiler = IncrementalCompiler(Settings(limits=limits))
    compiler.apply([Change(ResourceKind.NETWORK_QOS, each.key, None, each) for each in policies])
    compiler.apply(pods)
    return compiler


labels = st.lists(st.sampled_from(LABELS), max_size=3, unique=True)
changes = st.builds(pod, st.integers(0, 29), st.none() | labels)


@given(
    st.builds(Limits, members=st.sampled_from((2, 7, 20, 30, 40)), namespace_members=st.integers(1, 60)),
    st.lists(st.tuples(labels, st.sampled_from(LABELS)), min_size=1, max_size=5),
    st.lists(labels, min_size=30, max_size=30),
    st.lists(changes, max_size=30),
)
@settings(max_examples=examples(300), deadline=None)
def test_reports_are_those_of_a_new_look(
    limits: Limits,
    chosen: Sequence[tuple[Sequence[str], str]],
    before: Sequence[Sequence[str]],
    events: Sequence[Change],
) -> None:
    """However pods come and go, one at a time, each policy says what it would if everything were looked at anew."""
    policies = [policy(number, *each) for number, each in enumerate(chosen)]
    compiler = compiled(limits, policies, [pod(number, each) for number, each in enumerate(before)])
    for event in events:
        compiler.apply([event])
        whole = compile_everything(compiler.tables, compiler.settings)
        assert compiler.desired == whole.desired
        assert tuple(compiler.report(each.key) for each in whole.reports) == whole.reports


def test_a_namespace_is_looked_at_only_when_room_may_have_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pods that no selector chooses, or that bring a namespace no nearer to another decision, cost it no look."""
    looks = list[str]()
    settle = Room.settle

    def counted(room: Room, option: str, namespace: str) -> Iterable[str]:
        looks.extend([namespace] if option == MEMBERS else [])
        return settle(room, option, namespace)

    policies = [policy(number, "x", "z") for number in range(5)]
    every = [pod(200, "z"), *(pod(each, "x") for each in range(20))]
    compiler = compiled(Limits(members=100, namespace_members=56), policies, every)
    assert [report.ready for each in policies if (report := compiler.report(each.key))] == [
        True,
        True,
        False,
        False,
        False,
    ]
    monkeypatch.setattr(Room, "settle", counted)
    for number in range(100, 150):
        compiler.apply([pod(number, "y")])
    assert looks == []
    for number in range(20, 27):  # two have room until there are 28 pods
        compiler.apply([pod(number, "x")])
    assert len(looks) <= 3
