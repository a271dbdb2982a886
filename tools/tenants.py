"""`make tenants`: every attack of one tenant on another, at the limits, with the victim watched.

Out: a line for each attack, and the table of docs/security.md; the exit code is 1 if the victim noticed more than it
may. Rule: an attack that fails itself ends the run.
"""

import argparse
import os
import platform
import sys
from pathlib import Path

from tests.faults.cluster import LARGE_OBJECTS, Cluster
from tests.tenants.attack import Attack
from tests.tenants.attacker import Attacker
from tests.tenants.attacks import ATTACKS
from tests.tenants.table import markdown, row, written
from tests.tenants.victim import Victim
from tests.tenants.watching import Seen, under_attack

PAGE = Path(__file__).parents[1] / "docs/security.md"
PODS = 100
LONGEST_POD = 200.0
"""Milliseconds until a new pod's address is in its set, at p99."""
LONGEST_STATUS = 2000.0
"""Milliseconds until a changed policy has its status, at p99."""
LONGEST_SILENCE = 1.0
"""Seconds."""
NOTHING = Attack("", "", "", "", begin=Attacker.nothing)


def main() -> int:
    """Try all attacks, or those that are named."""
    parser = argparse.ArgumentParser(prog="tools.tenants", description=__doc__)
    parser.add_argument("--pods", type=int, default=PODS, help=f"new pods of the victim under each attack ({PODS})")
    parser.add_argument("--attack", action="append", choices=[each.name for each in ATTACKS])
    parser.add_argument("--share", type=float, default=1.0, help="how much of each limit an attack takes")
    options = parser.parse_args()
    chosen = [each for each in ATTACKS if options.attack is None or each.name in options.attack]
    with Cluster.started(flags=LARGE_OBJECTS) as cluster, Victim.of(cluster) as victim:
        alone, *found = [_try(victim, each, options.pods, options.share) for each in (NOTHING, *chosen)]
    if len(found) == len(ATTACKS) and options.share == 1:
        PAGE.write_text(written(PAGE.read_text(), markdown(found, alone, _machine(options.pods))))
    return 1 if any(map(_noticed, found)) else 0


def _try(victim: Victim, attack: Attack, pods: int, share: float) -> Seen:
    before = victim.rows_and_sets()
    with under_attack(victim, attack, pods, share) as (_attacker, seen):
        pass
    victim.site.settle(120)
    if victim.rows_and_sets() != before:
        raise AssertionError("\n".join([attack.what, *before.differences(victim.rows_and_sets())]))
    figures = " | ".join(row(seen)[4:])
    print(f"[tenants] {attack.name}, {seen.updates} updates: {figures}", flush=True)
    return seen


def _noticed(seen: Seen) -> bool:
    """Say whether the victim noticed more of an attack than it may."""
    slow = seen.pods.p99 > LONGEST_POD or seen.statuses.p99 > LONGEST_STATUS
    return slow or seen.silence > LONGEST_SILENCE or bool(seen.changed or seen.meets or seen.unanswered)


def _machine(pods: int) -> str:
    return (
        f"Each with {pods} new pods of the victim and some 15 updates a second of the attacker's, on {os.cpu_count()} "
        f"cores ({platform.machine()}) that API server, etcd, northd, both databases and the daemon share; load "
        f"average of five minutes at the end: {os.getloadavg()[1]:.1f}."
    )


if __name__ == "__main__":
    sys.exit(main())
