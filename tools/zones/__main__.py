"""`make bench-zones`: `python -m tools.zones [--nodes 10,20,40] [--daemons 2] [--seconds 20] [--changes 200]`.

Out: a table of what one daemon costs, and of what all cost together, measured, and from the straight line through it
for 1,000 and 5,000 nodes. Rule: what is reckoned stands under a heading that says so, with its assumptions.
"""

import argparse
import asyncio
import sys
from collections.abc import Sequence

import attrs

from nqosd.config.options import KubernetesSection
from tests.services.daemon import Options
from tests.services.etcd import Etcd
from tests.services.kubernetes import ApiServer
from tools.zones import cluster
from tools.zones.measure import ACCOUNT, Cost, Load, measure
from tools.zones.report import markdown

SELECTED = "selected pods"
MODES: dict[str, Options] = {SELECTED: {"kubernetes": {"pods": "auto"}}, "all pods": {"kubernetes": {"pods": "all"}}}
"""How daemons hear of pods; where all are watched there is no fleet, for whom that would be all pods once more each."""


def main() -> int:
    """Measure, and print the report."""
    parser = argparse.ArgumentParser(prog="python -m tools.zones", description=__doc__)
    parser.add_argument("--nodes", default="10,20,40", help="sizes of the cluster, of 250 pods a node")
    parser.add_argument("--daemons", type=int, default=2, help="real daemons; the others are the fleet's")
    parser.add_argument("--seconds", type=float, default=20.0, help="how long pods change")
    parser.add_argument("--changes", type=int, default=200, help="how many pods change in this time")
    options = parser.parse_args()
    load = Load(options.daemons, options.seconds, options.changes)
    costs = asyncio.run(measured([int(each) for each in options.nodes.split(",")], load))
    print(markdown(costs, load))
    return 0


async def measured(sizes: Sequence[int], load: Load) -> Sequence[Cost]:
    """Measure each size, in each mode that the daemon has."""
    # the default of 2 GiB holds 300,000 pods
    etcd, costs, filled = Etcd(flags=["--quota-backend-bytes=8589934592"]), [], 0
    modes = MODES if "pods" in attrs.fields_dict(KubernetesSection) else {SELECTED: {}}
    with etcd, ApiServer(etcd) as api:
        cluster.install(api)
        api.kubectl("apply", "-f", "config/rbac/")
        api.tokens[ACCOUNT] = api.kubectl("create", "token", "nqosd", "-n", "kube-system").strip()
        for nodes in sizes:
            cluster.fill(etcd, range(filled, nodes))
            filled = max(filled, nodes)
            for mode, options in modes.items():
                costs.append(await measure(api, nodes, mode, options, load, fleet=mode == SELECTED))
                print(f"[bench-zones] {nodes} nodes, {mode}: done", file=sys.stderr, flush=True)
    return costs


if __name__ == "__main__":
    sys.exit(main())
