"""One policy's status: what it should say, what it says as far as is known, and the write that makes them equal.

In: the policy's newest object, the verdict of the last committed round, the answers to writes. Out: a `Write`, or None
when the object says it already. No I/O. Rule: a verdict is never written over an object of another generation; the next
round has a verdict on that one.
"""

import attrs

from nqosd.api.networkqos import Condition, NetworkQoS, NetworkQoSStatus
from nqosd.status.conditions import TYPE_PREFIX, stamped, summary, zone_name

MAX_MANAGER = 128
"""Characters of a field manager's name."""
TRUSTED = 10.0
"""Seconds for which the answer to a write counts more than what the informer still shows."""


@attrs.frozen
class ZoneCondition:
    """How a policy stands in a zone. The condition has no transition time yet.

    `zones_with_sources` are the zones whose word the summary takes; None takes every zone that has a condition.
    `alive` are the types of the conditions of all zones that there are; what other zones said counts no more and is
    removed. None: nobody knows.
    """

    zone: str
    condition: Condition
    zones_with_sources: frozenset[str] | None = None
    alive: frozenset[str] | None = None

    def is_gone(self, condition: Condition) -> bool:
        """Say whether a condition is that of a zone which is no more."""
        return self.alive is not None and condition.type.startswith(TYPE_PREFIX) and condition.type not in self.alive


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
        return _path(self.policy)

    @property
    def query(self) -> dict[str, str]:
        """Who applies. It may force: a zone's condition is this daemon's, and the summary is everybody's."""
        return {"fieldManager": _manager(self.zone), "force": "true"}

    @property
    def body(self) -> dict[str, object]:
        """The applied configuration: all that this field manager owns of the object."""
        condition = self.condition
        return _identity(self.policy) | {
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


@attrs.frozen
class Removal:
    """Server-side applies in the name of a zone that is gone: they apply nothing, so what that zone owned goes.

    Parts of its condition can be owned by the controller in ovn-kubernetes too, whose field manager is the zone's name.
    """

    policy: NetworkQoS
    condition: Condition

    @property
    def path(self) -> str:
        """The status subresource of the policy."""
        return _path(self.policy)

    @property
    def queries(self) -> list[dict[str, str]]:
        """The field managers of the zone that is gone, one for each apply.

        Whoever lets go of its parts must leave a whole condition or none, else it is refused: so ours comes first and
        last, since either of the two can own the parts that the other one lacks.
        """
        zone = self.condition.type.removeprefix(TYPE_PREFIX)
        managers = [_manager(zone), *([zone, _manager(zone)] if len(zone) <= MAX_MANAGER else [])]
        return [{"fieldManager": each, "force": "true"} for each in managers]

    @property
    def body(self) -> dict[str, object]:
        """Nothing but whose status it is."""
        return _identity(self.policy)


@attrs.define
class PolicyStatus:
    """What is known of one policy."""

    policy: NetworkQoS
    verdict: ZoneCondition | None = None
    _replaced: NetworkQoSStatus | None = None
    """What the informer showed when the last write was answered, and then what the answer showed."""
    _written: NetworkQoSStatus | None = None
    _trusted_until: float = 0.0
    _removed: set[str] = attrs.field(factory=set)
    """Types of conditions whose removal was done once: what is still there, another hand has written."""

    def write(self, now: str, monotonic: float) -> Write | None:
        """Give what has to be written; `now` is the time for a condition whose status turns (RFC 3339)."""
        verdict = self.verdict
        if verdict is None or verdict.condition.observed_generation != self.policy.generation:
            return None
        status = self._status(monotonic)
        old = next((each for each in status.conditions if each.type == verdict.condition.type), None)
        condition = stamped(verdict.condition, old, now)
        others = [each for each in status.conditions if each.type != condition.type and not verdict.is_gone(each)]
        text = summary([*others, condition], self.policy.generation, verdict.zones_with_sources)
        if condition == old and text == status.summary:
            return None
        return Write(self.policy, verdict.zone, condition, text, old)

    def removal(self, monotonic: float) -> Removal | None:
        """Give the condition of a zone that is gone, if it is this zone that has to remove it.

        That is the first of the zones that have a condition, so that not all of them do the same.
        """
        verdict = self.verdict
        if verdict is None or verdict.alive is None:
            return None
        zones = [each for each in self._status(monotonic).conditions if each.type.startswith(TYPE_PREFIX)]
        alive = [each.type for each in zones if not verdict.is_gone(each)]
        gone = [each for each in zones if verdict.is_gone(each) and each.type not in self._removed]
        if not gone or not alive or min(alive) != verdict.condition.type:
            return None
        return Removal(self.policy, gone[0])

    def removed(self, removal: Removal) -> None:
        """Take note that a removal was done."""
        self._removed.add(removal.condition.type)

    def answered(self, status: NetworkQoSStatus, monotonic: float) -> None:
        """Take the status that a write has left behind, until the informer shows it too."""
        self._replaced, self._written = self.policy.status, status
        self._trusted_until = monotonic + TRUSTED

    def _status(self, monotonic: float) -> NetworkQoSStatus:
        if self._written is not None and self.policy.status == self._replaced and monotonic < self._trusted_until:
            return self._written
        self._written = None
        return self.policy.status


def _path(policy: NetworkQoS) -> str:
    return f"/apis/k8s.ovn.org/v1alpha1/namespaces/{policy.namespace}/networkqoses/{policy.name}/status"


def _manager(zone: str) -> str:
    prefix = "nqosd-"
    return prefix + zone_name(zone, MAX_MANAGER - len(prefix))


def _identity(policy: NetworkQoS) -> dict[str, object]:
    return {
        "apiVersion": "k8s.ovn.org/v1alpha1",
        "kind": "NetworkQoS",
        "metadata": {"name": policy.name, "namespace": policy.namespace},
    }
