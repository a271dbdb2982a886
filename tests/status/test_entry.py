"""A status is written when, and only when, the object doesn't say it yet."""

import attrs

from nqosd.api.networkqos import NetworkQoSStatus
from nqosd.status.conditions import APPLIED, condition
from nqosd.status.entry import TRUSTED, PolicyStatus, Write, ZoneCondition
from tests.status.policies import policy, report, zone_condition

NOW = "2026-11-24T12:00:00Z"
VERDICT = ZoneCondition("z", condition(policy(), report("default"), "z"))


def written(write: Write | None, *others: str) -> NetworkQoSStatus:
    """Give the status that a write leaves behind, beside conditions of other zones."""
    assert write is not None
    return NetworkQoSStatus(write.summary, (*map(zone_condition, others), write.condition))


def test_without_a_verdict_nothing_is_written() -> None:
    """An object alone is no reason to write."""
    assert PolicyStatus(policy()).write(NOW, 0.0) is None


def test_the_first_write() -> None:
    """The first write applies this zone's condition with a transition time, and the summary, as this zone's manager."""
    write = PolicyStatus(policy(), VERDICT).write(NOW, 0.0)
    assert write is not None
    assert write.path == "/apis/k8s.ovn.org/v1alpha1/namespaces/team-a/networkqoses/video/status"
    assert write.query == {"fieldManager": "nqosd-z", "force": "true"}
    assert write.body == {
        "apiVersion": "k8s.ovn.org/v1alpha1",
        "kind": "NetworkQoS",
        "metadata": {"name": "video", "namespace": "team-a"},
        "status": {
            "status": APPLIED,
            "conditions": [
                {
                    "type": "Ready-In-Zone-z",
                    "status": "True",
                    "reason": "Applied",
                    "message": "In force on network default.",
                    "observedGeneration": 1,
                    "lastTransitionTime": NOW,
                }
            ],
        },
    }


def test_what_stands_there_is_not_written_again() -> None:
    """An object that says it already is left alone, whenever it was written."""
    status = written(PolicyStatus(policy(), VERDICT).write(NOW, 0.0), "other")
    assert PolicyStatus(policy(status=status), VERDICT).write("2027-01-01T00:00:00Z", 1e6) is None


def test_a_verdict_on_another_generation_is_not_written() -> None:
    """A verdict waits for its own generation; the next round has one on the new one."""
    assert PolicyStatus(policy(2), VERDICT).write(NOW, 0.0) is None


def test_anothers_edit_is_undone() -> None:
    """A condition or summary that another hand has changed is written again, with its old transition time."""
    status = written(PolicyStatus(policy(), VERDICT).write(NOW, 0.0))
    edited = attrs.evolve(status, summary="all is well")
    write = PolicyStatus(policy(status=edited), VERDICT).write("later", 0.0)
    assert write is not None
    assert (write.summary, write.condition.last_transition_time) == (APPLIED, NOW)


def test_another_zones_word_changes_the_summary() -> None:
    """When another zone's condition turns, this zone sums up anew."""
    status = written(PolicyStatus(policy(), VERDICT).write(NOW, 0.0), "other")
    turned = attrs.evolve(status, conditions=(zone_condition("other", "False"), status.conditions[1]))
    write = PolicyStatus(policy(status=turned), VERDICT).write(NOW, 0.0)
    assert write is not None
    assert write.summary == "Not applied in zone other: m"
    assert write.condition == status.conditions[1]


def test_only_zones_with_sources_count() -> None:
    """The zones that a verdict names are those that the summary asks."""
    status = NetworkQoSStatus("", (zone_condition("other", "False"),))
    write = PolicyStatus(policy(status=status), attrs.evolve(VERDICT, zones_with_sources=frozenset({"z"}))).write(
        NOW, 0.0
    )
    assert write is not None
    assert write.summary == APPLIED


def test_an_answer_counts_until_the_informer_shows_it() -> None:
    """Between a write and its echo nothing is written twice; a change after the echo is noticed."""
    entry = PolicyStatus(policy(), VERDICT)
    status = written(entry.write(NOW, 0.0))
    entry.answered(status, 0.0)
    assert entry.write(NOW, 1.0) is None
    entry.policy = policy(status=status)
    assert entry.write(NOW, 2.0) is None
    entry.policy = policy()
    assert entry.write(NOW, 3.0) is not None, "somebody has emptied the status after the echo"


def test_an_answer_is_not_trusted_for_ever() -> None:
    """If the informer still shows the old status after a while, that is how it stands: it is written again."""
    entry = PolicyStatus(policy(), VERDICT)
    entry.answered(written(entry.write(NOW, 0.0)), 0.0)
    assert entry.write(NOW, TRUSTED - 1) is None
    assert entry.write(NOW, TRUSTED + 1) is not None


def test_a_long_zone_has_a_field_manager() -> None:
    """The field manager's name stays within the API's limit, and tells zones apart."""
    names = set()
    for zone in ("a" * 253, "a" * 252 + "b"):
        write = PolicyStatus(policy(), attrs.evolve(VERDICT, zone=zone)).write(NOW, 0.0)
        assert write is not None
        assert len(write.query["fieldManager"]) <= 128
        names.add(write.query["fieldManager"])
    assert len(names) == 2
