"""What the database holds of ours, as typed values. Filled by the replica, read by the plan."""

import re
from collections.abc import Mapping
from collections.abc import Set as AbstractSet

import msgspec

from nqosd.compiler.desired import (
    MARK_PART,
    NETWORK,
    OVERRIDE,
    OWNER,
    PART,
    POLICY,
    RETURNED,
    RULE,
    SWITCH,
    Direction,
    RowKey,
)
from nqosd.compiler.switches import OtherRow

OVN_KUBERNETES: Mapping[str, str] = {"k8s.ovn.org/owner-type": "NetworkQoS"}
"""The mark of the NetworkQoS controller in ovn-kubernetes, on QoS rows and address sets."""
THEIR_NAME = "k8s.ovn.org/name"
"""Whose policy a row of theirs is: `namespace:name`."""
_EGRESS_IP = {"k8s.ovn.org/owner-type": "EgressIP"}
_THEIR_ID = "k8s.ovn.org/id"
_REFERENCE = re.compile(r"[$@]([A-Za-z_.][A-Za-z0-9_.]*)")
_SOURCE = re.compile(r"\b(?:ip[46]\.src|inport) == [$@]([A-Za-z_.][A-Za-z0-9_.]*)")


class StoredRow(msgspec.Struct, frozen=True):
    """A row of the table QoS. rate in kbps, burst in kilobits (both in `bandwidth`)."""

    uuid: str
    direction: str
    priority: int
    match: str
    action: Mapping[str, int]
    bandwidth: Mapping[str, int]
    external_ids: Mapping[str, str]

    @property
    def references(self) -> frozenset[str]:
        """Names of the address sets and port groups in the match."""
        return frozenset(_REFERENCE.findall(self.match))

    @property
    def sources(self) -> frozenset[str]:
        """Names of the address sets and port groups that say who sends; while they are empty the row does nothing."""
        return frozenset(_SOURCE.findall(self.match))


class StoredSet(msgspec.Struct):
    """A row of the table Address_Set (members are addresses) or Port_Group (members are uuids of ports)."""

    uuid: str
    name: str
    external_ids: dict[str, str]
    members: AbstractSet[str]


def key_of(external_ids: Mapping[str, str]) -> RowKey | None:
    """Return whose row it is, or None when the external_ids don't say so in our own form."""
    part = external_ids.get(PART, "")
    is_of_switch = POLICY not in external_ids and (part in {RETURNED, OVERRIDE} or part.startswith(MARK_PART))
    try:
        return RowKey(
            policy="" if is_of_switch else external_ids[POLICY],
            rule=0 if is_of_switch else int(external_ids[RULE]),
            network=external_ids[NETWORK],
            switch=external_ids[SWITCH],
            part=part,
        )
    except (KeyError, ValueError):
        return None


def is_ours(external_ids: Mapping[str, str], owner: str) -> bool:
    """Say whether a row belongs to this instance."""
    return external_ids.get(OWNER) == owner


def their_policy(external_ids: Mapping[str, str]) -> str | None:
    """Return whose policy (`namespace/name`) a row of ovn-kubernetes' own controller is for; None if it isn't one."""
    if OWNER in external_ids or not OVN_KUBERNETES.items() <= external_ids.items():
        return None
    return external_ids.get(THEIR_NAME, "").replace(":", "/", 1)


def other_of(row: StoredRow) -> OtherRow | None:
    """Return a row of others as one that ours may suppress; None if none may."""
    mark = row.action.get("mark")
    is_known = OWNER in row.external_ids or their_policy(row.external_ids) is not None
    if mark is None and (is_known or row.direction != Direction.TO_LPORT):
        return None
    is_egress_ip = _EGRESS_IP.items() <= row.external_ids.items()
    name = row.external_ids.get(_THEIR_ID, "") if is_egress_ip else ""
    return OtherRow(name, row.direction, row.priority, row.match, mark)
