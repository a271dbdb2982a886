"""A compiled scenario in a real Northbound database: rows, sets and groups, and the switches and ports they are about.

In: a case and a prefix for its switches, since several cases stand in one database. Out: a loaded database, and which
ports must live on a chassis for its rows to become flows there. Rule: rows, sets and groups are written as the compiled
document has them; only the names of switches and of of the ports from which packets come back get the prefix.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

import attrs

from nqosd.commands.compiled_document import QosEntry
from tests.oracle.cluster import Sender
from tests.proof.agreement import Case
from tests.services.ovsdb import OvsdbServer

LONGEST_REQUEST = 60_000
"""Characters; a transaction is an argument of a command, of which the kernel takes 131,072 at most."""

_WAY_BACK = re.compile(r'"(sto(?:t)?r-[^"]+|[^"]+_ovn_localnet_port)"')

Operation = dict[str, object]


@attrs.frozen
class Loaded:
    """A case in a database. `macs` has the Ethernet address of each logical port, by name."""

    case: Case
    prefix: str
    macs: Mapping[str, str]

    @property
    def switches(self) -> list[str]:
        """The switches that have rows, without the prefix."""
        return sorted({switch for row in self.case.compiled["qos"] for switch in row["switches"]})

    def way_back(self, switch: str) -> str:
        """Name the port to which packets on a switch go, as to a router, and from which they come back."""
        if switch.endswith("_ovn_localnet_switch"):
            return f"{self.prefix}{switch.removesuffix('switch')}port"
        return f"{self.prefix}{'stotr' if switch.endswith('_ovn_layer2_switch') else 'stor'}-{switch}"

    def match(self, text: str) -> str:
        """Give a match as it stands in this database, where ports from which packets come back have the prefix too."""
        return _WAY_BACK.sub(rf'"{self.prefix}\1"', text)

    def ports_to_bind(self) -> list[str]:
        """List ports so that every switch is on the chassis, and every port that a match may mention."""
        mentioned = [sender.port for sender in _senders(self) if not sender.addresses]
        return [*(self.way_back(switch) for switch in self.switches), *mentioned]


def load(nb: OvsdbServer, case: Case, prefix: str, first_mac: int) -> Loaded:
    """Write a case into a database, the sets before the rows."""
    loaded = Loaded(case, prefix, {})
    names = [*(sender.port for sender in _senders(loaded)), *map(loaded.way_back, loaded.switches)]
    loaded = attrs.evolve(loaded, macs={name: _mac(first_mac + number) for number, name in enumerate(names)})
    for operations in _chunks([[operation] for operation in _address_sets(case)]):
        nb.transact(*operations)
    nb.transact(*_ports_and_switches(loaded))
    for operations in _chunks(_attached(row, f"r{number}", loaded) for number, row in enumerate(case.compiled["qos"])):
        nb.transact(*operations)
    return loaded


def _senders(loaded: Loaded) -> list[Sender]:
    switches = loaded.switches
    return [sender for sender in loaded.case.oracle.senders if sender.switch in switches]


def _address_sets(case: Case) -> Iterator[Operation]:
    for each in case.compiled["address_sets"]:
        yield _insert("Address_Set", name=each["name"], addresses=["set", each["addresses"]])


def _ports_and_switches(loaded: Loaded) -> Iterator[Operation]:
    named: dict[str, list[str]] = {}
    for switch in loaded.switches:
        senders = [sender for sender in _senders(loaded) if sender.switch == switch]
        texts = {sender.port: " ".join(map(str, sorted(sender.addresses, key=int))) for sender in senders}
        texts[loaded.way_back(switch)] = ""
        mine = []
        for port, addresses in texts.items():
            named[port] = ["named-uuid", f"p{len(named)}"]
            mine.append(named[port])
            yield _insert("Logical_Switch_Port", name=port, addresses=f"{loaded.macs[port]} {addresses}".strip()) | {
                "uuid-name": named[port][1]
            }
        yield _insert("Logical_Switch", name=f"{loaded.prefix}{switch}", ports=["set", mine])
    for group in loaded.case.compiled["port_groups"]:
        yield _insert("Port_Group", name=group["name"], ports=["set", [named[port] for port in group["ports"]]])


def _attached(row: QosEntry, name: str, loaded: Loaded) -> list[Operation]:
    insert = _insert(
        "QoS",
        priority=row["priority"],
        direction=row["direction"],
        match=loaded.match(row["match"]),
        action=["map", list(row["action"].items())],
        bandwidth=["map", list(row["bandwidth"].items())],
        external_ids=["map", list(row["external_ids"].items())],
    )
    attach: list[Operation] = [
        {
            "op": "mutate",
            "table": "Logical_Switch",
            "where": [["name", "==", f"{loaded.prefix}{switch}"]],
            "mutations": [["qos_rules", "insert", ["named-uuid", name]]],
        }
        for switch in row["switches"]
    ]
    return [insert | {"uuid-name": name}, *attach]


def _chunks(groups: Iterable[Sequence[Operation]]) -> Iterator[list[Operation]]:
    """Join groups of operations to transactions of a length that can be sent."""
    chunk: list[Operation] = []
    length = 0
    for group in groups:
        more = len(json.dumps(group))
        if chunk and length + more > LONGEST_REQUEST:
            yield chunk
            chunk, length = [], 0
        chunk += group
        length += more
    if chunk:
        yield chunk


def _insert(table: str, **row: object) -> Operation:
    return {"op": "insert", "table": table, "row": row}


def _mac(number: int) -> str:
    digits = f"{number:08x}"
    return ":".join(["0a", "58", *(digits[index : index + 2] for index in range(0, 8, 2))])
