"""Sites: where the senders of a policy are.

In: what the compiler knows of a switch. Out: a `Site`. Rule: it says all that rows depend on besides the policy.
"""

from collections.abc import Callable, Mapping

import attrs

from nqosd.compiler.desired import Family
from nqosd.compiler.networks import Network
from nqosd.compiler.places import Place


@attrs.frozen
class Site:
    """One switch with senders on it.

    `subnets` are the ranges that pods on it have their addresses from, empty where they aren't known. `pods` gives the
    senders' places by pod name, asked for limits per pod only.
    """

    network: Network
    switch: str
    subnets: tuple[str, ...]
    kinds: frozenset[Family | None]
    pods: Callable[[], Mapping[str, tuple[Place, ...]]]
