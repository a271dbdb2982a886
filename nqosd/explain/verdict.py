"""The answer: frozen values that say what happens to a packet, and why.

Rule: every text is a sentence's end that a person can check against the objects; nothing here depends on how it is
printed. Rates are in kbps, bursts in kilobits.
"""

from enum import StrEnum

import msgspec

from nqosd.api.networkqos import Limit
from nqosd.compiler.desired import Direction, QosRow
from nqosd.explain.question import PodQuestion, Question


class PolicyReason(StrEnum):
    """Why a policy isn't about a packet, or (the first) that it is."""

    SELECTED = "Selected"
    NAMESPACE = "Namespace"
    INVALID = "Invalid"
    TOO_LARGE = "TooLarge"
    TOO_MANY_TIES = "TooManyTies"
    POD_SELECTOR = "PodSelector"
    NETWORK = "Network"
    SOURCE = "Source"
    SILENT = "Silent"
    """The pod can't be anybody's sender here; the attachment's `obstacle` says why."""


class RuleOutcome(StrEnum):
    """What becomes of a rule."""

    WINS = "wins"
    LOSES = "loses"
    """It matches, and a rule of higher priority does too."""
    UNDECIDED = "undecided"
    """It matches, and so does a rule of another namespace with the same priority: OVN may take either."""
    NO_MATCH = "no match"


class ClassifierEntry(msgspec.Struct, frozen=True):
    """One entry of a part of a classifier: its field, what it asks for, and whether and why the packet meets it."""

    field: str
    asks: str
    matches: bool
    why: str


class Part(msgspec.Struct, frozen=True):
    """`from`, `to` or `ports` of a classifier; without entries it restricts nothing."""

    name: str
    entries: tuple[ClassifierEntry, ...]

    @property
    def matches(self) -> bool:
        """Whether any entry is met, or there is none."""
        return not self.entries or any(entry.matches for entry in self.entries)


class RuleVerdict(msgspec.Struct, frozen=True):
    """A rule of a policy that selects the packet's sender.

    `row` is the row that carries it on this switch; None where the compiler makes none, since no packet could match.
    `shared_by`: how many source pods on the switch share its limit.
    """

    policy: str
    index: int
    priority: int
    dscp: int
    limit: Limit | None
    parts: tuple[Part, ...]
    shared_by: int
    row: QosRow | None
    outcome: RuleOutcome = RuleOutcome.NO_MATCH

    @property
    def matches(self) -> bool:
        """Whether all parts of its classifier match."""
        return all(part.matches for part in self.parts)


class PolicyVerdict(msgspec.Struct, frozen=True):
    """A policy: whether it is about packets of this sender, and if so its rules in their order."""

    key: str
    reason: PolicyReason
    detail: str
    rules: tuple[RuleVerdict, ...] = ()
    problems: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


class AttachmentVerdict(msgspec.Struct, frozen=True):
    """The packet, sent through one attachment of the pod. `obstacle` empty: it can send there.

    `attachment` is the key in the pod's annotation; `source` is None where there is no address to send from,
    `destination` where a pod was asked about that can't be sent to; `notes` are things to know about the answer.
    """

    attachment: str
    network: str
    topology: str
    switch: str
    direction: Direction | None
    source: str | None
    destination: str | None
    obstacle: str = ""
    notes: tuple[str, ...] = ()
    policies: tuple[PolicyVerdict, ...] = ()

    @property
    def matching(self) -> tuple[RuleVerdict, ...]:
        """The rules that match, the highest priority first."""
        rules = [rule for policy in self.policies for rule in policy.rules if rule.matches]
        return tuple(sorted(rules, key=lambda rule: (-rule.priority, rule.policy)))

    @property
    def winner(self) -> RuleVerdict | None:
        """The rule that the packet takes; None for no rule, or where it is undecided."""
        return next((rule for rule in self.matching if rule.outcome is RuleOutcome.WINS), None)


class Explanation(msgspec.Struct, frozen=True):
    """The answers for each attachment that was asked about."""

    question: Question | PodQuestion
    node: str
    attachments: tuple[AttachmentVerdict, ...]
