"""A status is written when, and only when, the object doesn't say it yet."""

import datetime as dt

import pytest
from msgspec.structs import replace

from nqosd.api.decoding.policies import COLUMNS, columns_of
from nqosd.api.networkqos import Condition, NetworkQoSStatus
from nqosd.status.entry import AHEAD, CONFIRMED, TRUSTED, PolicyStatus, Removal, Write
from nqosd.status.readiness import APPLIED, MAX_ZONES, StatusVerdict, ZoneCounts
from tests.status.policies import WAITING, policy, verdict, zone_condition

NOW = "2026-11-24T12:00:00Z"
VERDICT = verdict()


def later(seconds: float) -> str:
    """Give the time so many seconds after NOW."""
    return (dt.datetime.fromisoformat(NOW) + dt.timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")


def written(write: Write | None) -> NetworkQoSStatus:
    """Give the status that a write leaves behind."""
    assert write is not None
    (*_tests, operation) = write.body
    assert isinstance(operation, dict)
    return NetworkQoSStatus(write.summary, write.conditions, columns_of(operation["value"]), write.now)


def answered(entry: PolicyStatus) -> NetworkQoSStatus:
    """Write a status, and give what it leaves behind."""
    write = entry.write(NOW, 0.0)
    assert write is not None
    entry.answered(write, written(write), 0.0)
    return written(write)


def test_without_a_verdict_nothing_is_written() -> None:
    """An object alone is no reason to write."""
    assert PolicyStatus(policy()).write(NOW, 0.0) is None


def test_the_first_write() -> None:
    """The first write tests what object it is, and gives the status as a whole."""
    zone = zone_condition("b", "False", message="x")
    bad = replace(WAITING, conditions=(WAITING.ready, zone), counts=ZoneCounts(3, 1, 1))
    write = PolicyStatus(policy(), bad).write(NOW, 0.0)
    assert write is not None
    assert write.path == "/apis/k8s.ovn.org/v1alpha1/namespaces/team-a/networkqoses/video/status"
    assert write.query == {"fieldManager": "nqosd"}
    status = {
        "status": WAITING.summary,
        "observedGeneration": 1,
        "ready": "False for generation 1",
        "zones": {"summary": "1/3", "withSenders": 3, "ready": 1, "failing": 1},
        "reportedAt": NOW,
        "conditions": [
            {
                "type": "Ready",
                "status": "False",
                "reason": "WaitingForSwitch",
                "message": WAITING.summary,
                "observedGeneration": 1,
                "lastTransitionTime": NOW,
            },
            {
                "type": "Ready-In-Zone-b",
                "status": "False",
                "reason": "WaitingForSwitch",
                "message": "x",
                "observedGeneration": 1,
                "lastTransitionTime": NOW,
            },
        ],
    }
    assert write.body == [
        {"op": "test", "path": "/metadata/uid", "value": "u-1"},
        {"op": "test", "path": "/metadata/generation", "value": 1},
        {"op": "add", "path": "/status", "value": status},
    ]


def test_what_stands_there_is_not_written_again() -> None:
    """An object that says it already is left alone, whoever wrote it, until it is time to confirm it."""
    status = written(PolicyStatus(policy(), VERDICT).write(NOW, 0.0))
    entry = PolicyStatus(policy(status=status), VERDICT)
    assert entry.write(later(0), 1e6) is None
    assert entry.write(later(CONFIRMED - 1), 1e6) is None
    confirmation = entry.write(later(CONFIRMED), 1e6)
    assert confirmation is not None
    assert not confirmation.is_news
    assert written(confirmation) == replace(status, reported_at=later(CONFIRMED))


@pytest.mark.parametrize("reported", ["", "never", "2026-11-24T12:00:00", later(AHEAD + 1)])
def test_a_time_that_no_daemon_wrote_is_put_right(reported: str) -> None:
    """A last report without a time, or from the future, is none: the status is confirmed."""
    status = replace(written(PolicyStatus(policy(), VERDICT).write(NOW, 0.0)), reported_at=reported)
    assert PolicyStatus(policy(status=status), VERDICT).write(NOW, 0.0) is not None


@pytest.mark.parametrize("name", COLUMNS)
def test_a_column_of_another_hand_is_put_right(name: str) -> None:
    """Whatever of the status kubectl shows is compared: another value, and none."""
    status = written(PolicyStatus(policy(), VERDICT).write(NOW, 0.0))
    others = tuple(each for each in status.columns if each[0] != name)
    for columns in (others, (*others, (name, '"True"'))):
        found = replace(status, columns=columns)
        assert PolicyStatus(policy(status=found), VERDICT).write(NOW, 0.0) is not None


def test_what_the_api_server_drops_is_not_missed() -> None:
    """Where the CRD is another one, a status without nqosd's columns is written once."""
    entry = PolicyStatus(policy(), VERDICT)
    write = entry.write(NOW, 0.0)
    assert write is not None
    kept = replace(written(write), columns=(), reported_at="")
    entry.answered(write, kept, 0.0)
    entry.policy = policy(status=kept)
    assert entry.write(later(CONFIRMED), CONFIRMED) is None


def test_a_verdict_on_another_generation_is_not_written() -> None:
    """A verdict waits for its own generation; the next round has one on the new one."""
    assert PolicyStatus(policy(2), VERDICT).write(NOW, 0.0) is None


def test_anothers_edit_is_undone() -> None:
    """A condition or summary that another hand has changed is written again, with its old transition time."""
    status = written(PolicyStatus(policy(), VERDICT).write(NOW, 0.0))
    write = PolicyStatus(policy(status=replace(status, summary="all is well")), VERDICT).write(later(60), 0.0)
    assert write is not None
    assert (write.summary, write.ready.last_transition_time) == (APPLIED, NOW)


def test_what_is_news() -> None:
    """`Ready` is news when it turns, has another reason or is about another generation; another text isn't."""
    status = written(PolicyStatus(policy(), VERDICT).write(NOW, 0.0))
    news = {
        name: PolicyStatus(policy(each.ready.observed_generation, status=status), each).write(NOW, 0.0)
        for name, each in {
            "text": verdict(message="n"),
            "generation": verdict(generation=2),
            "reason": verdict(reason="NoSourcePods"),
            "status": WAITING,
        }.items()
    }
    assert {name: each is not None and each.is_news for name, each in news.items()} == {
        "text": False,
        "generation": True,
        "reason": True,
        "status": True,
    }


def test_conditions_of_well_zones_go() -> None:
    """What earlier versions and ovn-kubernetes wrote for zones is replaced, but for zones that don't report yet."""
    accepted = Condition("Accepted", "True", "r", "m")
    old = NetworkQoSStatus("", (zone_condition("a"), zone_condition("b"), accepted))
    kept = frozenset({"Ready-In-Zone-b"})
    write = PolicyStatus(policy(status=old), verdict(kept=kept)).write(NOW, 0.0)
    assert [each.type for each in written(write).conditions] == ["Ready", "Ready-In-Zone-b", "Accepted"]


OLD = tuple(zone_condition(f"z{number:03}", "False" if number % 100 == 99 else "True") for number in range(1000))
"""What daemons of before have written, of which one in a hundred isn't well."""
ACCEPTED = Condition("Accepted", "True", "r", "m", last_transition_time=NOW)
KEPT = frozenset(each.type for each in OLD)


@pytest.mark.parametrize("unwell", [0, 4, MAX_ZONES])
def test_of_what_is_kept_as_much_stays_as_there_is_room_for(unwell: int) -> None:
    """Ten zones have a condition at most, those that are known not to be well first; others' conditions all stay."""
    zones = tuple(zone_condition(f"new-{number}", "False") for number in range(unwell))
    status = NetworkQoSStatus("", (*OLD, ACCEPTED))
    write = PolicyStatus(policy(status=status), verdict("False", zones=zones, kept=KEPT)).write(NOW, 0.0)
    ready, *found = written(write).conditions
    assert ready.type == "Ready"
    assert [each.type for each in found[:unwell]] == [each.type for each in zones]
    assert found[unwell:-1] == [each for each in OLD if each.status == "False"][: MAX_ZONES - unwell]
    assert found[-1] == ACCEPTED


@pytest.mark.parametrize("reason", ["WaitingForZone", "ZoneSilent"])
def test_what_was_summed_up_is_no_condition_of_before(reason: str) -> None:
    """That a zone was waited for doesn't stay when it isn't any more, though it still doesn't report."""
    waited = replace(OLD[0], status="Unknown", reason=reason)
    entry = PolicyStatus(policy(status=NetworkQoSStatus("", (waited,))), verdict(kept=KEPT))
    assert [each.type for each in written(entry.write(NOW, 0.0)).conditions] == ["Ready"]


def test_what_there_is_no_room_for_is_no_reason_to_write() -> None:
    """Zones of before that write theirs again have that from nobody's writing; those that report cost a write."""
    said = verdict("False", kept=KEPT)
    status = written(PolicyStatus(policy(status=NetworkQoSStatus("", OLD)), said).write(NOW, 0.0))
    shown = {each.type for each in status.conditions}
    again = replace(status, conditions=(*status.conditions, *(each for each in OLD if each.type not in shown)))
    assert PolicyStatus(policy(status=again), said).write(NOW, 0.0) is None
    fewer = replace(said, kept=KEPT - {OLD[0].type})
    assert PolicyStatus(policy(status=again), fewer).write(NOW, 0.0) is not None


def test_a_removal_leaves_what_others_have_written() -> None:
    """Nothing of nqosd stays in the status, and everything of others."""
    accepted = Condition("Accepted", "True", "r", "m", last_transition_time=NOW)
    theirs = replace(zone_condition("b"), reason="Success")
    conditions = (VERDICT.ready, zone_condition("a"), accepted, theirs)
    (*_tests, operation) = Removal(policy(status=NetworkQoSStatus(APPLIED, conditions))).body
    assert isinstance(operation, dict)
    assert [each["type"] for each in operation["value"]["conditions"]] == ["Accepted", theirs.type]


def test_an_answer_counts_until_the_informer_shows_it() -> None:
    """Between a write and its echo nothing is written twice; a change after the echo is noticed."""
    entry = PolicyStatus(policy(), VERDICT)
    status = answered(entry)
    assert entry.write(NOW, 1.0) is None
    entry.policy = policy(status=status)
    assert entry.write(NOW, 2.0) is None
    entry.policy = policy()
    assert entry.write(NOW, 3.0) is not None, "somebody has emptied the status after the echo"


def test_what_is_heard_before_the_answer_counts() -> None:
    """Somebody's change after the write, heard of before the write is answered, is put right at once."""
    entry = PolicyStatus(policy(), VERDICT)
    write = entry.write(NOW, 0.0)
    assert write is not None
    entry.policy = policy(status=replace(written(write), summary="all is well"))
    entry.answered(write, written(write), 0.0)
    assert entry.keeps(write, written(write))
    assert entry.write(NOW, 1.0) is not None


def test_an_answer_is_not_trusted_for_ever() -> None:
    """If the informer still shows the old status after a while, that is how it stands: it is written again."""
    entry = PolicyStatus(policy(), VERDICT)
    answered(entry)
    assert entry.write(NOW, TRUSTED - 1) is None
    assert entry.write(NOW, TRUSTED + 1) is not None


@pytest.mark.parametrize(
    ("said", "says", "is_written"),
    [
        ("", VERDICT, False),
        ("", WAITING, True),
        ("True", VERDICT, False),
        ("True", WAITING, True),
        ("Unknown", VERDICT, False),
        ("Unknown", WAITING, True),
        ("False", WAITING, False),
        ("False", VERDICT, False),
        ("before", WAITING, True),
        ("before", VERDICT, False),
    ],
)
def test_what_is_in_doubt_says_nothing_better(said: str, says: StatusVerdict, *, is_written: bool) -> None:
    """Another daemon may know better that a policy isn't ready; that it fails is said where it wasn't."""
    generation = 0 if said == "before" else 1
    ready = Condition("Ready", "False" if said == "before" else said, "ZoneSilent", "zone b", generation, NOW)
    status = NetworkQoSStatus("zone b", (ready,) if said else ())
    entry = PolicyStatus(policy(status=status), replace(says, is_doubted=True))
    assert (entry.write(NOW, 0.0) is not None) is is_written
    entry.verdict = says
    assert entry.write(NOW, 0.0) is not None
