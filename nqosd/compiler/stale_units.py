"""Units whose inputs changed in a batch: which these are, and how they are built anew.

In: policies and sites. Out: their units as they should be, in the place of those that stood there. Rule: a unit whose
policy and site mean the same as before stays the same object.
"""

from collections.abc import Iterator, Mapping

from nqosd.api.networkqos import BandwidthScope
from nqosd.compiler.desired import Delta
from nqosd.compiler.desired_state import State
from nqosd.compiler.effective_policies import EffectivePolicy
from nqosd.compiler.matching import MatchScope
from nqosd.compiler.return_traffic import SwitchRows
from nqosd.compiler.room import Room
from nqosd.compiler.rows import SenderSwitch, Unit, build_unit
from nqosd.compiler.set_members import Membership
from nqosd.compiler.topology import ClusterTopology

LITTLE = 300
"""Rows, and units without rows, for which others can wait; they take some 5 ms."""
A_ROW = 25
"""Prefixes of a policy that take as long as a row, where they stand in sets that nobody has named and counted yet."""


class StaleUnits:
    """The units to build anew, by policy, network and switch, in a fixed order."""

    def __init__(
        self,
        policies: Mapping[str, EffectivePolicy],
        *,
        room: Room,
        membership: Membership,
        topology: ClusterTopology,
        state: State,
        switch_rows: SwitchRows,
    ) -> None:
        self._policies = policies
        self._room = room
        self._membership = membership
        self._topology = topology
        self._state = state
        self._switch_rows = switch_rows
        self._stale: dict[tuple[str, str, str], None] = {}

    def __len__(self) -> int:
        """Count them."""
        return len(self._stale)

    def policies(self) -> Iterator[str]:
        """Give their policies, as often as they have units here."""
        return (policy for policy, _network, _switch in self._stale)

    def mark(self, policy: str, network: str, switch: str) -> None:
        """Note one."""
        self._stale[policy, network, switch] = None

    def mark_all(self, policy: str) -> None:
        """Note all units of a policy, those that there are and those that there should be."""
        effective = self._policies.get(policy)
        sites = {} if effective is None else self._membership.sets.sites(effective.sources)
        self._stale |= dict.fromkeys((policy, *site) for site in [*self._state.units(policy), *sites])

    @property
    def are_many(self) -> bool:
        """Whether others can't wait until they are built; where pods have limits of their own, all rows count."""
        weight = len(self._stale)
        for key, network, switch in self._stale if weight <= LITTLE else ():
            effective, before = self._policies.get(key), self._state.units(key).get((network, switch))
            weight += 0 if before is None else len(before.rows)
            if effective is not None and before is None:
                weight += sum(each.sizes["prefixes"] for each in effective.criteria) // A_ROW
            if effective is not None:
                weight += len(effective.spec.egress)
                weight += LITTLE * (effective.spec.bandwidth_scope is BandwidthScope.POD)
        return weight > LITTLE

    def build(self, delta: Delta) -> None:
        """Build them, and what makes up for them on their switches; none is stale afterwards."""
        stale, self._stale = self._stale, {}
        scopes: dict[tuple[str, str], MatchScope] = {}
        for key, network, switch in stale:
            scope = scopes.setdefault((key, network), MatchScope(network, self._state.name, self._state.same))
            unit = self._unit(key, scope, switch)
            before = self._state.replace(key, (network, switch), unit, delta)
            self._switch_rows.unit_changed((network, switch), before, unit)
        for site, unit in self._switch_rows.drain(self._state.name):
            self._state.replace("", site, unit, delta)

    def _unit(self, key: str, scope: MatchScope, switch: str) -> Unit | None:
        """Build one unit; None where there are no senders or no network, or the policy isn't for them."""
        name, effective = scope.network, self._policies.get(key)
        network = self._topology.networks.by_name.get(name)
        if network is None or effective is None or self._room.problem(key) is not None or not effective.selects(name):
            return None
        kinds = self._membership.sets.sites(effective.sources).get((name, switch))
        if not kinds:
            return None
        site_key = (effective.sources, name, switch)
        pods = lambda: self._membership.pods.senders(site_key)  # noqa: E731 - asked for limits per pod only
        site = SenderSwitch(network, switch, frozenset(kinds), pods)
        before = self._state.units(key).get((name, switch)) or self._state.spare(key, (name, switch))
        if before is not None and before.holds(effective, site):
            return before
        return build_unit(effective, site, scope, before)
