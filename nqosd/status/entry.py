"""One policy's status: what it should say, what it says as far as is known, and the write that makes them equal.

In: the policy's newest object, the verdict of all zones, the answers to writes. Out: a `Write`, or None when the object
says it already. No I/O. Rule: a verdict is never written over an object of another generation, nor over another object
of the same name: the server tests both before it writes.
"""

import datetime as dt

import attrs
import msgspec

from nqosd.api.decoding.policies import COLUMNS, columns_of
from nqosd.api.networkqos import Condition, NetworkQoS, NetworkQoSStatus
from nqosd.status.conditions import READY, TRUE, TYPE_PREFIX, ConditionReason, stamped
from nqosd.status.readiness import MAX_ZONES, StatusVerdict

MANAGER = "nqosd"
_REASONS = frozenset(ConditionReason)
_SUMMED = frozenset({ConditionReason.WAITING_FOR_ZONE, ConditionReason.ZONE_SILENT})
"""What no zone says of itself: no condition of before has these reasons."""
TRUSTED = 10.0
"""Seconds for which the answer to a write counts more than what the informer still shows."""
CONFIRMED = 1500.0
"""Seconds after which a status that is right is written again, for the time of the last report in it: looks are up to a
minute apart, and another daemon may have to take over, and it is said to be never older than half an hour."""
AHEAD = 60.0
"""Seconds by which clocks may differ; no report comes from further in the future."""
REPORTED_AT = "reportedAt"


class Write(msgspec.Struct, frozen=True):
    """A JSON patch: the whole status, tested on the server to be about this object and generation."""

    policy: NetworkQoS
    summary: str
    conditions: tuple[Condition, ...]
    verdict: StatusVerdict
    old: Condition | None
    """`Ready` as it stood there before."""
    now: str
    is_news: bool
    """Whether `Ready` turns, has another reason or is about another generation."""

    @property
    def path(self) -> str:
        """The status subresource of the policy."""
        return _path(self.policy)

    @property
    def query(self) -> dict[str, str]:
        """Who writes."""
        return {"fieldManager": MANAGER}

    @property
    def ready(self) -> Condition:
        """The condition over all zones, with its time."""
        return next(each for each in self.conditions if each.type == READY)

    @property
    def body(self) -> list[object]:
        """The patch."""
        status = {
            "status": self.summary,
            **_columns(self.verdict),
            REPORTED_AT: self.now,
            "conditions": [_as_json(each) for each in self.conditions],
        }
        return _patch(self.policy, status)


class Removal(msgspec.Struct, frozen=True):
    """A JSON patch that leaves nothing in the status but what others have written."""

    policy: NetworkQoS

    @property
    def path(self) -> str:
        """The status subresource of the policy."""
        return _path(self.policy)

    @property
    def query(self) -> dict[str, str]:
        """Who writes."""
        return {"fieldManager": MANAGER}

    @property
    def body(self) -> list[object]:
        """The patch."""
        others = [_as_json(each) for each in self.policy.status.conditions if not is_ours(each)]
        return _patch(self.policy, {"conditions": others} if others else {})


def is_ours(condition: Condition) -> bool:
    """Say whether nqosd has written a condition; ovn-kubernetes writes some of the same types, with other reasons."""
    return condition.type == READY or (_is_of_a_zone(condition) and condition.reason in _REASONS)


def _is_of_a_zone(condition: Condition) -> bool:
    return condition.type.startswith(TYPE_PREFIX)


class PolicyStatus(msgspec.Struct):
    """What is known of one policy."""

    policy: NetworkQoS
    verdict: StatusVerdict | None = None
    _replaced: NetworkQoSStatus | None = None
    """What the informer showed when the last write was made, and then what its answer showed."""
    _written: NetworkQoSStatus | None = None
    _trusted_until: float = 0.0
    _dropped: frozenset[str] = frozenset()
    """What the API server doesn't keep of a status, since its CRD isn't nqosd's."""

    def write(self, now: str, monotonic: float) -> Write | None:
        """Give what has to be written; `now` is the time for a condition whose status turns (RFC 3339)."""
        verdict = self.verdict
        if verdict is None or verdict.ready.observed_generation != self.policy.generation:
            return None
        status = self._status(monotonic)
        before = {each.type: each for each in status.conditions}
        new = {each.type: stamped(each, before.get(each.type), now) for each in verdict.conditions}
        others = [each for each in status.conditions if not _is_of_a_zone(each) and each.type not in new]
        kept = [
            each for each in status.conditions if each.type in verdict.kept - new.keys() and each.reason not in _SUMMED
        ]
        kept.sort(key=lambda each: each.status == TRUE)
        room = MAX_ZONES - len(verdict.zones)
        conditions = (*new.values(), *kept[:room], *others)
        # those beyond are no reason to write: whoever writes them would write them again
        beyond = {each.type for each in kept[room:]}
        old = before.get(READY)
        if verdict.is_doubted and not _worsens(old, verdict.ready):
            return None
        found = {name: each for name, each in before.items() if name not in beyond}
        said = status.summary, found, {each for each in status.columns if each[0] not in self._dropped}
        columns = {each for each in columns_of(_columns(verdict)) if each[0] not in self._dropped}
        is_right = said == (verdict.summary, {each.type: each for each in conditions}, columns)
        if is_right and (REPORTED_AT in self._dropped or _is_confirmed(status.reported_at, now)):
            return None
        is_news = old is None or _news(old) != _news(new[READY])
        return Write(self.policy, verdict.summary, conditions, verdict, old, now, is_news)

    def answered(self, write: Write, status: NetworkQoSStatus, monotonic: float) -> None:
        """Take the status that a write has left behind, until the informer shows it too, or another one."""
        self._replaced, self._written = write.policy.status, status
        self._trusted_until = monotonic + TRUSTED
        kept = {name for name, _value in status.columns} | ({REPORTED_AT} if status.reported_at else set())
        self._dropped = frozenset({*COLUMNS, REPORTED_AT} - kept)

    def keeps(self, write: Write, status: NetworkQoSStatus) -> bool:
        """Say whether the status in the answer to a write is what was written, but for what is known to be dropped."""
        shown = PolicyStatus(attrs.evolve(write.policy, status=status), write.verdict, _dropped=self._dropped)
        return shown.write(write.now, 0.0) is None

    def _status(self, monotonic: float) -> NetworkQoSStatus:
        if self._written is not None and self.policy.status == self._replaced and monotonic < self._trusted_until:
            return self._written
        self._written = None
        return self.policy.status


def _columns(verdict: StatusVerdict) -> dict[str, object]:
    """Give what kubectl shows of a verdict, besides the summary."""
    counts, ready = verdict.counts, verdict.ready
    return {
        "observedGeneration": ready.observed_generation,
        "ready": f"{ready.status} for generation {ready.observed_generation}",
        "zones": {
            "summary": f"{counts.ready}/{counts.with_senders}",
            "withSenders": counts.with_senders,
            "ready": counts.ready,
            "failing": counts.failing,
        },
    }


def _is_confirmed(reported: str, now: str) -> bool:
    """Say whether the last report in a status is of late (RFC 3339)."""
    try:
        age = (dt.datetime.fromisoformat(now) - dt.datetime.fromisoformat(reported)).total_seconds()
    except (ValueError, TypeError):  # nothing, or something that no daemon has written
        return False
    return -AHEAD <= age < CONFIRMED


def _path(policy: NetworkQoS) -> str:
    return f"/apis/k8s.ovn.org/v1alpha1/namespaces/{policy.namespace}/networkqoses/{policy.name}/status"


def _patch(policy: NetworkQoS, status: dict[str, object]) -> list[object]:
    """Give the patch; it fails on another object of the name, and on another generation."""
    return [
        {"op": "test", "path": "/metadata/uid", "value": policy.uid},
        {"op": "test", "path": "/metadata/generation", "value": policy.generation},
        {"op": "add", "path": "/status", "value": status},
    ]


def _worsens(old: Condition | None, new: Condition) -> bool:
    """Say whether a policy turns to be not ready, or is not ready as it stands now."""
    said = (old.status, old.observed_generation) if old is not None else ("", 0)
    return new.status != TRUE and said != (new.status, new.observed_generation)


def _news(condition: Condition) -> tuple[str, str, int]:
    return condition.status, condition.reason, condition.observed_generation


def _as_json(condition: Condition) -> dict[str, object]:
    return {
        "type": condition.type,
        "status": condition.status,
        "reason": condition.reason,
        "message": condition.message,
        "observedGeneration": condition.observed_generation,
        "lastTransitionTime": condition.last_transition_time,
    }
