"""Desired rows that are not in the database, and why.

In: what each plan left open among the rows that it looked at. Out: by policy what is lacking, by switch and by port
group which rows wait for it. The rules: an entry stays until a plan has looked at its row again; a row whose senders
have no logical port yet isn't lacking, because there is nothing yet that could send.
"""

from collections.abc import Collection, Iterable, Mapping
from collections.abc import Set as AbstractSet

from nqosd.compiler.desired import RowKey
from nqosd.northbound.plan.plan import Plan
from nqosd.northbound.results import Lacking

_NONE: frozenset[RowKey] = frozenset()


class PendingRows:
    """Rows that wait for a switch, and rows that something stands in the way of."""

    def __init__(self) -> None:
        self._switch: dict[RowKey, str] = {}
        self._obstacle: dict[RowKey, str] = {}
        self._by_switch: dict[str, set[RowKey]] = {}
        self._by_policy: dict[str, set[RowKey]] = {}
        self._group: dict[RowKey, str] = {}
        self._by_group: dict[str, set[RowKey]] = {}

    def update(self, looked_at: Iterable[RowKey], plan: Plan) -> set[str]:
        """Replace what is known of some rows; return the policies of which something else is lacking now."""
        changed: set[str] = set()
        for key in looked_at:
            self._note_group(key, plan.without_ports.get(key))
            switch, obstacle = plan.waiting.get(key), plan.blocked.get(key)
            if self._switch.get(key) != switch or self._obstacle.get(key) != obstacle:
                self._forget(key)
                self._note(key, switch, obstacle)
                changed.add(key.policy)
        return changed

    def keys(self) -> list[RowKey]:
        """Return all rows that are open."""
        return [*self._switch, *self._obstacle, *self._group]

    @property
    def obstructed(self) -> Collection[RowKey]:
        """The rows that something stands in the way of."""
        return self._obstacle.keys()

    @property
    def waiting(self) -> Mapping[str, AbstractSet[RowKey]]:
        """The rows that wait, by the name of the switch; a live view."""
        return self._by_switch

    def waiting_for(self, switch: str) -> AbstractSet[RowKey]:
        """Return the rows that wait for a switch."""
        return self._by_switch.get(switch, _NONE)

    @property
    def without_ports(self) -> Mapping[str, AbstractSet[RowKey]]:
        """The rows that wait for the first member of a port group, by its name; a live view."""
        return self._by_group

    def lacking(self, policy: str) -> Lacking:
        """Return what a policy lacks, in a fixed order."""
        keys = self._by_policy.get(policy, _NONE)
        return Lacking(
            switches=tuple(sorted({self._switch[key] for key in keys if key in self._switch})),
            obstacles=tuple(sorted({self._obstacle[key] for key in keys if key in self._obstacle})),
        )

    def _note_group(self, key: RowKey, group: str | None) -> None:
        if (before := self._group.pop(key, None)) is not None:
            self._by_group[before].discard(key)
            if not self._by_group[before]:
                del self._by_group[before]
        if group is not None:
            self._group[key] = group
            self._by_group.setdefault(group, set()).add(key)

    def _note(self, key: RowKey, switch: str | None, obstacle: str | None) -> None:
        if switch is not None:
            self._switch[key] = switch
            self._by_switch.setdefault(switch, set()).add(key)
        if obstacle is not None:
            self._obstacle[key] = obstacle
        if switch is not None or obstacle is not None:
            self._by_policy.setdefault(key.policy, set()).add(key)

    def _forget(self, key: RowKey) -> None:
        self._obstacle.pop(key, None)
        switch = self._switch.pop(key, None)
        if switch is not None:
            self._by_switch[switch].discard(key)
            if not self._by_switch[switch]:
                del self._by_switch[switch]
        rows = self._by_policy.get(key.policy)
        if rows is not None:
            rows.discard(key)
            if not rows:
                del self._by_policy[key.policy]
