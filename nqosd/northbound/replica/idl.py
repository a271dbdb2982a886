"""What is monitored of an OVN Northbound database, and the lock in it.

In: the session's messages. Out: a filled replica, and whether the lock is held. The rule: besides our own rows hardly
any are monitored.
"""

from collections.abc import Iterable, Sequence

from nqosd.compiler.desired import OWNER, PART
from nqosd.northbound.replica.replica import Replica
from nqosd.northbound.replica.writer_record import WRITER
from nqosd.ovsdb import schema, wire
from nqosd.ovsdb.connection_options import Options
from nqosd.ovsdb.raw_idl import RawIdl

STATELESS = "allow-stateless"
"""The action of an ACL that tracks no connections."""


class NorthboundIdl(RawIdl):
    """Follows one OVN Northbound database. Nothing is connected before the first `run`."""

    def __init__(self, options: Options, remotes: Sequence[str], replica: Replica) -> None:
        super().__init__(options, remotes, replica)
        self.replica = replica
        self.owner = options.owner
        self.watch(())
        self.set_lock(options.lock)

    @property
    def holds_lock(self) -> bool:
        """Whether the server said that we hold the lock, on the connection that we have."""
        return bool(self.has_lock) and self.is_synced

    def requeue(self) -> None:
        """Give the lock up and ask for it again: it is ours at once if nobody else waits for it.

        Only a lock that is held is given up, and never under a transaction that has asserted it.
        """
        if self.holds_lock and not self._outstanding_txns:
            name = self.lock_name
            self.set_lock(None)
            self.set_lock(name)

    def watch(self, names: Iterable[str]) -> None:
        """Monitor our own sets, records of all writers, and address sets and port groups of these names, whose ever.

        Of the table QoS all rows: there is no condition for "sets a packet mark", and others have few rows there. Of
        ACL those without connections: hardly anybody has any, and of the others there can be tens of thousands.
        """
        mine = ["external_ids", "includes", wire.string_map({OWNER: self.owner})]
        named = [["name", "==", name] for name in sorted(names)]
        records = ["external_ids", "includes", wire.string_map({PART: WRITER})]
        self.cond_change(schema.ADDRESS_SET, [mine, records, *named])
        self.cond_change(schema.PORT_GROUP, [mine, *named])
        self.cond_change(schema.ACL, [["action", "==", STATELESS]])
