"""The inbox: what waits for the next round, and how long that round waits for more."""

import asyncio
import itertools

import msgspec
from msgspec.structs import replace

from nqosd.api.changes import Change, ResourceKind
from nqosd.api.objects import Namespace
from nqosd.daemon.inbox import LONGEST, SHORTEST, Inbox


def changes(count: int, kind: ResourceKind = ResourceKind.POD, namespace: str = "shop") -> list[Change]:
    """Give some changes, of objects that were there before."""
    return [Change(kind, f"{namespace}/{number}", Namespace(namespace), None, number) for number in range(count)]


def test_a_change_that_comes_alone_waits_for_nobody() -> None:
    """One change behind a round doesn't make the next round wait."""
    inbox = Inbox(asyncio.Event())
    inbox.changed(changes(1))
    inbox.round_ended()
    assert inbox.pause == 0.0


def test_a_burst_makes_rounds_wait_longer_up_to_a_limit() -> None:
    """While several changes pile up behind each round, the pause doubles from the shortest to the longest."""
    inbox = Inbox(asyncio.Event())
    pauses = []
    for _ in range(6):
        inbox.changed(changes(2))
        inbox.round_ended()
        pauses.append(inbox.pause)
        inbox.take()
    assert pauses[:2] == [SHORTEST, 2 * SHORTEST]
    assert pauses[-1] == pauses[-2] == LONGEST


def test_the_pause_ends_with_the_burst() -> None:
    """A round with nothing behind it lets the next change go at once."""
    inbox = Inbox(asyncio.Event())
    inbox.changed(changes(2))
    inbox.round_ended()
    inbox.take()
    inbox.round_ended()
    assert inbox.pause == 0.0


def test_taking_hands_over_everything_once_and_in_order() -> None:
    """Changes are handed over in the order in which they came, and only once; each arrival wakes the rounds."""
    wake = asyncio.Event()
    inbox = Inbox(wake)
    told = changes(3)
    inbox.changed(told[:1])
    inbox.changed(told[1:])
    assert wake.is_set()
    assert inbox.take() == told
    assert inbox.take() == []


def test_policies_of_a_namespace_wait() -> None:
    """They stay in order until their namespace may go on; its pods and all of others go on meanwhile."""
    inbox = Inbox(asyncio.Event())
    held, pods, others = changes(2, ResourceKind.NETWORK_QOS), changes(2), changes(2, ResourceKind.NETWORK_QOS, "games")
    inbox.changed([*held, *pods, *others, *held])
    assert inbox.take(lambda namespace: 0 if namespace == "shop" else 1e9) == [*pods, *others]
    assert inbox.oldest is not None
    inbox.round_ended()
    assert inbox.pause == 0.0
    assert inbox.take(lambda _namespace: 1) == [held[0]]
    assert inbox.take() == [held[1]]


def test_a_namespace_that_yields_waits_once() -> None:
    """All of it waits for a round with changes of others; not alone, not when all yield, and never twice in a row."""
    inbox, yields = Inbox(asyncio.Event()), {"shop"}.__contains__
    slow, quick = [*changes(2), *changes(1, ResourceKind.NETWORK_ATTACHMENT_DEFINITION)], changes(2, namespace="games")
    inbox.changed([*slow, *quick])
    assert inbox.take(yields=yields) == quick
    assert (inbox.oldest, inbox.held) == (0, frozenset())
    inbox.round_ended()
    assert inbox.pause == 0.0
    inbox.changed(quick)
    assert inbox.take(yields=yields) == [*slow, *quick]
    inbox.changed(slow)
    assert inbox.take(yields=yields) == slow
    inbox.changed([*slow, *quick])
    assert inbox.take(yields=lambda _namespace: True) == [*slow, *quick]
    policies = changes(2, ResourceKind.NETWORK_QOS)
    inbox.changed([*policies, *quick])
    assert inbox.take(yields=yields) == quick
    assert inbox.held == {"shop"}


def test_of_an_object_that_changes_again_and_again_one_change_waits() -> None:
    """It is the last one, as old as the first; of an object that came and went nothing is left."""
    inbox, first, last = Inbox(asyncio.Event()), Namespace("shop"), Namespace("shop", {"is": "open"})
    texts = [Namespace("shop", {"was": str(number)}) for number in range(100)]
    for seen, (old, new) in enumerate(itertools.pairwise([None, first, *texts, None, last])):
        inbox.changed([Change(ResourceKind.NAMESPACE, "shop", old, new, seen)])
        if new is first:
            assert inbox.take() == [Change(ResourceKind.NAMESPACE, "shop", None, first, 0)]
    assert inbox.oldest == 1
    assert inbox.take() == [Change(ResourceKind.NAMESPACE, "shop", first, last, 1)]
    for old, new in ((None, first), (first, None)):
        inbox.changed([Change(ResourceKind.NAMESPACE, "shop", old, new)])
    assert not inbox.take()


def test_policies_that_wait_cost_a_round_nothing() -> None:
    """Of thousands of a namespace that go on one by one, each round looks at what it takes, and at what is new."""
    inbox, looked = Inbox(asyncio.Event()), 0

    class Counted(Change, frozen=True):
        @property
        def namespace(self) -> str:
            nonlocal looked
            looked += 1
            return super().namespace

    waiting = [Counted(*msgspec.structs.astuple(each)) for each in changes(5000, ResourceKind.NETWORK_QOS)]
    inbox.changed([*waiting])
    assert inbox.take(lambda _namespace: 1) == waiting[:1]
    assert inbox.held == {"shop"}
    assert inbox.oldest == 1
    looked = 0
    news = changes(2, namespace="games")
    for each in waiting[1:100]:
        inbox.changed([*news])
        assert inbox.take(lambda _namespace: 1) == [each, *news]
    assert not looked
    again = replace(waiting[-1], seen=9e9)
    inbox.changed([again])
    assert len(inbox.take()) == 4900
    assert not inbox.held
    assert inbox.oldest is None
