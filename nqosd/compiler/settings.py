"""What the compiler must know besides the objects: whose rows, which zone, which OVN, what a policy may take."""

import re

import msgspec

from nqosd.api.problems import Problem
from nqosd.config.options import Limits

MERGED_TABLES = (24, 9)
"""From this release on, OVN marks and meters in one table: the highest match alone acts (measured on 23.03, 25.03)."""

_WHOLE_CLUSTER = ("", "global", "*")
"""What a database for the whole cluster has in place of a zone's name: ovn-kubernetes' two, and the option's."""

NEWEST_TESTED = (26, 3)
"""The newest release that the tests and the data-plane matrix know; what a newer one does with rows isn't known."""

OvnVersion = tuple[int, int]
"""Year and month of an OVN release, as in 24.09."""


class Settings(msgspec.Struct, frozen=True):
    """`zone` names the database's zone, empty for the whole cluster; `ovn` None means not known (yet).

    `any_network` says what a policy without networkSelectors means: every network, or (False) the default one.
    """

    owner: str = "nqosd"
    zone: str = ""
    ovn: OvnVersion | None = None
    any_network: bool = True
    limits: Limits = msgspec.field(default_factory=Limits)

    @property
    def tables_are_apart(self) -> bool:
        """Say whether marks and meters may come from two rows. Unknown counts as yes: shielding is harmless."""
        return self.ovn is None or self.ovn < MERGED_TABLES


def zone_name(text: str) -> str:
    """Read what the option or NB_Global.name says; gives the name of a zone, empty for the whole cluster."""
    return "" if text in _WHOLE_CLUSTER else text


def parse_ovn_version(text: str) -> OvnVersion | None:
    """Read `NB_Global.options:northd_internal_version` (e.g. `25.03.0-20.41.0-77.6`); None if it isn't one."""
    match = re.match(r"(\d{2})\.(0[1-9]|1[0-2])(?:\D|$)", text)
    return (int(match[1]), int(match[2])) if match else None


def excess(field: str, number: int, option: str, limits: Limits, way_out: str, *, step: int = 1) -> Problem | None:
    """Say that a number is beyond a limit, and what to do; None if it isn't.

    `option` names the limit. The number is said as a multiple of `step` that it doesn't exceed, and so changes seldom.
    """
    allowed: int = getattr(limits, option)
    if number <= allowed:
        return None
    figure = f"{number}" if step == 1 else f"up to {-(-number // step) * step}"
    return Problem(
        field,
        f"{figure} {option} are more than the {allowed} that limits.{option} allows: {way_out}, or ask the "
        "administrator of nqosd for a higher limit",
        limit=option,
    )


def no_room(field: str, key: str, option: str, limits: Limits, way_out: str) -> Problem:
    """Say that the older policies of a namespace leave no room for what one takes; `option` names what is limited."""
    allowed: int = getattr(limits, f"namespace_{option}")
    namespace = key.partition("/")[0]
    return Problem(
        field,
        f"the {option} of this policy and of the older ones of namespace {namespace} are more than the {allowed} that "
        f"limits.namespace_{option} allows: {way_out}, remove older policies, or ask the administrator of nqosd for a "
        "higher limit",
        limit=f"namespace_{option}",
    )
