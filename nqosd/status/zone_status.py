"""What this daemon says of policies in Kubernetes: the report of its zone, and, if it is elected, their whole status.

In: once a round, how policies stand and how far the round came. Out: Leases, and the status of policies. Rule: it is
told each thing once; what is missing (a right, an answer) delays no round and no row.
"""

import asyncio
from collections.abc import Callable, Iterable
from typing import Protocol

from nqosd.kube.writes import FORBIDDEN, Answer, ApiClient, Complaints
from nqosd.status.leases import Election, Leases
from nqosd.status.reporter import ZoneReporter
from nqosd.status.summariser import Summariser, Summed
from nqosd.status.writer import Listener, StatusObserver, StatusWriter
from nqosd.status.zone_state import PolicyStanding, Progress, ZoneState


class ZoneObserver(StatusObserver, Protocol):
    """Who counts writes of both kinds."""

    def zone_report(self, result: str) -> None:
        """Count a request about Leases: `answered` or `refused` (tried again)."""

    def summed(self, summed: Summed | None) -> None:
        """Take what a look at all zones came to; None where another zone's daemon looks."""


class ZoneStatus:
    """One for each daemon; only the one that holds the lock may `publish`.

    `may_report` says whether what the zone reports is of now, `in_touch` whether every change is heard; `say` takes
    what people should know of missing rights, and `refresh` asks for a round, however little it has to do.
    """

    def __init__(
        self,
        client: ApiClient,
        observer: ZoneObserver,
        *,
        namespace: str,
        holder: str,
        in_touch: Callable[[], bool] = lambda: True,
        may_report: Callable[[], bool] = lambda: True,
        listener: Listener | None = None,
        say: Callable[[str], None] = lambda _text: None,
        refresh: Callable[[], None] = lambda: None,
    ) -> None:
        self._observer = observer
        self._say = say
        self._namespace = namespace
        self._state = ZoneState()
        self._complaints: dict[str, Complaints] = {}
        self._forbidden: dict[str, str] = {}
        self._notes: dict[str, str] = {}
        self.writer = StatusWriter(client, observer, listener=listener, say=lambda text: self._note("statuses", text))
        leases = Leases(client, namespace)
        self._reporter = ZoneReporter(
            leases, lambda: self._state, may_report, holder=holder, took=self._took, refresh=refresh
        )
        self._summariser = Summariser(
            leases,
            Election(client, leases),
            lambda: self._state,
            self.writer,
            in_touch=in_touch,
            may_report=may_report,
            took=self._took,
            observe=observer.summed,
            holder=holder,
        )

    def publish(self, progress: Progress, standings: Iterable[PolicyStanding], gone: Iterable[str] = ()) -> None:
        """Take what a committed round came to; returns at once."""
        state = self._state
        gone = tuple(gone)
        state.committed(progress, standings, gone, asyncio.get_running_loop().time())
        for key in gone:
            self.writer.forget(key)
        if state.is_urgent:
            self._reporter.wake.set()
        if state.changed:
            self._summariser.wake.set()

    def clear(self) -> None:
        """Drop everything: another daemon writes the rows, and speaks for the zone."""
        self._state = ZoneState()
        self.writer.clear()

    async def run(self) -> None:
        """Report and sum up for ever."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._reporter.run())
            group.create_task(self._summariser.run())
            group.create_task(self.writer.run())

    def _took(self, what: str, answer: Answer) -> None:
        """Take the answer to a request about Leases; `what` it was for."""
        complaints = self._complaints.setdefault(what, Complaints(f"the Lease for {what}"))
        if answer.accepted:
            complaints.accepted()
            self._forbidden.pop(what, None)
        else:
            complaints.refused(answer, f"namespace {self._namespace}")
        if answer.status == FORBIDDEN:
            self._forbidden[what] = answer.message
        self._observer.zone_report("answered" if answer.accepted else "refused")
        missing = "; ".join(self._forbidden[each] for each in sorted(self._forbidden))
        self._note(
            "leases",
            f"zones hear nothing of each other, grant what config/rbac/role.yaml does: {missing}" if missing else "",
        )

    def _note(self, what: str, text: str) -> None:
        self._notes[what] = text
        self._say("; ".join(filter(None, self._notes.values())))
