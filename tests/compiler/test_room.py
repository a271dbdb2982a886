"""Room: a namespace is looked at again before pods that come or go can change for which policies there is room."""

from collections import Counter
from collections.abc import Iterable, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nqosd.api.changes import Change, ResourceKind
from nqosd.api.labels import LabelSelector, Operator, Requirement
from nqosd.api.networkqos import Classifier, EgressRule, NetworkQoS, NetworkQoSSpec, PodPeer
from nqosd.api.objects import Attachment, Pod
from nqosd.compiler.incremental import IncrementalCompiler
from nqosd.compiler.room import MEMBERS, Room
from nqosd.compiler.settings import Settings
from nqosd.config.options import Limits
from tests.compiler.test_incremental import check
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


RARE = "r"
"""Of pods that come later: policies for them have no senders at first."""
labels = st.lists(st.sampled_from(LABELS), max_size=3, unique=True)
pods = st.integers(1, 3).flatmap(lambda times: st.lists(labels, max_size=10 * times))
near = st.integers(-2, 3)
"""How far a limit is from what policies have at first."""


@given(
    st.lists(st.tuples(labels, st.sampled_from(("x", "x", "x", "y", RARE, RARE))), min_size=1, max_size=5),
    pods,
    st.tuples(st.integers(0, 4), st.none() | near, st.integers(0, 4), near, st.sampled_from((100, 100, 1, 2, 3, 4))),
    st.lists(st.tuples(st.integers(0, 29), st.none() | labels | labels.map(lambda found: [*found, RARE])), max_size=30),
)
@settings(max_examples=examples(1000), deadline=None)
def test_reports_are_those_of_a_new_look(
    chosen: Sequence[tuple[Sequence[str], str]],
    before: Sequence[Sequence[str]],
    edge: tuple[int, int | None, int, int, int],
    events: Sequence[tuple[int, Sequence[str] | None]],
) -> None:
    """However pods come and go, one at a time, each policy says what it would if everything were looked at anew.

    The limits are about what one policy has, and what so many of the oldest have together.
    """
    having_label = Counter(label for each in before for label in each)
    every = [(sum(having_label[peer] for peer in peers), senders) for peers, senders in chosen]
    of_policy, by, together, of_all, rows = edge
    alone, senders = every[of_policy % len(every)]
    applied = [(number, senders) for number, senders in every[: together + 1] if having_label[senders]]
    shared = sum(having_label[label] for label in {senders for _number, senders in applied})
    limits = Limits(
        members=100 if by is None else max(1, alone + having_label[senders] + by),
        namespace_members=max(1, sum(number for number, _senders in applied) + shared + of_all),
        namespace_rows=rows,
    )
    policies = [policy(number, *each) for number, each in enumerate(chosen)]
    compiler = compiled(limits, policies, [pod(number, each) for number, each in enumerate(before)])
    check(compiler)
    for event in events:
        number, found = event
        compiler.apply([pod(number % (len(before) + 3), found)])
        check(compiler)


def test_a_peer_of_two_policies_counts_for_both() -> None:
    """One that comes brings the younger one beyond the limit of the namespace, though one member more is allowed."""
    policies = [policy(number, "y", "x") for number in range(2)]
    compiler = compiled(Limits(namespace_members=10), policies, [pod(9, "x"), *(pod(each, "y") for each in range(4))])
    check(compiler)
    assert len(compiler.desired.rows) == 2
    compiler.apply([pod(10, "y")])
    check(compiler)
    assert len(compiler.desired.rows) == 1


def test_one_that_was_too_many_goes() -> None:
    """A policy that has one member more than it may in its namespace is applied again when that one goes."""
    every = [pod(20, "x"), *(pod(each, "y") for each in range(10))]
    compiler = compiled(Limits(namespace_members=10), [policy(0, "y", "x")], every)
    check(compiler)
    assert not compiler.desired.rows
    compiler.apply([pod(0, None)])
    check(compiler)
    assert compiler.desired.rows


def test_a_policy_without_room_for_its_members_takes_no_rows() -> None:
    """A younger policy has them, in the first batch and when pods come one by one."""
    policies = [policy(0, "y", "x"), policy(1, "z", "x")]
    every = [pod(20, "x"), *(pod(each, "y") for each in range(6))]
    for batches in ([every], [[each] for each in every]):
        compiler = compiled(Limits(members=5, namespace_rows=1), policies, [])
        for batch in batches:
            compiler.apply(batch)
            check(compiler)
        assert {key.policy for key in compiler.desired.rows} == {"a/p1"}


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
