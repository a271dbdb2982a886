"""Attacks of a tenant on another, on a real API server and a real OVN: the victim notices nothing."""

import json
import re

import pytest

from nqosd.daemon.log_budget import LINES, REFILL
from tests.tenants.attack import Attack
from tests.tenants.attacker import attacker_of
from tests.tenants.attacks import ATTACKS
from tests.tenants.attacks_of_texts import claim
from tests.tenants.victim import OUTSIDE, Victim
from tests.tenants.watching import under_attack

PODS = 3
SHARE = 0.02
OTHER_LINES = 200
"""What the log may say besides what has a budget."""
_SWITCH = re.compile(r"QoS on (\S+):")


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.name)
def test_the_victims_rows_stay(victim: Victim, attack: Attack) -> None:
    """Whatever the attacker writes, rows and rates of the victim stay as they are, its new pods come, all is answered.

    The log has no more lines than the attacker's budget, in which each that is earned may be followed by one that says
    that it is spent again.

    Rows and sets are compared byte for byte, and the attacker limits nobody else.
    """
    site = victim.site
    site.settle(60)
    before, treated = victim.rows_and_sets(), victim.treatment()
    assert all(treated.values())
    with under_attack(victim, attack, PODS, SHARE) as (attacker, seen):
        after = site.settle(60).own
        mine = [row for row in after.rows if f"{attacker.namespace}/" in row]
        assert [row for row in after.rows if row not in mine] == list(before.rows)
        assert set(before.sets) <= set(after.sets)
        assert {_SWITCH.match(row)[1] for row in mine} == attack.limits  # type: ignore[index]
        assert not any(OUTSIDE in row or "|| ip4 ||" in row for row in after.rows)
        assert victim.treatment() == treated
        path = f"/apis/k8s.ovn.org/v1alpha1/namespaces/{site.namespace}/networkqoses"
        assert attacker.namespace.encode() not in site.cluster.server.request("GET", path)
        assert (seen.changed, seen.meets, seen.unanswered) == (0, (), 0)
        assert seen.lines < LINES + OTHER_LINES + 2 * seen.seconds / REFILL
        assert seen.silence
        assert seen.updates
    site.settle(60)
    assert (victim.rows_and_sets(), victim.treatment()) == (before, treated)


def test_the_pod_that_loses_an_address_is_told(victim: Victim) -> None:
    """The younger pod gets an Event that names the address and the older pod; the older one gets none."""
    site = victim.site
    with attacker_of(site) as attacker:
        claim(attacker)
        site.settle(60)
        path = "/apis/events.k8s.io/v1/namespaces/{}/events"

        def events(namespace: str) -> list[dict[str, str]]:
            found: list[dict[str, str]] = json.loads(site.cluster.server.request("GET", path.format(namespace)))[
                "items"
            ]
            return [each for each in found if each["reason"] == "AddressClaimed"]

        site.daemon.wait_until(lambda: bool(events(attacker.namespace)), what="an Event for the pod")
        (event,) = events(attacker.namespace)
        assert f"belongs to the older pod {site.namespace}/a" in event["note"]
        assert events(site.namespace) == []
    site.settle(60)
