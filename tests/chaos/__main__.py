"""`make chaos`: many runs, each from a seed of its own. Prints seeds, faults by kind, and differences."""

import argparse
import sys
import time
from collections import Counter

from tests.chaos.run import Failed, run
from tests.faults.cluster import Cluster

FAULTS = 500
OF_A_RUN = 12


def main() -> int:
    """Run until enough faults were injected; gives 1 if a run failed."""
    parser = argparse.ArgumentParser(prog="tests.chaos", description=__doc__)
    parser.add_argument("--seed", type=int, help="do one run, with this seed")
    parser.add_argument("--first", type=int, default=1, help="the first of many seeds (default: 1)")
    parser.add_argument("--faults", type=int, default=OF_A_RUN, help=f"faults of one run (default: {OF_A_RUN})")
    parser.add_argument("--total", type=int, default=FAULTS, help=f"faults of all runs (default: {FAULTS})")
    options = parser.parse_args()
    injected: Counter[str] = Counter()
    failed = []
    seed = options.first if options.seed is None else options.seed
    started = time.monotonic()
    with Cluster.started() as cluster:
        while injected.total() < options.total:
            begun = time.monotonic()
            try:
                found = run(cluster, seed, options.faults)
            except Failed as error:
                failed.append(seed)
                print(f"[chaos] FAILED {error}", flush=True)
                found = Counter({"(run failed)": options.faults})
            injected += found
            seconds = time.monotonic() - begun
            total = injected.total()
            print(f"[chaos] seed {seed}: {found.total()} faults, {seconds:.0f} s, {total} in all", flush=True)
            if options.seed is not None:
                break
            seed += 1
    for name, number in sorted(injected.items(), key=lambda each: (-each[1], each[0])):
        print(f"[chaos] {number:5d} {name}")
    minutes = (time.monotonic() - started) / 60
    print(f"[chaos] {injected.total()} faults in {minutes:.1f} min; runs with differences: {len(failed)} {failed}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
