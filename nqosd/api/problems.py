"""What is wrong with an object, said so that a person can mend it.

A problem names the field by its path (`spec.egress[2].classifier.to[0].ipBlock.cidr`), and its message names the
value and what would be right. Problems are collected, never raised one by one: a person sees all of them at once.
"""

from collections.abc import Sequence

import msgspec

from nqosd.api.text import MOST


class Problem(msgspec.Struct, frozen=True, order=True):
    """One thing wrong with one field of an object; `limit` names the bound that it is beyond, if that is it."""

    field: str
    message: str
    limit: str = ""

    def __str__(self) -> str:
        return f"{self.field}: {self.message}"


def first_of(problems: Sequence[Problem]) -> tuple[Problem, ...]:
    """Keep the first problems of an object, and say how many were left out: an object can have tens of thousands."""
    left = len(problems) - MOST
    return tuple(problems) if left <= 0 else (*problems[:MOST], Problem("spec", f"and {left} more problems"))
