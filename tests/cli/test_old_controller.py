"""What the old controller left in the status of policies says whether it is known to be off."""

import datetime as dt
import json
from collections.abc import Mapping

import pytest

from nqosd.commands.old_controller import Traces, traces

NOW = dt.datetime(2026, 11, 26, 12, 0, tzinfo=dt.UTC)
EARLY, LATE = "2026-11-26T11:00:00Z", "2026-11-26T11:30:00Z"


def entry(manager: str, time: str, zone: str = "") -> Mapping[str, object]:
    """Give an entry of managedFields: who has applied the condition of a zone, or of the zone of its own name."""
    condition: Mapping[str, object] = {".": {}, "f:status": {}, "f:reason": {}, "f:type": {}}
    key = f'k:{{"type":"Ready-In-Zone-{zone or manager}"}}'
    return {
        "manager": manager,
        "operation": "Apply",
        "subresource": "status",
        "time": time,
        "fieldsType": "FieldsV1",
        "fieldsV1": {"f:status": {"f:conditions": {key: condition}}},
    }


def policy(name: str, created: str, *managed: Mapping[str, object], networks: int = 0) -> Mapping[str, object]:
    """Give a policy as the API server lists it."""
    author = {"manager": "kubectl", "time": created, "fieldsV1": {"f:spec": {"f:egress": {}, "f:priority": {}}}}
    metadata = {"name": name, "namespace": "a", "creationTimestamp": created, "managedFields": [author, *managed]}
    return {"metadata": metadata, "spec": {"priority": 1, "egress": [], "networkSelectors": [{}] * networks}}


ANSWERED = policy("answered", EARLY, entry("n1", EARLY), entry("n2", LATE))


@pytest.mark.parametrize(
    ("others", "unanswered"),
    [
        ([policy("silent", LATE)], "a/silent"),
        ([policy("silent", LATE, entry("n2", LATE))], "a/silent"),
        ([policy("new", "2026-11-26T11:59:30Z")], ""),
        ([policy("elsewhere", LATE, networks=1)], ""),
        ([policy("ours", LATE, entry("nqosd-n1", LATE, "n1"))], ""),
        ([], ""),
    ],
    ids=["silent", "answered elsewhere", "a moment ago", "perhaps not its network", "nqosd has written", "none since"],
)
def test_only_a_policy_that_it_would_have_answered_shows_that_it_is_off(
    others: list[Mapping[str, object]], unanswered: str
) -> None:
    """One of the default network, a minute old at least, to which neither it nor nqosd has written."""
    found = traces(json.dumps({"items": [ANSWERED, *others]}).encode(), "n1", NOW)
    assert found == Traces(EARLY, "a/answered", unanswered)
    assert bool(found.warning) == (not unanswered)


def test_a_policy_that_waits_is_no_write() -> None:
    """Between two looks a policy becomes old enough to show that it is off; only a later time shows that it isn't."""
    new = policy("new", "2026-11-26T11:59:10Z")
    listed = json.dumps({"items": [ANSWERED, new]}).encode()
    before, after = traces(listed, "n1", NOW), traces(listed, "n1", NOW + dt.timedelta(seconds=20))
    assert (before.unanswered, after.unanswered) == ("", "a/new")
    assert not after.has_written_since(before)
    written = policy("new", "2026-11-26T11:59:10Z", entry("n1", "2026-11-26T12:00:05Z"))
    now = traces(json.dumps({"items": [ANSWERED, written]}).encode(), "n1", NOW + dt.timedelta(seconds=20))
    assert now.has_written_since(before)


def test_the_last_zone_that_wrote_counts_for_a_database_of_the_whole_cluster() -> None:
    """There the controller of any node is looked for; what a person or nqosd applied is no trace."""
    listed = json.dumps({"items": [ANSWERED]}).encode()
    assert traces(listed, "", NOW) == Traces(LATE, "a/answered")
    others = [policy("b", EARLY, entry("kubectl", LATE, "n1"), entry("nqosd-n1", LATE, "n1"))]
    assert traces(json.dumps({"items": others}).encode(), "", NOW) == Traces()
