"""Rows that nobody wants any more and that stay for a while, because removing them may wait.

In: rows with the sets that say who sends, and since when they are idle. Out: by set, by policy, and by age. Rule: an
idle row does nothing, since its source sets are empty; so whoever fills such a set must look at its rows first.
"""

from collections.abc import Container, Iterator, Mapping
from collections.abc import Set as AbstractSet

from nqosd.compiler.desired import RowKey

_NONE: frozenset[RowKey] = frozenset()


class IdleRows:
    """Idle rows; times are in seconds of whatever clock the caller uses."""

    def __init__(self) -> None:
        self._since: dict[RowKey, float] = {}
        self._sources: dict[RowKey, frozenset[str]] = {}
        self._by_source: dict[str, set[RowKey]] = {}
        self._by_policy: dict[str, set[RowKey]] = {}

    def add(self, rows: Mapping[RowKey, frozenset[str]], now: float) -> None:
        """Take rows with their source sets; one that is idle already keeps its time."""
        for key, sources in rows.items():
            if key in self._since:
                continue
            self._since[key] = now
            self._sources[key] = sources
            self._by_policy.setdefault(key.policy, set()).add(key)
            for name in sources:
                self._by_source.setdefault(name, set()).add(key)

    def discard(self, key: RowKey) -> None:
        """Forget a row, if it is here."""
        if self._since.pop(key, None) is None:
            return
        for name in self._sources.pop(key):
            self._by_source[name].discard(key)
            if not self._by_source[name]:
                del self._by_source[name]
        self._by_policy[key.policy].discard(key)
        if not self._by_policy[key.policy]:
            del self._by_policy[key.policy]

    def clear(self, but: Container[RowKey] = ()) -> None:
        """Forget all rows but some."""
        for key in [key for key in self._since if key not in but]:
            self.discard(key)

    def users_of(self, name: str) -> AbstractSet[RowKey]:
        """Return the rows that do nothing only because this set is empty."""
        return self._by_source.get(name, _NONE)

    def of_policy(self, policy: str) -> AbstractSet[RowKey]:
        """Return the rows of a policy."""
        return self._by_policy.get(policy, _NONE)

    @property
    def oldest(self) -> float | None:
        """Since when the row that is idle longest is, or None if there is none."""
        return next(iter(self._since.values()), None)  # in the order of their coming

    def __iter__(self) -> Iterator[RowKey]:
        return iter(self._since)

    def __len__(self) -> int:
        return len(self._since)
