"""Label selectors as Kubernetes defines them: what they match, and what is wrong with a malformed one.

In: a decoded LabelSelector. Out: a `Selector` that answers for a set of labels, or `Problem`s with field paths.
The rule: an empty selector matches everything; an absent one is the caller's affair.
"""

import re
from collections.abc import Iterator, Mapping

import attrs

from tests.oracle.decoded import mapping, sequence, text

_NAME = re.compile(r"[A-Za-z0-9](?:[-A-Za-z0-9_.]*[A-Za-z0-9])?")
_SUBDOMAIN = re.compile(r"[a-z0-9](?:[-a-z0-9]*[a-z0-9])?(?:\.[a-z0-9](?:[-a-z0-9]*[a-z0-9])?)*")
_WITH_VALUES = ("In", "NotIn")
_WITHOUT_VALUES = ("Exists", "DoesNotExist")


@attrs.frozen
class Problem:
    """One thing that is wrong with an object: the path of the field, and a sentence about it."""

    field: str
    message: str


@attrs.frozen
class Requirement:
    """One line of a selector: `matchLabels` entries are `In` with one value."""

    key: str
    operator: str
    values: frozenset[str]

    def met_by(self, labels: Mapping[str, str]) -> bool:
        """Whether labels meet it. `NotIn` is met by labels without the key."""
        match self.operator:
            case "In":
                return self.key in labels and labels[self.key] in self.values
            case "NotIn":
                return self.key not in labels or labels[self.key] not in self.values
            case "Exists":
                return self.key in labels
            case "DoesNotExist":
                return self.key not in labels
        raise ValueError(f"label selector with operator {self.operator!r}: validate it before asking what it matches")


@attrs.frozen
class Selector:
    """A label selector that is known to be valid: all of its requirements must be met."""

    requirements: tuple[Requirement, ...]

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Whether it selects an object with these labels."""
        return all(requirement.met_by(labels) for requirement in self.requirements)


def read_selector(value: object) -> Selector:
    """Read a valid LabelSelector; absent and null read as the empty one, which selects all."""
    exact = [Requirement(key, "In", frozenset({str(v)})) for key, v in mapping(value, "matchLabels").items()]
    lines = [
        Requirement(text(line, "key"), text(line, "operator"), frozenset(map(str, sequence(line, "values"))))
        for line in sequence(value, "matchExpressions")
    ]
    return Selector((*exact, *lines))


def selector_problems(value: object, path: str) -> Iterator[Problem]:
    """Say what is wrong with a LabelSelector that stands at `path`.

    Label syntax: Kubernetes, "Labels and Selectors", syntax and character set.
    """
    if not isinstance(value, Mapping):
        yield Problem(path, "must be an object")
        return
    exact = value.get("matchLabels")
    if exact is not None and not isinstance(exact, Mapping):
        yield Problem(f"{path}.matchLabels", "must be an object")
    for key, label in mapping(exact).items():
        if not _is_key(key):
            yield Problem(f"{path}.matchLabels[{key}]", "is not a label key")
        if not _is_value(label):
            yield Problem(f"{path}.matchLabels[{key}]", f"{label!r} is not a label value")
    lines = value.get("matchExpressions")
    if lines is not None and not isinstance(lines, list):
        yield Problem(f"{path}.matchExpressions", "must be a list")
    for index, line in enumerate(sequence(lines)):
        yield from _requirement_problems(line, f"{path}.matchExpressions[{index}]")


def _requirement_problems(line: object, path: str) -> Iterator[Problem]:
    if not isinstance(line, Mapping):
        yield Problem(path, "must be an object")
        return
    if not _is_key(line.get("key")):
        yield Problem(f"{path}.key", f"{line.get('key')!r} is not a label key")
    operator, values = line.get("operator"), line.get("values")
    if operator not in (*_WITH_VALUES, *_WITHOUT_VALUES):
        yield Problem(f"{path}.operator", f"{operator!r} is not an operator")
    if values is not None and not isinstance(values, list):
        yield Problem(f"{path}.values", "must be a list")
        return
    if operator in _WITH_VALUES and not values:
        yield Problem(f"{path}.values", f"{operator} needs values")
    if operator in _WITHOUT_VALUES and values:
        yield Problem(f"{path}.values", f"{operator} takes no values")
    for index, label in enumerate(values or ()):
        if not _is_value(label):
            yield Problem(f"{path}.values[{index}]", f"{label!r} is not a label value")


def _is_key(value: object) -> bool:
    if not isinstance(value, str):
        return False
    prefix, slash, name = value.rpartition("/")
    if slash and not (len(prefix) <= 253 and _SUBDOMAIN.fullmatch(prefix)):
        return False
    return len(name) <= 63 and _NAME.fullmatch(name) is not None


def _is_value(value: object) -> bool:
    return isinstance(value, str) and len(value) <= 63 and (value == "" or _NAME.fullmatch(value) is not None)
