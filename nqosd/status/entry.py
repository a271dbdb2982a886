"""One policy's status: what it should say, what it says as far as is known, and the write that makes them equal.

In: the policy's newest object, the verdict of the last committed round, the answers to writes. Out: a `Write`, or None
when the object says it already. No I/O. Rule: a verdict is never written over an object of another generation; the next
round has a verdict on that one.
"""

import attrs

from nqosd.api.networkqos import Condition, NetworkQoS, NetworkQoSStatus
from nqosd.status.conditions import stamped, summary, zone_name

MAX_MANAGER = 128
"""Characters of a field manager's name."""
TRUSTED = 10.0
"""Seconds for which the answer to a write counts more than what the informer still shows."""


@attrs.frozen
class Verdict:
    """How a policy stands in a zone. The condition has no transition time yet.

    `zones_with_sources` are the zones whose word the summary takes; None takes every zone that has a condition.
    """

    zone: str
    condition: Condition
    zones_with_sources: frozenset[str] | None = None


@attrs.frozen
class Write:
    """A server-side apply: this zone's condition and the summary. `old` is the condition that stood there before."""

    policy: NetworkQoS
    zone: str
    condition: Condition
    summary: str
    old: Condition | None

    def says_the_same_as(self, other: "Write") -> bool:
        """Say whether two writes differ at most in the time of the transition."""
        time = self.condition.last_transition_time
        condition = attrs.evolve(other.condition, last_transition_time=time)
        return (self.condition, self.summary) == (condition, other.summary)

    @property
    def path(self) -> str:
        """The status subresource of the policy."""
        return f"/apis/k8s.ovn.org/v1alpha1/namespaces/{self.policy.namespace}/networkqoses/{self.policy.name}/status"

    @property
    def query(self) -> dict[str, str]:
        """Who applies. It may force: a zone's condition is this daemon's, and the summary is everybody's."""
        prefix = "nqosd-"
        return {"fieldManager": prefix + zone_name(self.zone, MAX_MANAGER - len(prefix)), "force": "true"}

    @property
    def body(self) -> dict[str, object]:
        """The applied configuration: all that this field manager owns of the object."""
        condition = self.condition
        return {
            "apiVersion": "k8s.ovn.org/v1alpha1",
            "kind": "NetworkQoS",
            "metadata": {"name": self.policy.name, "namespace": self.policy.namespace},
            "status": {
                "status": self.summary,
                "conditions": [
                    {
                        "type": condition.type,
                        "status": condition.status,
                        "reason": condition.reason,
                        "message": condition.message,
                        "observedGeneration": condition.observed_generation,
                        "lastTransitionTime": condition.last_transition_time,
                    }
                ],
            },
        }


@attrs.define
class Entry:
    """What is known of one policy."""

    policy: NetworkQoS
    verdict: Verdict | None = None
    _replaced: NetworkQoSStatus | None = None
    """What the informer showed when the last write was answered, and then what the answer showed."""
    _written: NetworkQoSStatus | None = None
    _trusted_until: float = 0.0

    def write(self, now: str, monotonic: float) -> Write | None:
        """Give what has to be written; `now` is the time for a condition whose status turns (RFC 3339)."""
        verdict = self.verdict
        if verdict is None or verdict.condition.observed_generation != self.policy.generation:
            return None
        status = self._status(monotonic)
        old = next((each for each in status.conditions if each.type == verdict.condition.type), None)
        condition = stamped(verdict.condition, old, now)
        others = [each for each in status.conditions if each.type != condition.type]
        text = summary([*others, condition], self.policy.generation, verdict.zones_with_sources)
        if condition == old and text == status.summary:
            return None
        return Write(self.policy, verdict.zone, condition, text, old)

    def answered(self, status: NetworkQoSStatus, monotonic: float) -> None:
        """Take the status that a write has left behind, until the informer shows it too."""
        self._replaced, self._written = self.policy.status, status
        self._trusted_until = monotonic + TRUSTED

    def _status(self, monotonic: float) -> NetworkQoSStatus:
        if self._written is not None and self.policy.status == self._replaced and monotonic < self._trusted_until:
            return self._written
        self._written = None
        return self.policy.status
