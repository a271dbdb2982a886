"""`make chaos`: many runs, each from a seed of its own; prints faults by kind, differences, recoveries and lies."""

import argparse
import multiprocessing
import os
import sys
import time
from concurrent.futures import ProcessPoolExecutor

from tests.chaos.faults import KINDS
from tests.chaos.results import FAULTS, goals, summary
from tools.chaos.lanes import end_with_parent, lane

OF_A_RUN = 40
LANES = 3
MINUTES = 60.0
LAST = 1 << 31
"""Beyond all seeds."""


def main() -> int:
    """Run until enough faults were injected; gives 1 if a goal is missed."""
    parser = argparse.ArgumentParser(prog="tools.chaos", description=__doc__)
    parser.add_argument("--seed", type=int, help="do one run, with this seed")
    parser.add_argument("--first", type=int, default=1, help="the first of many seeds (default: 1)")
    parser.add_argument("--faults", type=int, default=OF_A_RUN, help=f"faults of one run (default: {OF_A_RUN})")
    parser.add_argument("--total", type=int, default=FAULTS, help=f"faults of all runs (default: {FAULTS})")
    parser.add_argument("--lanes", type=int, default=LANES, help=f"runs side by side (default: {LANES})")
    parser.add_argument("--minutes", type=float, default=MINUTES, help=f"begin no run later (default: {MINUTES:g})")
    parser.add_argument("--kinds", default="", help="draw only from the faults whose names contain this")
    options = parser.parse_args()
    started = time.monotonic()
    if options.seed is not None:
        results = lane(range(options.seed, options.seed + 1), options.faults, 1, options.minutes, options.kinds)
    else:
        share = -(-options.total // options.lanes)
        spawn = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(options.lanes, spawn, initializer=end_with_parent) as pool:
            lanes = [
                pool.submit(
                    lane, range(seed, LAST, options.lanes), options.faults, share, options.minutes, options.kinds
                )
                for seed in range(options.first, options.first + options.lanes)
            ]
            results = [result for each in lanes for result in each.result()]
    for line in summary(results):
        print(f"[chaos] {line}")
    minutes = (time.monotonic() - started) / 60
    print(f"[chaos] {minutes:.1f} min; {len(KINDS)} kinds to draw from; load of the machine {os.getloadavg()[2]:.1f}")
    is_whole = options.seed is None and options.total >= FAULTS and not options.kinds
    reached = list(goals(results, is_whole=is_whole))
    for goal, is_met in reached:
        print(f"[chaos] {'met' if is_met else 'MISSED'}: {goal}")
    return 0 if all(is_met for _, is_met in reached) else 1


if __name__ == "__main__":
    sys.exit(main())
