"""`make dataplane`: measure everything on every generation of OVN that is there, print it, and write it to `docs/`.

Exit code 1 if anything is not as expected.
"""

import argparse
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

from tests.dataplane import egress_ip, neighbour_discovery
from tests.dataplane.guide import Guide, Measurement
from tests.dataplane.laboratory import Laboratory, laboratory
from tests.dataplane.matrix import Matrix
from tests.dataplane.sites import interconnected, sites_of
from tests.dataplane.testbed import BY_NODE
from tests.dataplane.traffic import Traffic
from tests.services.generation import INSTALLED, OvnGeneration
from tools.dataplane import migration
from tools.dataplane.flow_costs import SIZES, flow_costs
from tools.dataplane.recomputes import Recomputes
from tools.dataplane.results import Results, markdown, show_cells, show_measurement

PAGE = Path(__file__).parents[2] / "docs" / "dataplane-matrix.md"
PARTS = ("matrix", "guide", "beside", "costs")


def main() -> int:
    """Measure what the command line names; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tools.dataplane", description=__doc__)
    series = [each.series for each in INSTALLED]
    parser.add_argument("--ovn", choices=series, help="one generation (default: all)")
    parser.add_argument("--part", choices=PARTS, help="one part (default: all)")
    parser.add_argument("--case", default="", help="cases of the matrix whose titles begin so (default: all)")
    options = parser.parse_args()
    chosen = [each for each in INSTALLED if options.ovn in (None, each.series)]
    parts = PARTS if options.part is None else (options.part,)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # so that everything is cleaned up
    started = time.monotonic()
    runs = [_run(generation, parts, options.case) for generation in chosen]
    if (options.ovn, options.part, options.case) == (None, None, ""):
        PAGE.write_text(markdown(runs))
        print(f"\nwritten to {PAGE.relative_to(PAGE.parents[1])}")
    wrong, total = sum(run.differences for run in runs), sum(run.total for run in runs)
    print(f"{total - wrong} of {total} results are as expected ({time.monotonic() - started:.0f} s)")
    return 1 if wrong else 0


def _run(generation: OvnGeneration, parts: Sequence[str], case: str) -> Results:
    results = Results(generation.series, _versions(generation))
    _say(f"=== {results.versions}")
    with laboratory(generation) as lab, Traffic() as traffic:
        if "matrix" in parts:
            _run_matrix(Matrix(lab, sites_of(generation), traffic), case, results)
        if "guide" in parts:
            _run_guide(lab, traffic, results)
        if "costs" in parts:
            _say(f"\n--- OVN {results.series}: recomputes")
            _note(Recomputes(lab).measure(), results.costs)
    if "matrix" in parts:
        with laboratory(generation, BY_NODE) as lab, Traffic() as traffic:
            _run_matrix(Matrix(lab, interconnected(generation), traffic), case, results)
    if "beside" in parts:
        _say(f"\n--- OVN {results.series}: EgressIP, live migration, neighbour discovery")
        if generation.is_current:
            for network in (egress_ip.NETWORK, egress_ip.OLDER):
                _note(egress_ip.measure(generation, network), results.beside)
            _note(migration.measure(generation), results.beside)
        _note(neighbour_discovery.measure(generation), results.beside)
    if "costs" in parts:
        _say(f"\n--- OVN {results.series}: flows for {', '.join(map(str, SIZES))} sources")
        _note(flow_costs(generation), results.costs)
    return results


def _run_matrix(matrix: Matrix, case: str, results: Results) -> None:
    for title in matrix.titles():
        if not title.startswith(case):
            continue
        cells = matrix.run(title)
        results.cells += cells
        _say(f"\n--- OVN {results.series}: {title}\n{show_cells(cells)}")
    matrix.clear()


def _run_guide(lab: Laboratory, traffic: Traffic, results: Results) -> None:
    guide = Guide(lab, traffic)
    _say(f"\n--- OVN {results.series}: the guide's section 4.2")
    _note(guide.bandwidth(), results.bandwidth)
    _note(guide.buckets(), results.bandwidth)
    _note(guide.sharing(), results.bandwidth)
    _say(f"\n--- OVN {results.series}: the guide's section 4.3")
    for measurement, text in guide.captures():
        results.captures.append((measurement, text))
        _say(f"{show_measurement(measurement)}\n    {text}")


def _note(measurements: Iterable[Measurement], found: list[Measurement]) -> None:
    """Keep measurements, and say each at once."""
    for each in measurements:
        found.append(each)
        _say(show_measurement(each))


def _versions(generation: OvnGeneration) -> str:
    programs = {"OVN": "ovn-northd", "Open vSwitch": "ovs-vswitchd"}
    found = {
        name: subprocess.run([generation.program(each), "--version"], capture_output=True, text=True, check=True).stdout
        for name, each in programs.items()
    }
    numbers = {name: text.splitlines()[0].split()[-1] for name, text in found.items()}
    return f"OVN {numbers['OVN']} with Open vSwitch {numbers['Open vSwitch']}, userspace datapath"


def _say(text: str) -> None:
    print(text, flush=True)


if __name__ == "__main__":
    sys.exit(main())
