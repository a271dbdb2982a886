"""What northd takes for a change, as rows of QoS grow in number: `python -m tools.bench.northd`.

In: how many switches, with 500 rows each as a node with 250 pods and two rules for each has. Out: milliseconds from the
change until northd has told the Southbound database, against those of an empty sync, with nothing else in the database.
"""

import statistics
import sys
import time
from collections.abc import Sequence

from tests.services.generation import GENERATIONS, OvnGeneration
from tests.services.monitor import DATABASE, OvsdbClient
from tests.services.ovn import OvnCentral

ROWS = 500
SWITCHES = (1, 20, 100)
SAMPLES = 7
_Operation = dict[str, object]


def main() -> int:
    """Print the measurements as a table."""
    print("| OVN | rows | ms for nothing | ms for an address | ms for a row |\n| --- | --- | --- | --- | --- |")
    for generation in GENERATIONS:
        for switches in SWITCHES:
            times = " | ".join(f"{each * 1000:.0f}" for each in measure(generation, switches))
            print(f"| {generation.series} | {switches * ROWS:,} | {times} |", flush=True)
    return 0


def measure(generation: OvnGeneration, switches: int) -> Sequence[float]:
    """Give the medians of the seconds for nothing, for an address more, and for a row more."""
    with OvnCentral(generation) as ovn:
        client = OvsdbClient(ovn.nb.socket)
        sets = [_set(f"s{number}", [f"10.1.{number >> 8}.{number & 255}"]) for number in range(ROWS + SAMPLES)]
        client.call("transact", [DATABASE, *sets, _set("d", [f"10.2.{n >> 8}.{n & 255}" for n in range(1000)])])
        for switch in range(switches):
            names = [f"r{number}" for number in range(ROWS)]
            rules = ["set", [["named-uuid", name] for name in names]]
            insert = {"op": "insert", "table": "Logical_Switch", "row": {"name": f"node-{switch}", "qos_rules": rules}}
            client.call("transact", [DATABASE, *map(_row, names), insert])
        ovn.sync()
        found: dict[str, list[float]] = {"nothing": [], "address": [], "row": []}
        for number in range(SAMPLES):
            address = ["addresses", "insert", f"10.3.0.{number}"]
            attach = ["qos_rules", "insert", ["named-uuid", f"r{ROWS + number}"]]
            changes: dict[str, list[_Operation]] = {
                "nothing": [],
                "address": [_mutate("Address_Set", "d", address)],
                "row": [_row(f"r{ROWS + number}"), _mutate("Logical_Switch", "node-0", attach)],
            }
            for what, operations in changes.items():
                begin = time.monotonic()
                client.call("transact", [DATABASE, *operations])
                ovn.sync()
                found[what].append(time.monotonic() - begin)
        client.close()
        return [statistics.median(each) for each in found.values()]


def _set(name: str, addresses: Sequence[str]) -> _Operation:
    return {"op": "insert", "table": "Address_Set", "row": {"name": name, "addresses": ["set", addresses]}}


def _row(name: str) -> _Operation:
    number = int(name[1:])
    row = {
        "priority": 10000 + number,
        "direction": "to-lport",
        "match": f"ip4.src == $s{number} && ip4.dst == $d",
        "action": ["map", [["dscp", 20]]],
        "bandwidth": ["map", [["rate", 20000]]],
    }
    return {"op": "insert", "table": "QoS", "uuid-name": name, "row": row}


def _mutate(table: str, name: str, mutation: Sequence[object]) -> _Operation:
    return {"op": "mutate", "table": table, "where": [["name", "==", name]], "mutations": [mutation]}


if __name__ == "__main__":
    sys.exit(main())
