"""Label selectors: the canonical form that lets equal selectors share one address set.

In: a selector as Kubernetes writes it (`matchLabels`, `matchExpressions`), already validated. Out: a frozen,
hashable `LabelSelector` whose requirements are sorted and unique. Rule: two selectors with equal requirements are
equal values with equal text, whatever the order in which they were written.
"""

from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import TypeAlias

import attrs

Labels: TypeAlias = Mapping[str, str]


class Operator(StrEnum):
    """How a requirement compares a label; the names are Kubernetes' own."""

    IN = "In"
    NOT_IN = "NotIn"
    EXISTS = "Exists"
    DOES_NOT_EXIST = "DoesNotExist"


@attrs.frozen(order=True)
class Requirement:
    """One condition on one label; `values` is sorted and unique, and empty for Exists and DoesNotExist."""

    key: str
    operator: Operator
    values: tuple[str, ...] = ()

    def matches(self, labels: Labels) -> bool:
        """Say whether labels meet this; NotIn is also met by an absent label, as in Kubernetes."""
        value = labels.get(self.key)
        match self.operator:
            case Operator.IN:
                return value in self.values
            case Operator.NOT_IN:
                return value not in self.values
            case Operator.EXISTS:
                return value is not None
            case Operator.DOES_NOT_EXIST:
                return value is None

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


@attrs.frozen(cache_hash=True)
class LabelSelector:
    """All requirements must hold; none at all selects everything. `str()` is kubectl's notation, `*` for everything."""

    requirements: tuple[Requirement, ...] = ()

    @classmethod
    def of(cls, requirements: Iterable[Requirement]) -> "LabelSelector":
        """Build the canonical form of some requirements."""
        unique = {attrs.evolve(each, values=tuple(sorted(set(each.values)))) for each in requirements}
        return cls(tuple(sorted(unique))) if unique else EVERYTHING

    def matches(self, labels: Labels) -> bool:
        """Say whether an object with these labels is selected."""
        return all(requirement.matches(labels) for requirement in self.requirements)

    def __str__(self) -> str:
        return ",".join(map(str, self.requirements)) or "*"


EVERYTHING = LabelSelector()
"""The empty selector: it selects every object."""
