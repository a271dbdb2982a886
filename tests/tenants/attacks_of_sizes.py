"""Attacks by sizes: objects beyond a limit, or at each limit, which the daemon must still bear.

What an attack takes comes from the defaults of `[limits]`, so that it stays at the limit when that changes.
"""

from collections.abc import Iterator
from ipaddress import IPv4Address, IPv6Address

from nqosd.api.networkqos import BandwidthScope
from nqosd.config.options import Limits
from tests.faults.manifests import Json
from tests.tenants.attack import Attack
from tests.tenants.attacker import Attacker

LIMITS = Limits()
RULES = 20
"""Rules of a policy, at most."""
WITH_SELECTORS = LIMITS.namespace_selectors // (2 * LIMITS.selectors)
"""Rules of one of two policies with as many selectors as may be."""
LONG_LISTS = LIMITS.namespace_prefixes // LIMITS.prefixes
LONG_CHOICES = LIMITS.namespace_selectors // (LIMITS.selectors * WITH_SELECTORS)
EDGE_RULES = 10
"""Rules with as many selectors as a rule may have, in a policy that comes to its limit of members with few pods."""
EDGE = LIMITS.members // (EDGE_RULES * LIMITS.selectors)
OWN_LIMITS = LIMITS.namespace_rows // LIMITS.rows
"""Policies at a limit of their own that come to a limit of the namespace."""


def huge_policy(attacker: Attacker) -> None:
    """One policy of 1.3 MB."""
    attacker.pods(1)
    ports = [{"protocol": "UDP", "port": number + 1} for number in range(43_600)]
    attacker.policy("huge", [_rule(0, ports=ports)])


def another_huge_policy(attacker: Attacker, _number: int) -> None:
    """It goes and comes again: the API server needs many seconds for a patch of it."""
    attacker.replace(attacker.policies[0])


def exceptions(attacker: Attacker) -> None:
    """5,000 exceptions in each policy: almost as many prefixes as a rule and a namespace may have."""
    attacker.pods(1)
    for number in range(LONG_LISTS):
        attacker.policy(f"excepts{number}", [_world(attacker, number)])


def other_exceptions(attacker: Attacker, number: int) -> None:
    """As many other exceptions: another set of 93,000 prefixes each time."""
    attacker.change(attacker.policies[number % LONG_LISTS], {"egress": [_world(attacker, LONG_LISTS + number)]})


def ipv6_exceptions(attacker: Attacker) -> None:
    """4,000 IPv6 exceptions."""
    attacker.pods(1)
    base = int(IPv6Address("2001:db8::"))
    excepts = [f"{IPv6Address(base + (number << 40) + 0x1234_5678_9ABC)}/128" for number in range(4000)]
    attacker.policy("excepts", [_rule(0, to=[{"ipBlock": {"cidr": "::/0", "except": excepts}}])])


def ports(attacker: Attacker) -> None:
    """Ports that no range joins, as many as a rule may have, in as many rules as fit."""
    attacker.pods(1)
    numbers = range(1, 2 * attacker.part(LIMITS.ports), 2)
    attacker.policy(
        "ports",
        [_rule(each, ports=[{"protocol": "TCP", "port": 1000 * each + number} for number in numbers])
         for each in range(RULES)],
    )  # fmt: skip


def selectors(attacker: Attacker) -> None:
    """Selectors that each choose every pod of the cluster, as many as a rule, a policy and a namespace may have."""
    attacker.pods(1)
    for policy in range(LONG_CHOICES):
        attacker.policy(f"selectors{policy}", _choices(attacker, f"{policy}"))


def other_selectors(attacker: Attacker, number: int) -> None:
    """As many other selectors in one policy; every other time the pod goes and comes again."""
    if number % 2:
        attacker.replace(attacker.others[0])
    else:
        egress = _choices(attacker, f"{LONG_CHOICES + number}")
        attacker.change(attacker.policies[number // 2 % LONG_CHOICES], {"egress": egress})


def _choices(attacker: Attacker, name: str) -> list[Json]:
    keys = [f"{name}.{number}" for number in range(attacker.part(LIMITS.selectors))]
    return [_rule(each, to=[_everybody(f"{each}.{key}") for key in keys]) for each in range(WITH_SELECTORS)]


def members(attacker: Attacker) -> None:
    """Selectors that each choose all pods of the namespace, as many members as a policy may have."""
    attacker.pods(EDGE)
    keys = [f"{number}" for number in range(attacker.part(LIMITS.selectors))]
    choices = [[_of_mine(f"{each}.{key}") for key in keys] for each in range(EDGE_RULES)]
    attacker.policy("members", [_rule(each, to=to) for each, to in enumerate(choices)])


def one_more_pod(attacker: Attacker, number: int) -> None:
    """A pod more than the limit allows comes, and goes."""
    if number % 2:
        attacker.site.cluster.delete(attacker.others.pop(), user=attacker.user)
    else:
        attacker.pod("more", {"default": {"ip_addresses": ["10.244.140.1/16"]}})


def policies(attacker: Attacker) -> None:
    """Policies of one priority, some more than a namespace may have."""
    attacker.pods(1)
    for number in range(attacker.part(LIMITS.policies) + 10):
        attacker.policy(f"p{number:05}", [_rule(number % 64)])


def limits_per_pod(attacker: Attacker) -> None:
    """A limit of its own for each pod in each rule, as many rows as a policy and a namespace may have."""
    attacker.pods(attacker.part(LIMITS.rows // RULES))
    for number in range(OWN_LIMITS):
        attacker.policy(f"own{number}", [_rule(each) for each in range(RULES)], BandwidthScope.POD)


def _rule(dscp: int, **classifier: object) -> Json:
    return {"dscp": dscp, "bandwidth": {"rate": 1000 + dscp}, "classifier": classifier}


def _world(attacker: Attacker, shift: int) -> Json:
    return _rule(0, to=[{"ipBlock": {"cidr": "0.0.0.0/0", "except": list(_spread(attacker.part(5000), shift))}}])


def _spread(number: int, shift: int) -> Iterator[str]:
    """Give addresses far from each other."""
    step = 2**32 // number
    return (f"{IPv4Address(each * step + 1 + 2 * shift)}/32" for each in range(number))


def _everybody(key: str) -> Json:
    return {"namespaceSelector": {}, **_of_mine(key)}


def _of_mine(key: str) -> Json:
    return {"podSelector": {"matchExpressions": [{"key": key, "operator": "DoesNotExist"}]}}


_POLICY = "a policy"
_PODS = "policies, pods"
_LIMIT = "tests/compiler/test_limits.py::test_a_policy_beyond_a_limit_is_not_applied_and_says_why"
_OLDEST = "tests/compiler/test_limits.py::test_a_namespace_has_its_limit_too_and_the_oldest_come_first"
_NODE = frozenset({"n1"})

OF_SIZES = (
    Attack(
        "one policy of 1.3 MB: 43,600 ports",
        _POLICY,
        "the watchdog killed the daemon again and again, actives and standbys; the log never named the policy",
        "its spec isn't read",
        huge_policy,
        again=another_huge_policy,
        tests=("tests/api/test_policies.py::test_a_spec_of_any_size_is_answered_briefly",),
    ),
    Attack(
        f"5,000 exceptions in each of {LONG_LISTS} policies, others each time",
        _POLICY,
        "1.6 MB of match on each switch: 20 s and 391 MB of each ovn-controller",
        "twenty sets, a match of a thousand characters",
        exceptions,
        again=other_exceptions,
        limits=_NODE,
        tests=(
            "tests/compiler/test_rows.py::test_many_prefixes_stand_in_a_set_that_equal_lists_share",
            "tests/compiler/test_incremental.py::test_a_list_of_prefixes_is_read_once",
            _OLDEST,
        ),
    ),
    Attack(
        "4,000 exceptions of IPv6",
        _POLICY,
        "13.8 MB of match for each row and switch",
        "its spec isn't read",
        ipv6_exceptions,
        tests=(_LIMIT,),
    ),
    Attack(
        f"{LIMITS.ports} ports in each of {RULES} rules",
        _POLICY,
        "nothing bounded it",
        "matches of a thousand characters",
        ports,
        limits=_NODE,
        tests=(_LIMIT,),
    ),
    Attack(
        f"{LIMITS.namespace_selectors:,} selectors in {LONG_CHOICES} policies, each of which chooses every pod, others "
        "each time",
        _POLICY,
        "nothing bounded it",
        "each new pod of anybody comes into all of their sets",
        selectors,
        again=other_selectors,
        limits=_NODE,
        tests=(
            _LIMIT,
            _OLDEST,
            "tests/compiler/test_limits.py::test_selectors_that_come_and_go_are_not_compared_with_each_other",
            "tests/northbound/test_shares.py::test_sets_that_nobody_wants_any_more_are_given_up_by_and_by",
        ),
    ),
    Attack(
        f"{EDGE_RULES * LIMITS.selectors:,} selectors that choose {EDGE} pods each, one more of which comes and goes",
        _PODS,
        "nothing bounded it: 3,000 pods were 3 million members, some seconds for each change",
        "beyond the limit the policy isn't applied, and its members are only counted",
        members,
        again=one_more_pod,
        limits=_NODE,
        tests=(
            _LIMIT,
            "tests/compiler/test_limits.py::test_members_come_and_go_with_the_pods",
            "tests/compiler/test_limits.py::test_of_a_policy_beyond_its_members_none_is_kept",
            _OLDEST,
        ),
    ),
    Attack(
        f"{LIMITS.policies:,} policies of one priority, and 10 more",
        "policies",
        "10,000 took 5 s for each change, and each change wrote the status of all of them",
        "ten are applied; a change is news of few",
        policies,
        limits=_NODE,
        tests=(
            "tests/compiler/test_limits.py::test_only_the_oldest_policies_of_a_namespace_are_applied",
            "tests/compiler/test_limits.py::test_one_update_is_news_of_few_policies",
        ),
    ),
    Attack(
        f"a limit for each of {LIMITS.rows // RULES:,} pods in each of {RULES} rules of {OWN_LIMITS} policies",
        _PODS,
        "2,000 pods: 4.8 s for each change of one",
        "applied",
        limits_per_pod,
        limits=_NODE,
        tests=(
            "tests/compiler/test_limits.py::test_limits_per_pod_come_and_go_with_the_pods",
            "tests/compiler/test_incremental.py::test_a_pod_with_a_limit_of_its_own_leaves_the_rows_of_others",
            "tests/northbound/test_shares.py::test_a_small_change_does_not_wait_for_a_large_one",
            _OLDEST,
        ),
    ),
)
