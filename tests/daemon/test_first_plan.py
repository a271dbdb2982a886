"""What the first plan of a daemon may remove."""

import asyncio
from collections.abc import Sequence

import pytest

from nqosd.compiler.desired import RowKey
from nqosd.daemon.first_plan import FirstPlan


def keys(*numbers: int) -> list[RowKey]:
    """Give rows of one policy."""
    return [RowKey("ns/a", number, "default", f"n{number}") for number in numbers]


MANY = range(30)


@pytest.mark.parametrize(
    ("desired", "found"),
    [
        (MANY, MANY),
        (MANY, ()),
        ((), ()),
        (range(15), MANY),
        (range(1), range(11)),
    ],
)
def test_what_takes_away_little_is_believed_at_once(desired: Sequence[int], found: Sequence[int]) -> None:
    """Up to half of the rows, or ten as long as some stay, go without a second list."""
    plan = FirstPlan(lambda: None)
    plan.list_again = never
    assert plan.may_prune(keys(*desired), keys(*found))
    assert plan.may_prune([], keys(*MANY)), "it is the first plan that matters"


async def never(_why: str) -> None:
    """List again, which isn't wanted."""
    raise AssertionError


@pytest.mark.parametrize(("desired", "found"), [((), MANY), ((), range(1)), (range(14), MANY), (range(50, 60), MANY)])
async def test_what_takes_away_most_is_believed_after_a_second_list(
    desired: Sequence[int], found: Sequence[int]
) -> None:
    """Nothing is removed until everything has been listed again; then it is, whatever the second list said."""
    asked, listed, woken = [], asyncio.Event(), asyncio.Event()

    async def list_again(why: str) -> None:
        asked.append(why)
        await listed.wait()

    plan = FirstPlan(woken.set)
    plan.list_again = list_again
    assert not plan.may_prune(keys(*desired), keys(*found))
    await asyncio.sleep(0)
    assert not plan.may_prune(keys(*desired), keys(*found))
    assert len(asked) == 1
    assert f"of {len(found)} rows" in asked[0]
    assert not woken.is_set()
    listed.set()
    await woken.wait()
    assert plan.may_prune(keys(*desired), keys(*found))


def test_where_nobody_can_be_asked_nothing_is_doubted() -> None:
    """Manifests in a folder are what they are."""
    assert FirstPlan(lambda: None).may_prune([], keys(*MANY))
