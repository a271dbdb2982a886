"""Several zones: each compiles and publishes as its daemon does, reports when it is told to, and may sum up for all."""

from collections.abc import Iterable, Mapping, Sequence

from nqosd.api.changes import Change
from nqosd.compiler.incremental import IncrementalCompiler
from nqosd.compiler.settings import Settings
from nqosd.config.options import Limits
from nqosd.daemon.publisher import Came, KubernetesWriters, Publisher
from nqosd.northbound.northbound import Northbound
from nqosd.ovsdb.connection_options import Options
from nqosd.status.readiness import StatusVerdict, standing_of, verdict_on
from nqosd.status.reports import Renewal, Reports
from nqosd.status.zone_report import ZoneReport, decode_report
from nqosd.status.zone_status import ZoneStatus
from tests.status.fakes import Counting, FakeClient

LOOKED = "2026-11-28T10:00:00Z"


class Zone:
    """A zone's compiler, what its daemon publishes, and what it has reported last."""

    def __init__(self, name: str, limits: Limits, *, hears_all: bool) -> None:
        self.name = name
        self.status = ZoneStatus(FakeClient(), Counting(), namespace="nqosd", holder=name)
        self.publisher = Publisher(Northbound(Options()), KubernetesWriters(self.status))
        self.publisher.hears_all_pods = hears_all
        self.compiler = IncrementalCompiler(Settings(zone=name, limits=limits))
        self.reported: ZoneReport | None = None

    async def take(self, changes: Iterable[Change], version: int, left_out: frozenset[str] = frozenset()) -> None:
        """Take changes up to a resource version."""
        delta = self.compiler.apply(changes)
        self.publisher.policies_changed(delta.policies)
        self.publisher.zones_changed()
        await self.publisher.publish(self.compiler, self.name, Came(version, frozenset(), left_out))

    def report(self) -> None:
        """Report what has been taken, as it is read from the zone's Lease."""
        found = self.status._state.report
        self.reported = decode_report(found.encode()) if found is not None else None

    @property
    def applies(self) -> set[str]:
        """The policies that have rows."""
        return {key.policy for key in self.compiler.desired.rows if key.policy}


def summed(zone: Zone, zones: Sequence[Zone]) -> Mapping[str, StatusVerdict]:
    """Sum up in one of some zones what all of them have reported."""
    held, state = Reports(), zone.status._state
    held.listed([Renewal(each.reported, LOOKED) for each in zones if each.reported is not None], 0.0)
    assert state.progress is not None
    view = held.view(state.progress.zones, 0.0)
    return {
        key: verdict_on(each, state.progress, standing_of(each, state.progress, view))
        for key, each in state.entries.items()
    }
