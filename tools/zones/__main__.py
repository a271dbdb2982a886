"""`make bench-zones`: `python -m tools.zones`, whose `--help` lists the sizes that can be chosen.

Out: a table of what one daemon costs, and of what all cost together, measured, and from the straight line through it
for 1,000 and 5,000 nodes. Rule: what is reckoned stands under a heading that says so, with its assumptions.
"""

import argparse
import asyncio
import sys
import tomllib
from collections.abc import Mapping, Sequence

from tests.services.daemon import Options
from tests.services.etcd import Etcd
from tests.services.kubernetes import ApiServer
from tools.zones import cluster
from tools.zones.measure import ACCOUNT, Cost, Load, measure
from tools.zones.report import markdown


def main() -> int:
    """Measure, and print the report."""
    parser = argparse.ArgumentParser(prog="python -m tools.zones", description=__doc__)
    parser.add_argument("--nodes", default="10,20,40", help="sizes of the cluster, of 250 pods a node")
    parser.add_argument("--daemons", type=int, default=2, help="real daemons; the others are the fleet's")
    parser.add_argument("--seconds", type=float, default=20.0, help="how long pods change")
    parser.add_argument("--changes", type=int, default=200, help="how many pods change in this time")
    parser.add_argument(
        "--fleet",
        type=int,
        help="zones of the fleet that do all that a daemon does; the others only watch policies and report",
    )
    parser.add_argument(
        "--starts",
        type=int,
        default=0,
        help="how many daemons more are started with the last options, one after the other, for their start alone",
    )
    parser.add_argument(
        "--compare",
        default='kubernetes.pods="auto"',
        help="an option as in the configuration file, such as kubernetes.watch_time=30: all is measured without it, "
        "then with it, and only then with a fleet",
    )
    options = parser.parse_args()
    load = Load(options.daemons, options.seconds, options.changes, options.fleet, starts=options.starts)
    modes = {"default options": {}, options.compare: tomllib.loads(options.compare)}
    costs = asyncio.run(measured([int(each) for each in options.nodes.split(",")], modes, load))
    print(markdown(costs, load))
    return 0


async def measured(sizes: Sequence[int], modes: Mapping[str, Options], load: Load) -> Sequence[Cost]:
    """Measure each size in each mode; the last one has a fleet."""
    # the default of 2 GiB holds 300,000 pods
    etcd, costs, filled = Etcd(flags=["--quota-backend-bytes=8589934592"]), [], 0
    with etcd, ApiServer(etcd) as api:
        cluster.install(api, etcd)
        api.kubectl("apply", "-f", "config/rbac/")
        api.tokens[ACCOUNT] = api.kubectl("create", "token", "nqosd", "-n", "kube-system").strip()
        for nodes in sizes:
            cluster.fill(etcd, range(filled, nodes))
            filled = max(filled, nodes)
            cluster.await_cache(api)
            for mode, options in modes.items():
                costs.append(await measure(api, nodes, mode, options, load, fleet=mode == [*modes][-1]))
                print(f"[bench-zones] {nodes} nodes, {mode}: done", file=sys.stderr, flush=True)
    return costs


if __name__ == "__main__":
    sys.exit(main())
