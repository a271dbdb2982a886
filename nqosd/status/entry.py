"""One policy's status: what it should say, what it says as far as is known, and the write that makes them equal.

In: the policy's newest object, the verdict of all zones, the answers to writes. Out: a `Write`, or None when the object
says it already. No I/O. Rule: a verdict is never written over an object of another generation, nor over another object
of the same name: the server tests both before it writes.
"""

import attrs

from nqosd.api.networkqos import Condition, NetworkQoS, NetworkQoSStatus
from nqosd.status.conditions import READY, TYPE_PREFIX, ConditionReason, stamped
from nqosd.status.readiness import StatusVerdict

MANAGER = "nqosd"
_REASONS = frozenset(ConditionReason)
TRUSTED = 10.0
"""Seconds for which the answer to a write counts more than what the informer still shows."""
CONFIRMED = 1800.0
"""Seconds after which a status that is right is written again, for the time of the last report in it."""


@attrs.frozen
class Write:
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

    def says_the_same_as(self, other: "Write") -> bool:
        """Say whether two writes differ at most in times."""
        return self.summary == other.summary and _untimed(self.conditions) == _untimed(other.conditions)

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
        counts = self.verdict.counts
        ready = self.verdict.ready
        status = {
            "status": self.summary,
            "observedGeneration": ready.observed_generation,
            "ready": f"{ready.status} for generation {ready.observed_generation}",
            "zones": {
                "summary": f"{counts.ready}/{counts.with_senders}",
                "withSenders": counts.with_senders,
                "ready": counts.ready,
                "failing": counts.failing,
            },
            "reportedAt": self.now,
            "conditions": [_as_json(each) for each in self.conditions],
        }
        return _patch(self.policy, status)


@attrs.frozen
class Removal:
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


@attrs.define
class PolicyStatus:
    """What is known of one policy."""

    policy: NetworkQoS
    verdict: StatusVerdict | None = None
    confirmed: float | None = None
    """When the status was written, or first seen to be right, in monotonic seconds."""
    _replaced: NetworkQoSStatus | None = None
    """What the informer showed when the last write was answered, and then what the answer showed."""
    _written: NetworkQoSStatus | None = None
    _trusted_until: float = 0.0

    def write(self, now: str, monotonic: float) -> Write | None:
        """Give what has to be written; `now` is the time for a condition whose status turns (RFC 3339)."""
        verdict = self.verdict
        if verdict is None or verdict.ready.observed_generation != self.policy.generation:
            return None
        status = self._status(monotonic)
        before = {each.type: each for each in status.conditions}
        kept = [each for each in status.conditions if not _is_of_a_zone(each) or each.type in verdict.kept]
        new = {each.type: stamped(each, before.get(each.type), now) for each in verdict.conditions}
        conditions = (*new.values(), *(each for each in kept if each.type not in new))
        old = before.get(READY)
        if self.confirmed is None:
            self.confirmed = monotonic
        is_right = (status.summary, before) == (verdict.summary, {each.type: each for each in conditions})
        if is_right and monotonic - self.confirmed < CONFIRMED:
            return None
        is_news = old is None or _news(old) != _news(new[READY])
        return Write(self.policy, verdict.summary, conditions, verdict, old, now, is_news)

    def answered(self, status: NetworkQoSStatus, monotonic: float) -> None:
        """Take the status that a write has left behind, until the informer shows it too."""
        self._replaced, self._written = self.policy.status, status
        self._trusted_until = monotonic + TRUSTED
        self.confirmed = monotonic

    def _status(self, monotonic: float) -> NetworkQoSStatus:
        if self._written is not None and self.policy.status == self._replaced and monotonic < self._trusted_until:
            return self._written
        self._written = None
        return self.policy.status


def _path(policy: NetworkQoS) -> str:
    return f"/apis/k8s.ovn.org/v1alpha1/namespaces/{policy.namespace}/networkqoses/{policy.name}/status"


def _patch(policy: NetworkQoS, status: dict[str, object]) -> list[object]:
    """Give the patch; it fails on another object of the name, and on another generation."""
    return [
        {"op": "test", "path": "/metadata/uid", "value": policy.uid},
        {"op": "test", "path": "/metadata/generation", "value": policy.generation},
        {"op": "add", "path": "/status", "value": status},
    ]


def _news(condition: Condition) -> tuple[str, str, int]:
    return condition.status, condition.reason, condition.observed_generation


def _untimed(conditions: tuple[Condition, ...]) -> set[Condition]:
    return {attrs.evolve(each, last_transition_time="") for each in conditions}


def _as_json(condition: Condition) -> dict[str, object]:
    return {
        "type": condition.type,
        "status": condition.status,
        "reason": condition.reason,
        "message": condition.message,
        "observedGeneration": condition.observed_generation,
        "lastTransitionTime": condition.last_transition_time,
    }
