"""The daemon's state as values, for `/state/…`, the status page and `nqosd get`.

Rates are in kbps, bursts in kilobits, times in seconds (moments: Unix time). Rule: nothing here is secret to those who
may read the policies, and nothing can be changed through it.
"""

from typing import Protocol

import msgspec

from nqosd.compiler.settings import Settings

MOST_RIVALS = 200
"""Rows of others that are looked for, for one policy."""


class PolicyState(msgspec.Struct, frozen=True):
    """How a policy stands: `reason` and `message` are those of its condition for this zone."""

    namespace: str
    name: str
    generation: int
    ready: bool
    reason: str
    message: str
    problems: tuple[str, ...]
    warnings: tuple[str, ...]
    networks: tuple[str, ...]
    switches: tuple[str, ...]
    rows: int


class SelectionState(msgspec.Struct, frozen=True):
    """An address set or a port group, as desired: whose addresses (logical ports) it holds, and which."""

    name: str
    kind: str
    selection: str
    members: tuple[str, ...]


class RowState(msgspec.Struct, frozen=True):
    """A row, as desired; `waits`: its switch isn't in the database yet. `rule` is the index in `spec.egress`."""

    policy: str
    rule: int
    part: str
    network: str
    switch: str
    direction: str
    priority: int
    dscp: int | None
    rate: int | None
    burst: int | None
    match: str
    waits: bool


class NetworkState(msgspec.Struct, frozen=True):
    """A definition of a network. `accepted`: by ovn-kubernetes. `ignored` is why it doesn't count; empty if it does."""

    definition: str
    network: str
    topology: str
    role: str
    subnets: tuple[str, ...]
    accepted: bool
    ignored: str


class InformerState(msgspec.Struct, frozen=True):
    """One kind of objects: whether all of them are known, and how many there are."""

    kind: str
    synced: bool
    objects: int


class RoundState(msgspec.Struct, frozen=True):
    """A round that has ended."""

    outcome: str
    ended: float
    seconds: float


class Overview(msgspec.Struct, frozen=True):
    """The daemon as a whole. `problems`: reasons to restart it; `waiting_for`: what isn't there yet, and why."""

    version: str
    instance: str
    started: float
    role: str
    zone: str
    remote: str
    northd_version: str
    connected: bool
    synced: bool
    lock: str
    lock_held: bool
    problems: tuple[str, ...]
    waiting_for: dict[str, str]
    last_round: RoundState | None
    rounds: dict[str, int]
    transactions: dict[str, int]
    repaired: int
    informers: tuple[InformerState, ...]


class RuleTotals(msgspec.Struct, frozen=True):
    """What a rule did on all nodes whose exporters were asked: packets, and bytes from the Ethernet header on.

    `limited`: it has a limit, so that packets are passed or dropped; on `nodes_without_meter` it isn't enforced.
    """

    policy: str
    rule: int
    network: str
    nodes: int
    limited: bool
    nodes_without_meter: int
    marked_packets: int
    marked_bytes: int
    passed_packets: int
    passed_bytes: int
    dropped_packets: int
    dropped_bytes: int


class Statistics(msgspec.Struct, frozen=True):
    """What exporters told, by policy, rule and network, and why others told nothing, by address."""

    totals: tuple[RuleTotals, ...]
    failures: dict[str, str]


class RuleState(msgspec.Struct, frozen=True):
    """A rule of a policy: `packets` says which it is for, empty for all."""

    rule: int
    packets: str
    dscp: int
    rate: int | None
    burst: int | None


class RivalState(msgspec.Struct, frozen=True):
    """A row of another policy above one of this policy's on the same switch, for some of the same senders."""

    policy: str
    rule: int
    switch: str
    priority: int
    below: int
    """The priority of this policy's row."""
    senders: int
    """How many senders both select."""


class PolicyDetail(msgspec.Struct, frozen=True):
    """All about one policy; `rivals` are those that it loses to where both match, as found first if there are more."""

    policy: PolicyState
    rules: tuple[RuleState, ...]
    rows: tuple[RowState, ...]
    selections: tuple[SelectionState, ...]
    rivals: tuple[RivalState, ...]
    more_rivals: bool
    statistics: tuple[RuleTotals, ...]


class DatabaseState(msgspec.Struct, frozen=True):
    """What the Northbound database holds, and the settings under which rows are compiled for it.

    `tables`: rows by table and uuid, in OVSDB's JSON, as far as the daemon itself looks at them.
    """

    settings: Settings
    tables: dict[str, dict[str, msgspec.Raw]]


class StateSource(Protocol):
    """Who knows. Long lists are put together in pieces, so that the event loop isn't held up."""

    def overview(self) -> Overview:
        """Give the whole."""

    async def policies(self) -> list[PolicyState]:
        """Give the policies in order of their keys; none before the first round."""

    async def selections(self) -> list[SelectionState]:
        """Give the sets in order of their names."""

    async def rows(self) -> list[RowState]:
        """Give the rows by policy, rule, network, switch and part."""

    async def networks(self) -> list[NetworkState]:
        """Give the definitions of networks, by network and key."""

    async def policy(self, key: str) -> PolicyDetail | None:
        """Give all about one policy, named `namespace/name`; None if there is none."""

    async def database(self) -> DatabaseState | None:
        """Give what the database holds; None while it isn't in reach."""

    async def statistics(self) -> Statistics | None:
        """Ask the exporters; None if there are none to ask."""
