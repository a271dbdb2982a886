"""How many OpenFlow flows a rule costs on a chassis: `python -m tools.bench.flows`.

Prints, for each generation of OVN, the flows that the rows of one policy become in br-int, those included that
conjunctive matches share. Rows are compiled from manifests and loaded into real databases; one port is on the chassis.
"""

import json
import re

from tests.oracle.cluster_strategies import Manifest, manifest
from tests.oracle.examples import block, pod, policy, rule
from tests.oracle.strategies import Settings as Options
from tests.proof.agreement import Case
from tests.proof.loading import load
from tests.proof.scenarios import VERSIONS, Scenario
from tests.services.chassis import COOKIE_DIGITS, Chassis
from tests.services.generation import GENERATIONS, OvnGeneration
from tests.services.ovn import OvnCentral

LIMIT = {"rate": 20000}
GUIDE = block("0.0.0.0/0", "10.11.12.13/32", "172.16.0.0/12", "192.168.0.0/16")
"""The guide's destinations, section 3."""
GUIDE_6 = block("::/0", "fd00:a:b::d/128", "fd01::/16", "2001:db8::/32")
"""The same for IPv6: one address and two networks are excepted."""

_FLOW = re.compile(r"(?:cookie=0x([0-9a-f]+), )?table=(\d+), priority=(\d+)")
"""ovs-ofctl leaves out the cookie where it is 0: on flows that conjunctive matches share."""

_LOWEST_ROW = 10000


def guide(pods: int) -> list[Manifest]:
    """The guide's rule, with so many senders of IPv4."""
    return [*_pods(pods), policy("guide", {**rule(20, to=[GUIDE]), "bandwidth": LIMIT})]


def dual_stack(pods: int) -> list[Manifest]:
    """A limit for both families, with exceptions in both, and so many senders that have both."""
    return [*_pods(pods, six=True), policy("dual", {**rule(20, to=[GUIDE, GUIDE_6]), "bandwidth": LIMIT})]


def flows(generation: OvnGeneration, manifests: list[Manifest]) -> int:
    """Count the flows that the rows of some manifests become."""
    version = next(each for each in VERSIONS if each.startswith(generation.series))
    objects: dict[str, list[Manifest]] = {}
    for each in manifests:
        objects.setdefault(str(each["kind"]), []).append(each)
    case = Case.of(Scenario(objects, Options(zone=None, unselected_networks="all"), version))
    with OvnCentral(generation) as central, Chassis(central) as chassis:
        loaded = load(central.nb, case, "bench.", 0)
        chassis.bind(*loaded.ports_to_bind())
        hints = central.nb.nbctl("--bare", "--columns=_uuid", "list", "QoS").split()
        cookies = {flow[:COOKIE_DIGITS].lstrip("0") for hint in hints for flow in central.logical_flows_of(hint)}
        found = [match for line in chassis.flows() if (match := _FLOW.search(line))]
    tables = {match[2] for match in found if match[1] in cookies}
    return sum(match[2] in tables and int(match[3]) >= _LOWEST_ROW for match in found)


def main() -> None:
    """Print the table."""
    forms = {
        "the guide's rule, 1 source": guide(1),
        "the guide's rule, 200 sources": guide(200),
        "dual stack with exceptions, 200 IPv4 and 200 IPv6 sources": dual_stack(200),
    }
    width = max(map(len, forms))
    print(f"{'OpenFlow flows on one chassis':<{width}}{''.join(f'{each.series:>10}' for each in GENERATIONS)}")
    for name, manifests in forms.items():
        print(f"{name:<{width}}{''.join(f'{flows(each, manifests):>10,}' for each in GENERATIONS)}")


def _pods(count: int, *, six: bool = False) -> list[Manifest]:
    ranges = {"k8s.ovn.org/node-subnets": json.dumps({"default": ["10.1.0.0/16", "fd00::/64"]})}
    return [
        manifest("Node", None, "n1", annotations=ranges),
        *_plain_pods(count, six=six),
    ]


def _plain_pods(count: int, *, six: bool) -> list[Manifest]:
    return [
        pod(f"p{number}", f"10.1.0.{number + 1}", *([f"fd00::{number + 1:x}"] if six else []))
        for number in range(count)
    ]


if __name__ == "__main__":
    main()
