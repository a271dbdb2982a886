"""What an informer has published about one kind, so that it tells every difference exactly once.

In: an object that is there, a key that has gone, or the keys of a whole list. Out: the `Change` that follows, or none.
Rule: applying all changes in order to an empty table gives the objects held here.
"""

from collections.abc import Collection

import attrs

from nqosd.api.changes import Change, Object, ResourceKind
from nqosd.api.networkqos import NetworkQoS

FEW = 10
"""How many objects a list may lack, or half of all if that is more, before a second one must lack them too."""


class Store:
    """Objects of one kind by key, as they were published last."""

    def __init__(self, kind: ResourceKind, *, keeps_versions: bool = False) -> None:
        self._kind = kind
        self._objects: dict[str, Object] = {}
        self._versions: dict[str, str] | None = {} if keeps_versions else None
        self._doubted: frozenset[str] = frozenset()

    def __len__(self) -> int:
        return len(self._objects)

    def __contains__(self, key: str) -> bool:
        return key in self._objects

    def get(self, key: str) -> tuple[str, Object]:
        """Give an object that is there, with its resource version, empty unless versions are kept."""
        return "" if self._versions is None else self._versions[key], self._objects[key]

    def put(self, key: str, value: Object, seen: float, version: str = "") -> Change | None:
        """Take note that an object is there; None if it is what was published."""
        if self._versions is not None:
            self._versions[key] = version
        old = self._objects.get(key)
        if isinstance(old, NetworkQoS) and isinstance(value, NetworkQoS) and old.spec == value.spec:
            value = attrs.evolve(value, spec=old.spec)  # nobody needs a second copy, or has to compare them again
        if old == value:
            return None
        self._objects[key] = value
        return Change(self._kind, key, old, value, seen)

    def drop(self, key: str, seen: float) -> Change | None:
        """Take note that an object has gone; None if it wasn't published."""
        old = self._objects.pop(key, None)
        if self._versions is not None:
            self._versions.pop(key, None)
        return None if old is None else Change(self._kind, key, old, None, seen)

    def doubt(self, keys: Collection[str], few: int) -> str:
        """Say why it is hard to believe that no other objects than these are there; empty if it isn't.

        It is, where that takes away more than a few and more than half, unless it was said of the same ones before.
        """
        gone = frozenset(key for key in self._objects if key not in keys)
        news = len(gone - self._doubted)
        if news <= few or 2 * news <= len(self._objects):
            return ""
        self._doubted = gone
        return f"{news} of {len(self._objects)} objects that are known aren't there"

    @property
    def is_doubted(self) -> bool:
        """Whether some objects were said not to be there, and since then no list was taken for all there is."""
        return bool(self._doubted)

    def retain(self, keys: Collection[str], seen: float) -> list[Change]:
        """Take note that no other objects than these are there."""
        self._doubted = frozenset()
        dropped = (self.drop(key, seen) for key in [key for key in self._objects if key not in keys])
        return [change for change in dropped if change is not None]

    def copy(self) -> dict[str, Object]:
        """Give all objects by key."""
        return dict(self._objects)
