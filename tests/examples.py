"""How many examples a property test tries.

In: the number that finds what can be found, as `make test` tries it. Out: that number, or a part of it where the
environment variable TESTS_EXAMPLES (per cent) asks for less, as `make unit` does. The rule: a test that counts what its
examples cover names its number directly.
"""

import os

_PER_CENT = int(os.environ.get("TESTS_EXAMPLES", "100"))


def examples(number: int = 100) -> int:
    """Return how many of so many examples to try."""
    return max(number * _PER_CENT // 100, 5)
