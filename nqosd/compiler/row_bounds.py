"""Row bounds: which policies take more rows than they, or their namespace, may.

In: contexts, and who is a member where. Out: the policies beyond a limit, with the words to say. Rule: in a namespace
the older policies have their rows first; one for which there is no room is left out, and a younger one may fit.
"""

from collections.abc import Iterable, Mapping

from nqosd.api.networkqos import NetworkQoS
from nqosd.api.problems import Problem
from nqosd.compiler.effective_policies import EffectivePolicy
from nqosd.compiler.precedence import age
from nqosd.compiler.rows import rows_at_most
from nqosd.compiler.set_ids import SetId
from nqosd.compiler.set_members import Membership
from nqosd.compiler.settings import excess, no_room
from nqosd.config.options import Limits

_WAY_OUT = "select fewer pods, write fewer rules or let pods share limits"


def without_room(rows: Iterable[tuple[str, int]], limits: Limits) -> Mapping[str, Problem]:
    """Say for which policies of a namespace, the oldest first, there is no room; `rows` says how many each can take.

    In round figures, since pods come and go.
    """
    found = {}
    left, step = limits.namespace_rows, max(1, limits.rows // 10)
    for key, number in rows:
        rounded = number if number <= limits.rows else -(-number // step) * step
        problem = excess("spec", rounded, "rows", limits, _WAY_OUT)
        if problem is None and number > left:
            problem = no_room("spec", key, "rows", limits, _WAY_OUT)
        if problem is None:
            left -= number
        else:
            found[key] = problem
    return found


class RowBounds:
    """Keeps count of the rows that policies can take."""

    def __init__(self, policies: Mapping[str, NetworkQoS], membership: Membership, limits: Limits) -> None:
        self._policies = policies
        self._membership = membership
        self._limits = limits
        self._rows: dict[str, dict[str, int]] = {}
        self._beyond: dict[str, Mapping[str, Problem]] = {}

    def __len__(self) -> int:
        """Count the namespaces of which something is remembered."""
        return len(self._rows.keys() | self._beyond.keys())

    def problem(self, key: str) -> Problem | None:
        """Say why a policy's rows are not applied, if they aren't."""
        return self._beyond.get(key.partition("/")[0], {}).get(key)

    def measure(self, key: str, effective: EffectivePolicy | None) -> bool:
        """Count the rows that a policy can take now; say whether they are others than before."""
        namespace = key.partition("/")[0]
        before = self._rows.get(namespace, {}).pop(key, 0)
        now = 0 if effective is None else self._at_most(effective)
        if now:
            self._rows.setdefault(namespace, {})[key] = now
        return before != now

    def taken(self, namespace: str) -> int:
        """Say how many rows the policies of a namespace can take together."""
        return sum(self._rows.get(namespace, {}).values())

    def settle(self, namespace: str) -> Iterable[str]:
        """Look at a namespace anew; gives the policies of which something else is to be said than before."""
        mine, before = self._rows.get(namespace, {}), self._beyond.pop(namespace, {})
        now: Mapping[str, Problem] = {}
        if sum(mine.values()) > min(self._limits.rows, self._limits.namespace_rows):
            oldest = sorted(mine, key=lambda key: age(self._policies[key]))
            now = without_room(((key, mine[key]) for key in oldest), self._limits)
        if now:
            self._beyond[namespace] = now
        if not mine:
            self._rows.pop(namespace, None)
        return sorted(key for key in before.keys() | now.keys() if before.get(key) != now.get(key))

    def _at_most(self, effective: EffectivePolicy) -> int:
        number = 0
        for (network, switch), kinds in self._membership.sites(effective.sources).items():
            if effective.selects(network):
                sets = [SetId(effective.sources, network, switch, kind) for kind in kinds]
                senders = max(len(self._membership.members(each)) for each in sets)
                number += rows_at_most(effective.spec, len(kinds), senders)
        return number
