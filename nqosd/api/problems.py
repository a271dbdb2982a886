"""What is wrong with an object, said so that a person can mend it.

A problem names the field by its path (`spec.egress[2].classifier.to[0].ipBlock.cidr`), and its message names the
value and what would be right. Problems are collected, never raised one by one: a person sees all of them at once.
"""

import attrs


@attrs.frozen(order=True)
class Problem:
    """One thing wrong with one field of an object."""

    field: str
    message: str

    def __str__(self) -> str:
        return f"{self.field}: {self.message}"
