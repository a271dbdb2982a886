"""Objections: what of the cluster's objects doesn't count, said to people once.

In: the changes of a round, the compiler after it. Out: log lines, and an Event for a pod that claims an address of an
older pod in another namespace. Rule: each objection is said when it begins or its words change, however often the
object does, of each namespace so many lines as its budget has, and of so many of its pods at once; whose an address is
that passes from another pod to another isn't said again; Events are written by the daemon that writes rows, for pods of
its own zone.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

import structlog

from nqosd.api.changes import Change
from nqosd.api.networkqos import NetworkQoS
from nqosd.compiler.address_owners import Refused
from nqosd.compiler.incremental import IncrementalCompiler
from nqosd.compiler.network_switches import Disagreement
from nqosd.compiler.oldest_definitions import too_many_definitions
from nqosd.compiler.settings import NEWEST_TESTED, OvnVersion
from nqosd.daemon.log_budget import LogBudget
from nqosd.status.condition_changes import claimed
from nqosd.status.events import EventRecorder

SAID = 3
"""How many of a pod's addresses are said; the others are counted."""
PODS = 50
"""Pods of a namespace of which something is said after one round; the others are counted."""

_log = structlog.get_logger()


class Objections:
    """Says them."""

    def __init__(self) -> None:
        self._ignored: Mapping[str, Disagreement] = {}
        self._crowded: frozenset[str] = frozenset()
        self._of_switches: Mapping[str, str] = {}
        self._ovn: OvnVersion | None = None
        self._lines = LogBudget("objects change too often to log each time what of them doesn't count")

    def take(
        self,
        changes: Iterable[Change],
        pods: Iterable[str],
        compiler: IncrementalCompiler,
        events: EventRecorder | None,
    ) -> None:
        """Say what is new; `pods` are those of which other addresses than before don't count.

        `events` is None where the log is enough.
        """
        for change in changes:
            self._say_unreadable(change)
        self._say_ignored(compiler)
        self._say_of_switches(compiler)
        self._say_untested(compiler.settings.ovn)
        numbers: Counter[str] = Counter()
        for key in sorted(pods):
            namespace = key.partition("/")[0]
            numbers[namespace] += 1
            if numbers[namespace] <= PODS:
                self._say_refused(key, compiler, events)
        for namespace, number in numbers.items():
            if number > PODS and self._lines.spend(namespace):
                _log.warning("addresses of more pods changed hands", namespace=namespace, pods=number - PODS)

    def _say_ignored(self, compiler: IncrementalCompiler) -> None:
        before, self._ignored = self._ignored, compiler.networks.ignored
        if before is not self._ignored:
            for key, why in self._ignored.items():
                if before.get(key) != why and self._lines.spend(key.partition("/")[0]):
                    _log.warning("a definition of a network is ignored", definition=key, why=str(why))
        crowded, self._crowded = self._crowded, compiler.crowded
        for namespace in sorted(self._crowded - crowded) if crowded is not self._crowded else ():
            if self._lines.spend(namespace):
                words = too_many_definitions(namespace, compiler.settings.limits)
                _log.warning("definitions of networks are ignored", namespace=namespace, why=words)

    def _say_of_switches(self, compiler: IncrementalCompiler) -> None:
        before, self._of_switches = self._of_switches, compiler.objections
        if before is not self._of_switches:
            for name, words in self._of_switches.items():
                if before.get(name) != words:
                    _log.warning("rows of others are suppressed", switch=name, why=words)

    def _say_untested(self, ovn: OvnVersion | None) -> None:
        before, self._ovn = self._ovn, ovn or self._ovn
        if ovn is not None and ovn != before and ovn > NEWEST_TESTED:
            _log.warning(
                "ovn-northd is newer than any that nqosd was tested with: look in its release notes for changes of QoS",
                ovn="{}.{:02}".format(*ovn),
                newest_tested="{}.{:02}".format(*NEWEST_TESTED),
            )

    def _say_refused(self, key: str, compiler: IncrementalCompiler, events: EventRecorder | None) -> None:
        pod, refused = compiler.tables.pods.get(key), compiler.refused(key)
        if pod is None or not refused or not compiler.has_node(pod.node):
            return
        if self._lines.spend(pod.namespace):
            _log.warning("addresses of a pod don't count", pod=key, why=_said(refused))
        lost = [each for each in refused if each.owner]
        if lost and events is not None:
            events.record_for_pod(pod, claimed(_said(lost)))

    def _say_unreadable(self, change: Change) -> None:
        new, old = change.new, change.old
        if new is None or isinstance(new, NetworkQoS) or new.problem is None:
            return
        is_new = old is None or isinstance(old, NetworkQoS) or old.problem != new.problem
        if is_new and self._lines.spend(change.namespace):
            _log.warning(
                "a part of an object can't be read and counts for nothing",
                kind=change.kind,
                key=new.key,
                why=new.problem,
            )


def _said(refused: Sequence[Refused]) -> str:
    more = [f"and {len(refused) - SAID} more"] if len(refused) > SAID else []
    return "; ".join([*map(str, refused[:SAID]), *more])
