"""Attacks by one policy with all that the limits allow, on many nodes."""

from nqosd.compiler.matching import LONGEST_LIST
from nqosd.config.options import Limits
from tests.tenants.attack import Attack
from tests.tenants.attacker import Attacker

LIMITS = Limits()
NODES, FEWER = 500, 50
"""Nodes with a sender, and as few as are many."""
RULES = LIMITS.rows // NODES


def many_nodes(attacker: Attacker) -> None:
    """Pods on nodes that needn't be there, and for all of them as many of the longest rows as the limits allow."""
    for number in range(max(FEWER, attacker.part(NODES))):
        networks = {"default": {"ip_addresses": [f"10.244.{160 + number // 250}.{number % 250 + 1}/16"]}}
        attacker.pod(f"p{number:03}", networks, node=f"x{number}" if number else "n1", labels={"a": f"{number}"})
    selectors = range(LIMITS.selectors - LONGEST_LIST)
    of_pods = [{"podSelector": {"matchLabels": {"a": f"{number}"}}} for number in selectors]
    blocks = [{"ipBlock": {"cidr": f"11.{host}.{host}.{host}/32"}} for host in range(1, LONGEST_LIST + 1)]
    ports = [{"protocol": "TCP", "port": 2 * port + 1} for port in range(LIMITS.ports)]
    classifier = {"to": [*blocks, *of_pods], "from": blocks, "ports": ports}
    attacker.policy("everywhere", [{"dscp": 0, "bandwidth": {"rate": 1}, "classifier": classifier}] * RULES)


OF_POLICIES = (
    Attack(
        f"the longest rows that the limits allow, {RULES} for each of {NODES} nodes with a pod, existing or not",
        "a policy, pods",
        "others waited for 0.6 to 2 s at each change of it",
        "what the rows have in common is compared, named and written once; others' changes come first",
        many_nodes,
        limits=frozenset({"n1"}),
        tests=(
            "tests/compiler/test_incremental.py::test_another_switch_costs_no_comparison_of_sets",
            "tests/northbound/test_plan.py::test_sets_that_many_rows_refer_to_are_looked_at_once",
            "tests/northbound/test_shares.py::test_a_set_that_may_be_lacking_is_looked_for_once",
            "tests/daemon/test_held_changes.py::test_what_may_take_long_lets_others_pass",
        ),
    ),
)
