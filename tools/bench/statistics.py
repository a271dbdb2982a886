"""`python -m tools.bench.statistics`: what a reading of many rules on a chassis takes, and what the exporter weighs.

In: numbers of rules, each with a limit and `FLOWS` flows. Out: a line for each and generation: flows, seconds of a
reading, the processor's share and memory of the exporter at five seconds between readings.
"""

import sys
import time
from pathlib import Path

from nqosd.compiler.desired import NETWORK, OWNER, POLICY, RULE, SWITCH
from tests.services.chassis import Chassis
from tests.services.generation import GENERATIONS
from tests.services.ovn import OvnCentral
from tests.services.stats import Exporter

RULES = (100, 1000)
FLOWS = 20
SECONDS = 10
INTERVAL = 5.0
"""Seconds between two readings, the default."""
SUM, COUNT = "nqosd_stats_reading_duration_seconds_sum", "nqosd_stats_reading_duration_seconds_count"


def main() -> int:
    """Measure, and print."""
    for generation in GENERATIONS:
        for rules in RULES:
            with OvnCentral(generation) as central, Chassis(central) as chassis:
                central.nb.nbctl("ls-add", "s", "--", "lsp-add", "s", "a")
                chassis.bind("a")
                _add(central, rules)
                exporter = Exporter(central.nb.unix, central.sb.unix, chassis.directory / "br-int.mgmt", "node")
                with exporter:
                    exporter.wait_until(lambda want=rules, one=exporter: len(one.counts()) == want, what="aware of all")  # type: ignore[misc]
                    print(f"OVN {generation.series}, {rules} rules: {_measure(exporter)}", flush=True)
    return 0


def _add(central: OvnCentral, rules: int) -> None:
    """Attach rows to the switch, a hundred in a transaction."""
    for first in range(0, rules, 100):
        operations: list[dict[str, object]] = []
        names = []
        for index in range(first, first + 100):
            addresses = ", ".join(f"10.{index // 256}.{index % 256}.{host}" for host in range(FLOWS))
            ids = {OWNER: "nqosd", POLICY: f"a/p{index}", RULE: "0", NETWORK: "default", SWITCH: "s"}
            row = {
                "direction": "to-lport",
                "priority": 100,
                "match": f"ip4.dst == {{{addresses}}}",
                "action": ["map", [["dscp", 10]]],
                "bandwidth": ["map", [["rate", 1000]]],
                "external_ids": ["map", [list(each) for each in ids.items()]],
            }
            operations.append({"op": "insert", "table": "QoS", "uuid-name": f"row{index}", "row": row})
            names.append(["named-uuid", f"row{index}"])
        mutation = ["qos_rules", "insert", ["set", names]]
        operations.append({"op": "mutate", "table": "Logical_Switch", "where": [], "mutations": [mutation]})
        central.nb.transact(*operations)
    central.sync(wait="hv")


def _measure(exporter: Exporter) -> str:
    text = exporter.get("/metrics")[1]
    before, began = _metrics(text), _processor(exporter.pid)
    time.sleep(SECONDS)
    after, ended = _metrics(exporter.get("/metrics")[1]), _processor(exporter.pid)
    readings = after[COUNT] - before[COUNT]
    reading = (after[SUM] - before[SUM]) / readings
    share = (ended - began) / readings / INTERVAL
    memory = after["process_resident_memory_bytes"] / 2**20
    size = f"{memory:.0f} MiB, {len(text) >> 10} KiB to scrape"
    return f"a reading {reading * 1000:.0f} ms, {share:.1%} of a processor, {size}"


def _metrics(text: str) -> dict[str, float]:
    lines = [line.rpartition(" ") for line in text.splitlines() if not line.startswith("#")]
    return {name: float(value) for name, _, value in lines if "{" not in name}


def _processor(pid: int) -> float:
    """Give the processor time of a process, in seconds: its 14th and 15th field (proc(5)), in hundredths."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / 100


if __name__ == "__main__":
    sys.exit(main())
