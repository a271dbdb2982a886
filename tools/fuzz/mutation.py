"""Mutates JSON documents, and the bytes that they are written in.

In: bytes, a source of randomness. Out: other bytes, most of them JSON still. Rule: the same randomness gives the same.
"""

import json
from collections.abc import Callable, Iterator
from random import Random
from typing import Any, TypeAlias

from tests.tenants.poison import HOSTILE

Place: TypeAlias = tuple[Any, Any]

VALUES: tuple[object, ...] = (
    *(None, True, False, 0, 1, -1, 63, 64, 99, 1 << 31, 1 << 63, 10**400, 0.5, 1e308),
    *("", "default", "nqosd", "0.0.0.0/0", "::/0", "10.0.0.1", "fd00::1/64", "10.0.0.1/33", "1.2.3", "TCP", "Pod"),
    *([], {}, [[]], [{}], {"": ""}, ["set", []], ["map", []], ["uuid", "x"], ["set", [["uuid", 1]]]),
    *HOSTILE,
)
"""What stands somewhere in place of what stood there."""

TIMES = (1, 1, 1, 2, 3)
"""How many changes a mutation makes."""


def mutate(data: bytes, random: Random, alter_bytes: Callable[[bytes], bytes]) -> bytes:
    """Change something of a document, or with `alter_bytes` of what isn't one; its first byte is no part of it."""
    try:
        document = json.loads(data[1:])
    except (ValueError, RecursionError):
        return alter_bytes(data)
    if random.random() < 1 / 8:
        return data[:1] + alter_bytes(data[1:])
    holder = [document]
    try:
        for _ in range(random.choice(TIMES)):
            _change(holder, random)
        return data[:1] + json.dumps(holder[0], separators=(",", ":")).encode()
    except (ValueError, RecursionError):  # a number too long to be written, or a document too deep to be gone through
        return alter_bytes(data)


def flip(data: bytes, random: Random) -> bytes:
    """Change, remove, repeat or insert some bytes."""
    place = random.randrange(len(data) + 1)
    length = random.choice((1, 1, 2, 8, 40))
    change = random.randrange(4)
    if change == 0:
        return data[:place] + data[place + length :]
    if change == 1:
        return data[:place] + data[place : place + length] * random.choice((2, 3, 50)) + data[place + length :]
    inserted = random.choice((b"{", b"}", b"[", b"]", b'"', b",", b":", b"\\", b"\x00", b"\xff", b"9", b"e", b"null"))
    return data[:place] + inserted + data[place + (length if change == 2 else 0) :]


def _change(holder: list[Any], random: Random) -> None:
    container, key = random.choice(list(_places(holder)))
    match random.randrange(5):
        case 0:
            container[key] = random.choice(VALUES)
        case 1 if container is not holder:
            container.pop(key) if isinstance(container, dict) else container.__delitem__(key)
        case 2 if isinstance(container, dict):
            container[random.choice((key.upper(), f"{key}/0", *map(str, HOSTILE)))] = container[key]
        case 3:
            container[key] = _altered(container[key], random)
        case _:  # what stands elsewhere
            other, place = random.choice(list(_places(holder)))
            container[key] = json.loads(json.dumps(other[place]))


def _altered(value: object, random: Random) -> object:
    if isinstance(value, str) and value[:1] in ("{", "["):  # a document inside of a document
        try:
            inner = [json.loads(value)]
        except ValueError:
            return f"{value}{random.choice(HOSTILE)}"
        _change(inner, random)
        return json.dumps(inner[0])
    if isinstance(value, str):
        place = random.randrange(len(value) + 1)
        return value[:place] + random.choice((*HOSTILE, "/", ",", "0", " ")) + value[place:]
    if isinstance(value, list):
        return value * random.choice((2, 40))
    if isinstance(value, int):
        return value + random.choice((-1, 1, 1 << 16))
    return [value]


def _places(value: object) -> Iterator[Place]:
    entries = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, part in list(entries):
        yield value, key
        yield from _places(part)
