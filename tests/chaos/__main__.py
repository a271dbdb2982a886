"""`make chaos`: many runs, each from a seed of its own; prints faults by kind, differences, recoveries and lies."""

import argparse
import itertools
import multiprocessing
import os
import sys
import time
from concurrent.futures import ProcessPoolExecutor

from tests.chaos.faults import KINDS
from tests.chaos.results import Result, summary
from tests.chaos.run import run
from tests.chaos.stores import JSON_STORAGE
from tests.faults.cluster import Cluster

FAULTS = 1000
OF_A_RUN = 40
LANES = 3


def main() -> int:
    """Run until enough faults were injected; gives 1 if a run failed."""
    parser = argparse.ArgumentParser(prog="tests.chaos", description=__doc__)
    parser.add_argument("--seed", type=int, help="do one run, with this seed")
    parser.add_argument("--first", type=int, default=1, help="the first of many seeds (default: 1)")
    parser.add_argument("--faults", type=int, default=OF_A_RUN, help=f"faults of one run (default: {OF_A_RUN})")
    parser.add_argument("--total", type=int, default=FAULTS, help=f"faults of all runs (default: {FAULTS})")
    parser.add_argument("--lanes", type=int, default=LANES, help=f"runs side by side (default: {LANES})")
    parser.add_argument("--kinds", default="", help="draw only from the faults whose names contain this")
    options = parser.parse_args()
    started = time.monotonic()
    if options.seed is not None:
        results = _lane(options.seed, 1, options.faults, 1, options.kinds)
    else:
        each = -(-options.total // options.lanes)
        with ProcessPoolExecutor(options.lanes, multiprocessing.get_context("spawn")) as pool:
            lanes = [
                pool.submit(_lane, options.first + lane, options.lanes, options.faults, each, options.kinds)
                for lane in range(options.lanes)
            ]
            results = [result for lane in lanes for result in lane.result()]
    for line in summary(results):
        print(f"[chaos] {line}")
    minutes = (time.monotonic() - started) / 60
    print(f"[chaos] {minutes:.1f} min; {len(KINDS)} kinds to draw from; load of the machine {os.getloadavg()[2]:.1f}")
    return 1 if any(result.failure for result in results) else 0


def _lane(first: int, step: int, faults: int, total: int, kinds: str) -> list[Result]:
    """Do one run after the other, on a cluster of its own, until there were enough faults."""
    results: list[Result] = []
    injected = 0
    with Cluster.started(flags=JSON_STORAGE) as cluster:
        for seed in itertools.count(first, step):
            begun = time.monotonic()
            result = run(cluster, seed, faults, kinds)
            results.append(result)
            injected += max(result.injected.total(), 1)
            seconds = time.monotonic() - begun
            print(f"[chaos] {seconds:.0f} s for {result}", flush=True)
            if injected >= total:
                break
    return results


if __name__ == "__main__":
    sys.exit(main())
