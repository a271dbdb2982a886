"""What telemetry can learn from informers; the calls only count and return at once.

Rule: labels are few (kinds, outcomes), and no call is made for a single event.
"""

from nqosd.api.changes import ResourceKind
from nqosd.informers.transitions import RequestOutcome


class InformerObserver:
    """Counts nothing; who counts takes its place."""

    def listed(self, kind: ResourceKind, objects: int, seconds: float) -> None:
        """All objects of a kind have been told; it took so many seconds since the list was begun."""

    def watch_restarted(self, kind: ResourceKind, reason: RequestOutcome) -> None:
        """A request or stream came to an end and is made anew; ENDED is everyday, the others tell of faults."""

    def events(self, kind: ResourceKind, number: int) -> None:
        """Some objects of a kind have arrived, in lists or watches."""

    def undecodable(self, kind: ResourceKind) -> None:
        """An answer, an event or an object isn't what was asked for, and nothing of it is believed."""

    def installed(self, kind: ResourceKind, *, is_installed: bool) -> None:
        """The CustomResourceDefinition of a kind is missing, or there; told once, and at each change."""
