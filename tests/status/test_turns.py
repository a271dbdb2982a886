"""Whose status is written next."""

import asyncio

from nqosd.status.turns import Turns


async def test_namespaces_take_turns() -> None:
    """Who has one thing to write waits for one of each other namespace, however many these have."""
    turns = Turns[int]()
    for number in range(1000):
        turns.put("crowded", number)
    turns.put("shop", 1)
    assert [await turns.get() for _ in range(4)] == [0, 1, 1, 2]
    turns.put("shop", 2)
    assert [await turns.get() for _ in range(3)] == [3, 2, 4]


async def test_who_waits_gets_what_comes() -> None:
    """Several may wait at once, and each gets one thing."""
    turns = Turns[int]()
    waiting = [asyncio.create_task(turns.get()) for _ in range(3)]
    await asyncio.sleep(0)
    for number in range(3):
        turns.put(str(number % 2), number)
    assert sorted(await asyncio.gather(*waiting)) == [0, 1, 2]
