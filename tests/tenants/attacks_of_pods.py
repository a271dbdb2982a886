"""Attacks by pods: ones with thousands of addresses, a crowd with one's addresses, and ones that come and go.

None takes as small a share of a limit as others do: with less of it nobody was hurt.
"""

import json
import time

from nqosd.config.options import Limits
from tests.faults import manifests
from tests.tenants.attack import Attack
from tests.tenants.attacker import POD_NETWORKS, Attacker

CROWD, ATTACHMENTS, OF_FAMILY = 50, 64, 16
"""Pods, attachments of a pod, and addresses of each family of an attachment: all that counted before."""
ADDRESSES = ATTACHMENTS * 2 * OF_FAMILY
CLAIMANTS, FEWER = 500, 50
"""Pods that claim the same addresses, and as few as are a crowd."""
SENDERS = Limits().rows // 10
"""Pods on a node each for which a policy with ten rules has as many rows as it may."""
CHOSEN, PEERS = 200, Limits().namespace_selectors // 2 - 2
"""Pods that all selectors choose, and selectors of each of two policies: as many members as there is room for."""
POLICIES, FEW = Limits().policies - 1, 300
"""As many as a namespace may have, and as few as make thousands of lines where nothing bounds these."""
TURNS = 20
TURN = 0.2
"""Seconds between two turns: as fast as the policies turned each time."""
OLDER = 1.1
"""Seconds by which a pod is older than another one for certain, since the times of creation are whole seconds."""


def many_addresses(attacker: Attacker) -> None:
    """Pods of a network of the attacker's own, with addresses that nobody else has."""
    attacker.limit()
    attacker.definition("flat", name="flat", topology="layer2")
    for number in range(CROWD):
        attachments = {f"{attacker.namespace}/flat/{each + 1}": _addresses(number, each) for each in range(ATTACHMENTS)}
        attacker.pod(f"pod{number}", attachments)


def _addresses(pod: int, attachment: int) -> dict[str, object]:
    hosts = range(OF_FAMILY)
    four = [f"{20 + pod // 250}.{pod % 250}.{attachment}.{host + 1}/8" for host in hosts]
    return {"ip_addresses": [*four, *(f"2001:db8:{pod:x}:{attachment:x}::{host + 1:x}/32" for host in hosts)]}


def crowd(attacker: Attacker) -> None:
    """Pods that all claim the same 64 addresses, sixteen of them those of older pods of the victim."""
    limited = {"dscp": 0, "bandwidth": {"rate": 1}}
    attacker.policy("slow", [limited], networkSelectors=[{"networkSelectionType": "DefaultNetwork"}])
    attacker.definition("flat", name="flat", topology="layer2")
    for number in range(OF_FAMILY):
        attacker.site.cluster.create(_claimed(attacker, number))
    time.sleep(OLDER)
    mine = {
        f"{attacker.namespace}/flat/{each + 1}": {"ip_addresses": [f"20.0.{each}.{host}/8" for host in range(1, 17)]}
        for each in range(3)
    }
    theirs = {"ip_addresses": [f"10.244.150.{number + 1}/16" for number in range(OF_FAMILY)]}
    for number in range(max(FEWER, attacker.part(CLAIMANTS))):
        attacker.pod(f"p{number:03}", {"default": theirs, **mine})


def hand_on(attacker: Attacker, number: int) -> None:
    """The victim deletes one of these pods, as long as there are any; then pods of the attacker's go and come."""
    if number < OF_FAMILY:
        attacker.site.cluster.delete(_claimed(attacker, number))
    else:
        pods = attacker.others[1:]
        attacker.replace(pods[number % len(pods)])


def _claimed(attacker: Attacker, number: int) -> manifests.Json:
    """Give a pod of the victim's that no policy is for, and that goes with its new pods."""
    pod = manifests.pod(attacker.site.namespace, f"claimed{number}", 0)
    networks = {"default": {"ip_addresses": [f"10.244.150.{number + 1}/16"]}}
    labels, annotations = {"app": "claimed", "new": "yes"}, {POD_NETWORKS: json.dumps(networks)}
    name = {"name": f"claimed{number}", "namespace": attacker.site.namespace}
    return {**pod, "metadata": {**name, "labels": labels, "annotations": annotations}}


def logical_ports(attacker: Attacker) -> None:
    """Pods with as many attachments without addresses as a pod may have, on a network whose topology changes."""
    attacker.limit()
    attacker.definition("wide", name="wide", topology="layer2")
    attachments: dict[str, object] = {f"{attacker.namespace}/wide/{each + 1}": {} for each in range(ATTACHMENTS)}
    for number in range(max(FEWER, attacker.part(CLAIMANTS))):
        attacker.pod(f"p{number:03}", attachments)


def turn_topology(attacker: Attacker, number: int) -> None:
    """The definition says another topology."""
    written = {"type": "ovn-k8s-cni-overlay", "name": "wide", "topology": ("localnet", "layer2")[number % 2]}
    written["netAttachDefName"] = f"{attacker.namespace}/wide"
    attacker.site.cluster.patch(attacker.others[0], {"spec": {"config": json.dumps(written)}}, user=attacker.user)


def many_senders(attacker: Attacker) -> None:
    """Policies with other podSelectors each, all of which choose each of many pods with as many addresses as count."""
    attacker.definition("wide", name="wide", topology="layer2")
    key = f"{attacker.namespace}/wide"
    for number in range(max(FEWER, attacker.part(CLAIMANTS))):
        attacker.pod(f"p{number:03}", {f"{key}/{each + 1}": _addresses(number, each) for each in range(2)})
    for number in range(max(FEWER, attacker.part(POLICIES))):
        absent = {"matchExpressions": [{"key": f"k{number}", "operator": "DoesNotExist"}]}
        attacker.policy(f"p{number:03}", [{"dscp": number % 64}], priority=number % 100, podSelector=absent)


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


def displaced(attacker: Attacker) -> None:
    """Policies at the limits of their namespace, and older ones with as many members, whose sender comes and goes."""
    chosen, younger = max(FEWER, attacker.part(CHOSEN)), max(FEW, attacker.part(POLICIES - 9))
    attacker.pods(chosen)
    for number in range(2):
        keys = [f"{number}.{each}" for each in range(PEERS)]
        to = [[{"podSelector": _absent(each)} for each in keys[first::5]] for first in range(5)]
        rules = [{"dscp": 0, "classifier": {"to": each}} for each in to]
        attacker.policy(f"a{number}", rules, podSelector={"matchLabels": {"flaps": "yes"}})
    for number in range(younger):
        rules = [{"dscp": each, "bandwidth": {"rate": 1000}} for each in range(10)]
        attacker.policy(f"p{number:03}", rules, priority=number % 100, podSelector=_absent(f"k{number}"))


def turned(attacker: Attacker) -> None:
    """Policies at the limits, and an older one that has as many members as displace one when a pod comes.

    Two have ten rules each, for senders on a node each, and as many selectors for the other pods as there are senders.
    """
    senders, peers = max(FEWER, attacker.part(SENDERS)), max(FEWER, attacker.part(2 * SENDERS // 5 - 1))
    _policy_for(attacker, "old", "one", "flaps", {"dscp": 0})
    for number in range(senders + peers):
        labels, node = ({"sender": "yes"}, f"node{number}") if number < senders else ({"peer": "yes"}, "n1")
        _pod(attacker, number, labels, node)
    _pod(attacker, senders + peers, {"one": "yes"}, "n1")
    time.sleep(OLDER)
    for name in ("young", "younger"):
        _policy_for(attacker, name, "sender", "peer", {"dscp": 0, "bandwidth": {"rate": 1000}})


def _pod(attacker: Attacker, number: int, labels: dict[str, str], node: str) -> None:
    address = f"10.244.{128 + number // 250}.{number % 250 + 1}/16"
    attacker.pod(f"pod{number}", {"default": {"ip_addresses": [address]}}, labels=labels, node=node)


def _policy_for(attacker: Attacker, name: str, senders: str, peers: str, rule: manifests.Json) -> None:
    """Create a policy for pods with a label, to those with another one, by many selectors in ten rules."""
    chosen = [
        {"podSelector": {"matchExpressions": [{"key": peers, "operator": "Exists"}, _no(f"{name}{each}")]}}
        for each in range(SENDERS)
    ]
    rules = [{**rule, "classifier": {"to": chosen[first::10]}} for first in range(10)]
    attacker.policy(name, rules, podSelector={"matchExpressions": [{"key": senders, "operator": "Exists"}]})


def _absent(key: str) -> manifests.Json:
    return {"matchExpressions": [_no(key)]}


def _no(key: str) -> manifests.Json:
    return {"key": key, "operator": "DoesNotExist"}


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
        f"{CLAIMANTS} pods that claim the same 64 addresses, 16 of them those of pods that the victim deletes",
        "pods, a definition",
        "0.8 s of the event loop for each of the victim's pods that went, with 2,000 pods 3.6 s",
        "an address counts for the eight oldest pods of a namespace; no others are looked at when it changes hands",
        crowd,
        again=hand_on,
        limits=_NODE,
        tests=(
            "tests/compiler/test_address_owners.py::test_an_address_passes_to_few_of_a_crowd",
            "tests/compiler/test_incremental.py::test_a_pod_that_many_are_concerned_by_takes_long",
            "tests/daemon/test_objections.py::test_of_a_crowd_few_are_said",
        ),
    ),
    Attack(
        f"{CLAIMANTS} pods with {ATTACHMENTS} attachments without addresses, on a network whose topology changes",
        "a policy, pods, a definition",
        "2 to 4 s for each change, in which all others waited, 0.1 s of them the event loop",
        "pods move by and by, and what others change comes in between; a large port group is planned in a thread",
        logical_ports,
        again=turn_topology,
        tests=(
            "tests/compiler/test_incremental.py::test_places_of_a_pod_that_are_alike_enter_their_set_together",
            "tests/compiler/test_incremental.py::test_a_share_of_pods_moves_at_once",
            "tests/compiler/test_incremental.py::test_pods_that_are_left_change_nothing_in_the_end",
            "tests/daemon/test_held_changes.py::test_pods_of_a_network_that_changes_keep_nobody_waiting",
            "tests/northbound/test_shares.py::test_a_port_group_weighs_as_much_as_its_ports",
        ),
    ),
    Attack(
        f"{POLICIES:,} policies whose podSelectors differ and choose {CLAIMANTS} pods with 64 addresses each, on a "
        "network whose topology changes",
        "policies, pods, a definition",
        "50 policies and 200 pods took 1 s of a processor for each change, in which others waited, and all a minute",
        "what podSelectors choose counts for `limits.members`; what many pods do to a set is done at once",
        many_senders,
        again=turn_topology,
        tests=(
            "tests/compiler/test_limits.py::test_senders_count_as_members_once_in_a_namespace",
            "tests/compiler/test_limits.py::test_pods_that_come_at_once_enter_no_set_that_there_is_no_room_for",
            "tests/compiler/test_incremental.py::test_places_of_a_pod_that_are_alike_enter_their_set_together",
        ),
    ),
    Attack(
        f"{POLICIES:,} policies that select one pod, which comes and goes",
        "policies, pods",
        "each time as many writes of statuses, for which others' waited up to 5 s, and as many lines of the log",
        "statuses are written ever more slowly, in turns; lines have a budget; rows are built and compared once; "
        "others' changes come first",
        flapping,
        again=come_or_go,
        limits=_NODE,
        tests=(
            "tests/status/test_job.py::test_what_turns_again_and_again_is_written_ever_more_slowly",
            "tests/status/test_turns.py::test_namespaces_take_turns",
            "tests/status/test_writer.py::test_a_namespace_keeps_no_other_waiting",
            "tests/daemon/test_log_budget.py::test_a_namespace_does_not_fill_the_log",
            "tests/compiler/test_incremental.py::test_a_unit_whose_senders_come_again_is_not_built_again",
            "tests/northbound/test_shares.py::test_what_is_right_already_takes_no_shares",
            "tests/northbound/test_plan.py::test_idle_rows_of_a_set_that_nobody_fills_are_not_looked_at",
            "tests/daemon/test_publisher.py::test_reports_leave_off_where_others_wait",
            "tests/daemon/test_held_changes.py::test_what_may_take_long_lets_others_pass",
        ),
    ),
    Attack(
        f"{POLICIES - 9:,} policies with 9,900 rows and 198,000 members, and two older ones with as many, whose sender "
        "comes and goes",
        "policies, pods",
        "not tried",
        "the younger ones make room, and get it back, in a thread",
        displaced,
        again=come_or_go,
        limits=_NODE,
        tests=(
            "tests/compiler/test_limits.py::test_a_policy_without_senders_takes_no_room",
            "tests/compiler/test_incremental.py::test_what_a_pod_turns_takes_long",
        ),
    ),
    Attack(
        f"two policies with {Limits().rows:,} rows and {Limits().members:,} members each, and an older one that "
        "chooses a pod which comes and goes",
        "policies, pods",
        "60 to 130 ms of the event loop each time, and for five namespaces that the pod turns 0.6 s: silent for 1 s",
        "what a pod turns is compiled in a thread",
        turned,
        again=come_or_go,
        limits=_NODE,
        tests=("tests/compiler/test_incremental.py::test_what_a_pod_turns_takes_long",),
    ),
)
