"""Short ways to ask validation about a spec, and to write the values that it should give."""

from nqosd.api.ipnetworks import IPNetwork
from nqosd.api.labels import LabelSelector, Operator, Requirement
from nqosd.api.networkqos import EgressRule, NetworkQoSSpec
from nqosd.api.problems import Problem
from nqosd.api.validation import validate


def spec_of(spec: object) -> NetworkQoSSpec:
    """Give what a valid spec asks for."""
    verdict = validate(None, spec)
    assert verdict.problems == ()
    assert verdict.spec is not None
    return verdict.spec


def rule_of(spec: object) -> EgressRule:
    """Give the only rule of a valid spec."""
    (only,) = spec_of(spec).egress
    return only


def problems(spec: object) -> tuple[Problem, ...]:
    """Give what is wrong with a spec, which is refused for it."""
    verdict = validate(None, spec)
    assert verdict.problems
    assert verdict.spec is None
    return verdict.problems


def warnings(spec: object) -> tuple[str, ...]:
    """Give what a valid spec is warned of."""
    verdict = validate(None, spec)
    assert verdict.problems == ()
    return verdict.warnings


def labelled(key: str, value: str) -> LabelSelector:
    """Give the selector of one label."""
    return LabelSelector((Requirement(key, Operator.IN, (value,)),))


def network(cidr: str) -> IPNetwork:
    """Give a network."""
    return IPNetwork.of(cidr)
