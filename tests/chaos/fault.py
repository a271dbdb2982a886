"""What a fault is: what it harms, how it begins and how it ends.

In: a harness, a source of random numbers. Out: harm. The rules: what a fault harms is harmed by no other one while it
is open, and what it needs by none at all; after `end` nothing of the fault is left but what the daemons have to put
right.
"""

import threading
from collections.abc import Callable
from random import Random

import attrs

from tests.chaos.harness import Harness

End = Callable[[], None]
Begin = Callable[[Harness, Random], End]


def _parts(text: str) -> frozenset[str]:
    return frozenset(text.split())


def _always(_harness: Harness) -> bool:
    return True


@attrs.frozen
class Fault:
    """A kind of harm.

    `harms` and `needs` name parts: nb, apiserver, etcd, the lines to both servers for all daemons (wire, api) and for
    one of them (wire0, api0, …), answers (what an API server says), the daemons (daemon0, …) and their ports (http0,
    …), lock, rights, switch, northd, edit (of our rows), ports (of others), objects, clock, disk.
    """

    name: str
    harms: frozenset[str] = attrs.field(converter=_parts)
    begin: Begin
    needs: frozenset[str] = attrs.field(default="", converter=_parts)
    weight: float = 1.0
    is_possible: Callable[[Harness], bool] = _always
    """Whether this harness has what is harmed."""


def nothing() -> None:
    """End what is over as soon as it has begun."""


def again_and_again(step: Callable[[Random], None], random: Random, longest: float) -> End:
    """Do something again and again, in a thread, until the fault ends; raises then what it raised."""
    over, errors = threading.Event(), list[Exception]()
    own = Random(random.random())  # noqa: S311 - how often it draws depends on time, which the run's numbers must not

    def work() -> None:
        try:
            while not over.wait(own.uniform(0.02, longest)):
                step(own)
        except Exception as error:  # noqa: BLE001 - it is raised where the fault ends
            errors.append(error)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()

    def end() -> None:
        over.set()
        thread.join()
        if errors:
            raise errors[0]

    return end
