"""What the Northbound database should hold: the compiler's output and the northbound layer's input.

Rule: these values say everything that is written, so equal `Desired` means equal database contents, byte for byte.
Ownership marks (external_ids) are derived from them here and nowhere else.
"""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from enum import StrEnum

import msgspec

OWNER = "nqosd.io/owner"
POLICY = "nqosd.io/policy"
RULE = "nqosd.io/rule"
NETWORK = "nqosd.io/network"
SWITCH = "nqosd.io/switch"
PART = "nqosd.io/part"
SELECTION = "nqosd.io/selection"


RETURNED = "returned"
"""`RowKey.part` of a row for what no limit may meet: what comes back, and neighbour discovery."""
MARK_PART = "mark/"
"""How `RowKey.part` of the mirror of a row of others begins; that row's `k8s.ovn.org/id` follows."""
OVERRIDE = "override"
"""`RowKey.part` of a row below which rows of ovn-kubernetes' own NetworkQoS controller don't act."""
NEVER_BITES = 4294967295
"""The highest rate that OVN takes, kbps: a row with it meters nothing in effect (verified on the wire with 23.03)."""


class Direction(StrEnum):
    """The pipeline of a logical switch that a QoS row stands in."""

    FROM_LPORT = "from-lport"
    TO_LPORT = "to-lport"


class Family(StrEnum):
    """An address family; the value is OVN's own prefix of field names (`ip4.src`)."""

    IP4 = "ip4"
    IP6 = "ip6"


class RowKey(msgspec.Struct, frozen=True, order=True, cache_hash=True):
    """Which row this is: one rule on one switch; `part` tells rows of one rule apart (family, or pod).

    A row for a whole switch, whatever rules there are, has an empty policy and the part `RETURNED`, `OVERRIDE`
    or one with `MARK_PART`.
    """

    policy: str
    rule: int
    network: str
    switch: str
    part: str = ""

    def __str__(self) -> str:
        if not self.policy:
            return f"row for {self.purpose}, on switch {self.switch}"
        part = f" ({self.part})" if self.part else ""
        return f"row of NetworkQoS {self.policy}, rule {self.rule}{part}, on switch {self.switch}"

    @property
    def purpose(self) -> str:
        """What a row of no policy is for, in words."""
        return purpose(self.part)


def purpose(part: str) -> str:
    """Say what a row of no policy is for, by the part of its key."""
    if part.startswith(MARK_PART):
        return f"the mark of {part.removeprefix(MARK_PART)}"
    if part == OVERRIDE:
        return "the rows of ovn-kubernetes' own controller"
    return "what comes back and neighbour discovery"


class QosRow(msgspec.Struct, frozen=True):
    """A row of the table QoS, and the switch that it is attached to. rate in kbps, burst in kilobits.

    `dscp` is None where the row marks nothing; `mark` is a packet mark, which the mirror of a row of others sets.
    """

    key: RowKey
    direction: Direction
    priority: int
    match: str
    dscp: int | None
    rate: int | None = None
    burst: int | None = None
    sets: tuple[str, ...] = ()
    """Names of the address sets and port groups that the match refers to."""
    mark: int | None = None

    @property
    def action(self) -> Mapping[str, int]:
        """The column `action`."""
        values = {"dscp": self.dscp, "mark": self.mark}
        return {key: value for key, value in values.items() if value is not None}

    @property
    def bandwidth(self) -> Mapping[str, int]:
        """The column `bandwidth`; empty for a rule without a limit."""
        limits = {"rate": self.rate, "burst": self.burst}
        return {key: value for key, value in limits.items() if value is not None}

    def external_ids(self, owner: str) -> Mapping[str, str]:
        """The column `external_ids`: whose row it is and what it is for."""
        key = self.key
        rule = {POLICY: key.policy, RULE: str(key.rule)} if key.policy else {}
        part = {PART: key.part} if key.part else {}
        return {OWNER: owner, **rule, NETWORK: key.network, SWITCH: key.switch, **part}


class AddressSet(msgspec.Struct, frozen=True):
    """A row of the table Address_Set; `selection` says in words whose addresses these are."""

    name: str
    selection: str
    addresses: AbstractSet[str]

    def external_ids(self, owner: str) -> Mapping[str, str]:
        """The column `external_ids`."""
        return {OWNER: owner, SELECTION: self.selection}


class PortGroup(msgspec.Struct, frozen=True):
    """A row of the table Port_Group: the logical ports, by name, of pods that have no addresses."""

    name: str
    selection: str
    ports: AbstractSet[str]

    def external_ids(self, owner: str) -> Mapping[str, str]:
        """The column `external_ids`."""
        return {OWNER: owner, SELECTION: self.selection}


class Desired(msgspec.Struct, frozen=True):
    """Everything that should be in the database; the mappings may be live views that the next round changes."""

    rows: Mapping[RowKey, QosRow]
    address_sets: Mapping[str, AddressSet]
    port_groups: Mapping[str, PortGroup]

    @property
    def sizes(self) -> Mapping[str, int]:
        """The number of rows by table."""
        return {
            "QoS": len(self.rows),
            "Address_Set": len(self.address_sets),
            "Port_Group": len(self.port_groups),
        }

    def members(self) -> Mapping[str, AbstractSet[str]]:
        """Give the members of every set and group by name."""
        sets = {name: each.addresses for name, each in self.address_sets.items()}
        return sets | {name: each.ports for name, each in self.port_groups.items()}


class Members(msgspec.Struct):
    """How the members of one set changed: `added` and `removed` are disjoint."""

    added: set[str] = msgspec.field(default_factory=set)
    removed: set[str] = msgspec.field(default_factory=set)

    def add(self, member: str) -> None:
        """Note that a member came; it cancels its removal."""
        if member in self.removed:
            self.removed.discard(member)
        else:
            self.added.add(member)

    def remove(self, member: str) -> None:
        """Note that a member went; it cancels its addition."""
        if member in self.added:
            self.added.discard(member)
        else:
            self.removed.add(member)


class Delta(msgspec.Struct):
    """What changed in `Desired` since the last round.

    `rows`: keys of rows that came, went or changed. `sets`: for each address set or port group that came, went or
    changed, by name, the difference in members; one that went may have none, and one of prefixes has none, since it
    never changes. `policies`: keys of policies whose report may read differently now. `pods`: keys of pods of which
    other addresses than before don't count.
    """

    rows: set[RowKey] = msgspec.field(default_factory=set)
    sets: dict[str, Members] = {}
    policies: set[str] = msgspec.field(default_factory=set)
    pods: set[str] = msgspec.field(default_factory=set)

    def __bool__(self) -> bool:
        return bool(self.rows or self.sets or self.policies)
