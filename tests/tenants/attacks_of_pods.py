"""Attacks by pods: ones with thousands of addresses, and ones that come and go.

Neither takes as small a share of a limit as others do: with less of it nobody was hurt.
"""

import time

from nqosd.config.options import Limits
from tests.tenants.attack import Attack
from tests.tenants.attacker import Attacker

CROWD, ATTACHMENTS, OF_FAMILY = 50, 64, 16
"""Pods, attachments of a pod, and addresses of each family of an attachment: all that counted before."""
ADDRESSES = ATTACHMENTS * 2 * OF_FAMILY
POLICIES, FEW = Limits().policies - 1, 300
"""As many as a namespace may have, and as few as make thousands of lines where nothing bounds these."""
TURNS = 20
TURN = 0.2
"""Seconds between two turns: as fast as the policies turned each time."""


def many_addresses(attacker: Attacker) -> None:
    """Pods of a network of the attacker's own, with addresses that nobody else has."""
    attacker.limit()
    attacker.definition("flat", name="flat", topology="layer2")
    for number in range(CROWD):
        attachments = {f"{attacker.namespace}/flat/{each + 1}": _addresses(number, each) for each in range(ATTACHMENTS)}
        attacker.pod(f"pod{number}", attachments)


def _addresses(pod: int, attachment: int) -> dict[str, object]:
    hosts = range(OF_FAMILY)
    four = [f"20.{pod}.{attachment}.{host + 1}/8" for host in hosts]
    return {"ip_addresses": [*four, *(f"2001:db8:{pod:x}:{attachment:x}::{host + 1:x}/32" for host in hosts)]}


def flapping(attacker: Attacker) -> None:
    """Policies for one pod, which comes and goes, and one for another pod."""
    attacker.pods(1)
    attacker.limit()
    for number in range(max(FEW, attacker.part(POLICIES))):
        one = {"matchLabels": {"flaps": "yes"}}
        attacker.policy(f"p{number:03}", [{"dscp": number % 64}], priority=number % 100, podSelector=one)
    for number in range(TURNS):
        come_or_go(attacker, number)
        time.sleep(TURN)


def come_or_go(attacker: Attacker, number: int) -> None:
    """The pod comes, or goes."""
    if number % 2:
        attacker.site.cluster.delete(attacker.others.pop(), user=attacker.user)
    else:
        attacker.pod("flaps", {"default": {"ip_addresses": ["10.244.140.1/16"]}}, labels={"flaps": "yes"})


_NODE = frozenset({"n1"})

OF_PODS = (
    Attack(
        f"{CROWD} pods with {ADDRESSES:,} addresses each, on a network of the attacker's own",
        "pods, a definition",
        "a victim's policy that selects all pods came beyond `limits.members`, and its rows went",
        "of a pod with more than 64 addresses none counts",
        many_addresses,
        tests=("tests/api/test_attachments.py::test_of_a_pod_with_too_many_addresses_none_counts",),
    ),
    Attack(
        f"{POLICIES:,} policies that select one pod, which comes and goes",
        "policies, pods",
        "each time as many writes of statuses, for which others' waited up to 5 s, and as many lines of the log",
        "what turns again and again is written ever more slowly, namespaces take turns, and each has a budget of lines",
        flapping,
        again=come_or_go,
        limits=_NODE,
        tests=(
            "tests/status/test_job.py::test_what_turns_again_and_again_is_written_ever_more_slowly",
            "tests/status/test_turns.py::test_namespaces_take_turns",
            "tests/status/test_writer.py::test_a_namespace_keeps_no_other_waiting",
            "tests/daemon/test_log_budget.py::test_a_namespace_does_not_fill_the_log",
        ),
    ),
)
