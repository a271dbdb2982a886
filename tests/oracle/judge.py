"""Real OVN as a judge of match expressions.

In: a generation of OVN, matches, sets and groups, packets. Out: for each packet the matches that it meets, and the
matches that OVN refuses. The rule: nothing here reads a match; ovn-trace does.

A Southbound database of its own holds one datapath whose tables each ask one match and go on, so that one trace of a
packet tells about all of them. (Where a match holds, a register is set: ovn-trace doesn't show a flow of match 1 that
only goes on.)
"""

import re
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Self

from tests.oracle.packet import TRANSPORTS, Packet
from tests.services.generation import OvnGeneration
from tests.services.ovn import trace
from tests.services.ovsdb import OvsdbServer

MATCHES_AT_ONCE = 24
"""A pipeline of OVN 23.03 has fewer than thirty tables."""

_DATAPATH = "judge"
_MET = re.compile(r"^ *(\d+)\. .*priority 7,", re.MULTILINE)
_REFUSED = re.compile(r"\|WARN\|(.*): parsing expression failed \(", re.MULTILINE)


class Judge:
    """A Southbound database that asks matches; a context manager."""

    def __init__(self, generation: OvnGeneration) -> None:
        self._sb = OvsdbServer(generation, "sb")

    def __enter__(self) -> Self:
        self._sb.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self._sb.__exit__(kind, error, where)

    def load(
        self,
        matches: Sequence[str],
        address_sets: Mapping[str, Sequence[str]],
        port_groups: Mapping[str, Sequence[str]],
        ports: Sequence[str],
    ) -> None:
        """Replace everything by these matches (at most `MATCHES_AT_ONCE`) on a switch with these logical ports."""
        if len(matches) > MATCHES_AT_ONCE:
            raise ValueError(f"{len(matches)} matches: {MATCHES_AT_ONCE} fit at once")
        tables = ("Logical_Flow", "Port_Binding", "Datapath_Binding", "Address_Set", "Port_Group")
        datapath = ["named-uuid", "dp"]
        self._sb.transact(
            *({"op": "delete", "table": table, "where": []} for table in tables),
            _insert(
                "Datapath_Binding",
                tunnel_key=1,
                external_ids=["map", [["name", _DATAPATH], ["logical-switch", "00000000-0000-4000-8000-000000000001"]]],
            )
            | {"uuid-name": "dp"},
            *(
                _insert("Port_Binding", logical_port=port, datapath=datapath, tunnel_key=number, type="")
                for number, port in enumerate(ports, start=1)
            ),
            *(
                _insert("Address_Set", name=name, addresses=["set", list(addresses)])
                for name, addresses in address_sets.items()
            ),
            # northd prefixes a group's name with the datapath's tunnel key, and so looks it up ovn-trace
            *(
                _insert("Port_Group", name=f"1_{name}", ports=["set", list(members)])
                for name, members in port_groups.items()
            ),
            *(
                flow
                for table, match in enumerate(matches)
                for flow in (_flow(datapath, table, 7, match), _flow(datapath, table, 0, "1"))
            ),
        )

    def ask(self, packet: Packet) -> tuple[set[int], set[str]]:
        """Send a packet: the indexes of the matches that it meets, and the texts of those that OVN refuses."""
        answer = trace(self._sb, _DATAPATH, microflow(packet))
        return {int(table) for table in _MET.findall(answer)}, set(_REFUSED.findall(answer))


def microflow(packet: Packet) -> str:
    """A packet as ovn-trace takes it."""
    family = packet.source.version
    parts = [
        f'inport == "{packet.inport}"',
        f"ip{family}.src == {packet.source}",
        f"ip{family}.dst == {packet.destination}",
        "ip.ttl == 64",
    ]
    if packet.protocol in TRANSPORTS:
        parts += [f"{packet.protocol}.src == {packet.source_port}", f"{packet.protocol}.dst == {packet.port}"]
    else:
        parts.append(f"ip.proto == {packet.protocol_number}")
    return " && ".join(parts)


def _insert(table: str, **row: object) -> dict[str, object]:
    return {"op": "insert", "table": table, "row": row}


def _flow(datapath: Sequence[str], table: int, priority: int, match: str) -> dict[str, object]:
    return _insert(
        "Logical_Flow",
        logical_datapath=datapath,
        pipeline="ingress",
        table_id=table,
        priority=priority,
        match=match,
        actions="reg0[1] = 1; next;" if priority else "next;",
    )
