"""Label selectors, as Kubernetes writes and checks them (metav1.LabelSelector)."""

import re
from sys import intern

from nqosd.api.labels import EVERYTHING, LabelSelector, Operator, Requirement
from nqosd.api.validation.fields import Field, shown

_NAME_LENGTH = 63
_PREFIX_LENGTH = 253
_NAME = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?")
_PREFIX = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_NAME_RULE = "at most 63 letters, digits, '-', '_' and '.', with a letter or digit at both ends"


def read_selector(field: Field) -> LabelSelector:
    """Read a selector that must be there; `{}` selects everything."""
    parts = field.parts("matchLabels", "matchExpressions")
    if parts is None:
        return EVERYTHING
    match_labels, match_expressions = parts
    requirements = [
        Requirement(intern(key), Operator.IN, (value,))
        for key, entry in match_labels.entries()
        if _check_key(entry, key) and (value := _read_value(entry)) is not None
    ]
    for expression in match_expressions.items():
        requirement = _read_expression(expression)
        if requirement is not None:
            requirements.append(requirement)
    return LabelSelector.of(requirements)


def _read_expression(field: Field) -> Requirement | None:
    parts = field.parts("key", "operator", "values")
    if parts is None:
        return None
    key_field, operator_field, values_field = parts
    key = key_field.text()
    if key is not None:
        _check_key(key_field, key)
    operator = operator_field.choice(Operator)
    values = [value for item in values_field.items() if (value := _read_value(item)) is not None]
    if operator in {Operator.IN, Operator.NOT_IN} and values_field.value in (None, []):
        values_field.problem(f"required: operator {operator} compares with at least one value")
    if operator in {Operator.EXISTS, Operator.DOES_NOT_EXIST} and values_field.value not in (None, []):
        values_field.problem(f"must be empty: operator {operator} compares with no value")
    if key is None or operator is None:
        return None
    return Requirement(intern(key), operator, tuple(values))


def _check_key(field: Field, key: str) -> bool:
    """Check a label's key, `[prefix/]name`, and note a problem at a field."""
    prefix, slash, name = key.rpartition("/")
    if slash and not (len(prefix) <= _PREFIX_LENGTH and _PREFIX.fullmatch(prefix)):
        field.problem(f"{shown(key)} is no label key: the part before '/' must be a DNS name of at most 253 characters")
        return False
    if not _is_name(name):
        field.problem(f"{shown(key)} is no label key: the name must be {_NAME_RULE}")
        return False
    return True


def _read_value(field: Field) -> str | None:
    value = field.text()
    if value and not _is_name(value):
        field.problem(f"{shown(value)} is no label value: it must be empty, or {_NAME_RULE}")
        return None
    return value


def _is_name(text: str) -> bool:
    return len(text) <= _NAME_LENGTH and _NAME.fullmatch(text) is not None
