"""One lane of `make chaos`: one run after the other, in a process of its own.

In: seeds, how many faults, how much time. Out: results. The rule: lanes share nothing; a fault in one harms no other.
"""

import multiprocessing
import os
import threading
import time

from tests.chaos.results import Result
from tests.chaos.run import run
from tests.chaos.stores import JSON_STORAGE
from tests.faults.cluster import Cluster


def end_with_parent() -> None:
    """End this process, and with it its services, when the process that started it has ended in whatever way."""
    parent = multiprocessing.parent_process()
    assert parent is not None

    def wait() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=wait, daemon=True).start()


def lane(seeds: range, faults: int, total: int, minutes: float, kinds: str) -> list[Result]:
    """Do one run after the other, on a cluster of its own, until there were enough faults or the time is over."""
    results: list[Result] = []
    injected, started = 0, time.monotonic()
    with Cluster.started(flags=JSON_STORAGE) as cluster:
        for seed in seeds:
            begun = time.monotonic()
            result = run(cluster, seed, faults, kinds)
            results.append(result)
            injected += max(result.injected.total(), 1)
            now = time.monotonic()
            print(f"[chaos] {now - begun:.0f} s for {result}", flush=True)
            if injected >= total or now - started > 60 * minutes:
                break
    return results
