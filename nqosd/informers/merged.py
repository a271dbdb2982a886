"""What several watches of pods come to, each of which hears of some.

In: what each has in its store. Out: changes of pods as a whole. Rules: a pod is there as long as one of them has it,
and who has it at the newest resource version says what it is; that it leaves the selection of one deletes nothing that
another one has.
"""

import time
from collections.abc import Collection, Mapping

from nqosd.api.changes import Change, ResourceKind, Sink
from nqosd.api.objects import Pod
from nqosd.informers.resource_versions import is_older
from nqosd.informers.store import Store


class Merged:
    """The sink of all watches of pods; a change that one of them tells only says where to look."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self._stores: list[Store] = []
        self._told: dict[str, Pod] = {}

    def objects(self) -> Collection[Pod]:
        """Give all that was told."""
        return self._told.values()

    def add(self, store: Store) -> None:
        """Let a watch, which knows nothing yet, take part."""
        self._stores.append(store)

    def remove(self, store: Store) -> None:
        """Forget a watch: what it alone has is gone."""
        self._stores.remove(store)
        self._look(dict.fromkeys(store.copy(), time.monotonic()))

    def changed(self, changes: list[Change]) -> None:
        """Tell what the changes of one watch come to; also if to nothing, since pods that many tell are dear."""
        self._look({change.key: change.seen for change in changes})

    def synced(self, kind: ResourceKind) -> None:
        """Tell that one more watch has told all that it selects."""
        self._sink.synced(kind)

    def _look(self, keys: Mapping[str, float]) -> None:
        changes = []
        for key, seen in keys.items():
            old, new = self._told.get(key), self._newest(key)
            if old == new:
                continue
            if new is None:
                del self._told[key]
            else:
                self._told[key] = new
            changes.append(Change(ResourceKind.POD, key, old, new, seen))
        self._sink.changed(changes)

    def _newest(self, key: str) -> Pod | None:
        newest: Pod | None = None
        newest_version = ""
        for store in self._stores:
            if key in store:
                version, value = store.get(key)
                if isinstance(value, Pod) and (newest is None or is_older(newest_version, version)):
                    newest, newest_version = value, version
        return newest
