"""What is so with the connection, and one log line each time that it changes.

In: the IDL after each turn. Out: `DatabaseFacts`. The rule: a line for a transition, never for an attempt; the same
trouble with the same server is told once, however it alternates with others. Asking for the lock again is no loss.
"""

import structlog
from msgspec.structs import replace

from nqosd.api.text import shortened
from nqosd.northbound.other_writers import other_holder
from nqosd.northbound.replica.idl import NorthboundIdl
from nqosd.northbound.results import DatabaseFacts

_MOST = 10
"""How many reasons are told until the database can be used again."""

log = structlog.get_logger(__name__)


class ConnectionFacts:
    """Follows one connection."""

    def __init__(self) -> None:
        self.facts = DatabaseFacts()
        self._told: set[str] = set()
        self._is_lost = True

    def look(self, idl: NorthboundIdl) -> tuple[DatabaseFacts, DatabaseFacts]:
        """Find out what is so now; return what was so before, and what is so now."""
        before, replica = self.facts, idl.replica
        connected = idl.session.connection is not None
        synced = idl.is_synced
        is_contended = synced and bool(idl.is_lock_contended)
        self.facts = DatabaseFacts(
            connected=connected,
            synced=synced,
            lock_held=idl.holds_lock,
            remote=idl.session.get_name(),
            problem="" if synced else idl.session.reason,
            zone=replica.zone if synced else before.zone,
            northd_version=replica.northd_version if synced else before.northd_version,
            switches=replica.switches if synced else before.switches,
            theirs=replica.rows.theirs if synced else before.theirs,
            is_contended=is_contended,
            other_holder=other_holder(replica.writers(), idl.owner, idl.lock_name) if is_contended else "",
        )
        if self.facts != before:
            self._tell(before, idl)
        return before, self.facts

    def close(self) -> None:
        """Note that the connection is closed for good."""
        self.facts = replace(self.facts, connected=False, synced=False, lock_held=False, problem="closed")

    def _tell(self, before: DatabaseFacts, idl: NorthboundIdl) -> None:
        now = self.facts
        if not self._is_lost and not idl.is_current:
            self._is_lost = True
            self._told = {idl.session.lost}
            log.warning("northbound: connection lost", remote=before.remote, reason=idl.session.lost)
        elif now.problem and now.problem not in self._told and len(self._told) < _MOST:
            log.warning("northbound: database can't be used", remote=now.remote, reason=now.problem)
            self._told.add(now.problem)
        if now.synced and self._is_lost:
            self._is_lost = False
            self._told.clear()
            log.info("northbound: in step", remote=now.remote, zone=now.zone, rows=dict(idl.replica.size))
        if now.lock_held and not before.lock_held:
            log.info("northbound: lock won, this daemon writes now", lock=idl.lock_name)
        elif before.lock_held and now.synced and not now.lock_held:
            log.warning("northbound: lock lost to another client of the database", lock=idl.lock_name)
        if now.other_holder and now.other_holder != before.other_holder:
            log.warning("northbound: another instance has the lock", lock=idl.lock_name, reason=now.other_holder)
        if bool(now.theirs) != bool(before.theirs):
            self._tell_theirs()
        if now.synced and before.synced and (now.zone, now.northd_version) != (before.zone, before.northd_version):
            log.info("northbound: global facts changed", zone=now.zone, northd_version=now.northd_version)

    def _tell_theirs(self) -> None:
        if theirs := self.facts.theirs:
            log.warning(
                "northbound: ovn-kubernetes' own NetworkQoS controller has rows here, which act where ours don't: "
                "turn it off (--enable-network-qos=false), then nqosd takeover --from ovn-kubernetes",
                rows=sum(theirs.values()),
                policies=shortened(sorted(theirs)),
            )
        else:
            log.info("northbound: no row of ovn-kubernetes' own NetworkQoS controller is left")
