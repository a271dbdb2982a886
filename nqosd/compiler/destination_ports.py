"""Destination ports: what the ports of a rule are in a match.

In: protocols and ports. Out: an expression, and how many ports and ranges it takes. Rule: neighbouring ports become a
range, and a protocol as a whole stands for all of its ports.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator

from nqosd.api.networkqos import Port
from nqosd.compiler.expression import ALWAYS, Expression, Term, any_of, between, equals


def tests_of(ports: tuple[Port, ...]) -> tuple[Expression, int]:
    """Match any of some protocols and destination ports; neighbouring ports become a range. Counts ports and ranges."""
    if not ports:
        return ALWAYS, 0
    numbers: defaultdict[str, set[int]] = defaultdict(set)
    whole = {port.protocol.lower() for port in ports if port.port is None}
    for port in ports:
        if port.port is not None:
            numbers[port.protocol.lower()].add(port.port)
    tests: list[Expression] = []
    number = 0
    for protocol in sorted(whole | numbers.keys()):
        if protocol in whole:
            tests.append(Term(protocol))
            continue
        field = f"{protocol}.dst"
        runs = list(_runs(numbers[protocol]))
        number += len(runs)
        tests.append(equals(field, [str(low) for low, high in runs if low == high]))
        tests.extend(between(field, low, high) for low, high in runs if low < high)
    return any_of(tests), number


def _runs(numbers: Iterable[int]) -> Iterator[tuple[int, int]]:
    low = high = None
    for number in sorted(numbers):
        if low is None or high is None:
            low = high = number
        elif number == high + 1:
            high = number
        else:
            yield low, high
            low = high = number
    if low is not None and high is not None:
        yield low, high
