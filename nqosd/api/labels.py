"""Label selectors: the canonical form that lets equal selectors share one address set.

In: a selector as Kubernetes writes it (`matchLabels`, `matchExpressions`), already validated. Out: a frozen,
hashable `LabelSelector` whose requirements are sorted and unique. Rule: two selectors with equal requirements are
equal values with equal text, whatever the order in which they were written.
"""

from bisect import bisect_left
from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import TypeAlias

import msgspec
from msgspec.structs import replace

Labels: TypeAlias = Mapping[str, str]

FEW = 10
"""Values that are compared one by one."""


class Operator(StrEnum):
    """How a requirement compares a label; the names are Kubernetes' own."""

    IN = "In"
    NOT_IN = "NotIn"
    EXISTS = "Exists"
    DOES_NOT_EXIST = "DoesNotExist"


class Requirement(msgspec.Struct, frozen=True, order=True):
    """One condition on one label; `values` is sorted and unique, and empty for Exists and DoesNotExist."""

    key: str
    operator: Operator
    values: tuple[str, ...] = ()

    def matches(self, labels: Labels) -> bool:
        """Say whether labels meet this; NotIn is also met by an absent label, as in Kubernetes."""
        value = labels.get(self.key)
        match self.operator:
            case Operator.IN:
                return value is not None and self.lists(value)
            case Operator.NOT_IN:
                return value is None or not self.lists(value)
            case Operator.EXISTS:
                return value is not None
            case Operator.DOES_NOT_EXIST:
                return value is None

    def lists(self, value: str) -> bool:
        """Say whether a value is one of many, without going through them: a policy may list tens of thousands."""
        if len(self.values) <= FEW:
            return value in self.values
        place = bisect_left(self.values, value)
        return place < len(self.values) and self.values[place] == value

    def __str__(self) -> str:
        match self.operator:
            case Operator.IN if len(self.values) == 1:
                return f"{self.key}={self.values[0]}"
            case Operator.IN:
                return f"{self.key} in ({','.join(self.values)})"
            case Operator.NOT_IN if len(self.values) == 1:
                return f"{self.key}!={self.values[0]}"
            case Operator.NOT_IN:
                return f"{self.key} notin ({','.join(self.values)})"
            case Operator.EXISTS:
                return self.key
            case Operator.DOES_NOT_EXIST:
                return f"!{self.key}"


class LabelSelector(msgspec.Struct, frozen=True, cache_hash=True):
    """All requirements must hold; none at all selects everything. `str()` is kubectl's notation, `*` for everything."""

    requirements: tuple[Requirement, ...] = ()

    @classmethod
    def of(cls, requirements: Iterable[Requirement]) -> "LabelSelector":
        """Build the canonical form of some requirements."""
        unique = {replace(each, values=tuple(sorted(set(each.values)))) for each in requirements}
        return cls(tuple(sorted(unique))) if unique else EVERYTHING

    def matches(self, labels: Labels) -> bool:
        """Say whether an object with these labels is selected."""
        for requirement in self.requirements:  # noqa: SIM110 (`all` takes twice as long, and this is asked for each pod)
            if not requirement.matches(labels):
                return False
        return True

    def __str__(self) -> str:
        return ",".join(map(str, self.requirements)) or "*"


EVERYTHING = LabelSelector()
"""The empty selector: it selects every object."""
