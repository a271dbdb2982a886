"""A condition tells the truth about one zone."""

import functools
import re
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from nqosd.api.networkqos import Condition
from nqosd.api.problems import Problem
from nqosd.northbound.results import Lacking
from nqosd.status import conditions
from nqosd.status.conditions import condition, condition_type, stamped, zone_name
from tests.status.policies import INVALID, policy, report, zone_condition

CRD = Path(__file__).parents[2] / "config" / "crd" / "networkqoses.k8s.ovn.org.yaml"


@functools.cache
def condition_schema() -> dict[str, dict[str, object]]:
    """Give the properties of a condition as the CRD has them."""
    crd = yaml.safe_load(CRD.read_text())
    schema = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    properties = schema["properties"]["status"]["properties"]["conditions"]["items"]["properties"]
    assert isinstance(properties, dict)
    return properties


def test_applied() -> None:
    """A policy with source pods whose rows are committed is True, for its generation, and says where."""
    assert condition(policy(3), report("default", "ovn-stream"), "node-1") == Condition(
        type="Ready-In-Zone-node-1",
        status="True",
        reason="Applied",
        message="In force on networks default, ovn-stream.",
        observed_generation=3,
    )


def test_no_source_pods() -> None:
    """A valid policy that selects no pod here is True as well, and says so."""
    said = condition(policy(), report(), "node-1")
    assert (said.status, said.reason) == ("True", "NoSourcePods")
    assert said.message == "The policy is valid; it selects no pod in this zone."


def test_invalid() -> None:
    """An invalid policy is False with every problem, field by field."""
    said = condition(policy(valid=False), INVALID, "node-1")
    assert (said.status, said.reason) == ("False", "Invalid")
    assert said.message == "spec.egress[0].classifier.to[0].ipBlock.cidr: 'bogus' is not a CIDR"


def test_several_problems_stand_on_one_line() -> None:
    """More than one problem is numbered; kubectl shows the message on one line."""
    problems = (Problem("a", "is wrong"), Problem("b", "too"))
    said = condition(policy(valid=False), report(ready=False, problems=problems), "z")
    assert said.message == "(1) a: is wrong; (2) b: too"


def test_too_many_ties() -> None:
    """A valid policy that found no room among those of its priority is False, for a reason of its own."""
    lost = report(ready=False, problems=(Problem("spec.priority", "11 policies share priority 10"),))
    said = condition(policy(), lost, "z")
    assert (said.status, said.reason) == ("False", "TooManyTies")
    assert said.message == "spec.priority: 11 policies share priority 10"


def test_waiting_for_a_switch() -> None:
    """A policy whose switch isn't there yet is False and names the switch."""
    said = condition(policy(), report("blue"), "z", Lacking(switches=("blue_node-1", "blue_node-2")))
    assert (said.status, said.reason) == ("False", "WaitingForSwitch")
    assert said.message == (
        "Waiting for logical switches blue_node-1, blue_node-2, not in the Northbound database yet."
    )


def test_blocked() -> None:
    """What can't be written because of somebody else is named, and weighs more than a missing switch."""
    lacking = Lacking(switches=("blue_node-1",), obstacles=("the set a1 belongs to the nqosd instance 'site-2'",))
    said = condition(policy(), report("blue"), "z", lacking)
    assert (said.status, said.reason) == ("False", "Blocked")
    assert said.message == "the set a1 belongs to the nqosd instance 'site-2'"


def test_warnings_are_added() -> None:
    """Warnings change neither status nor reason; they stand behind the message."""
    said = condition(policy(), report("default", warnings=("burst without rate has no effect",)), "z")
    assert (said.status, said.reason) == ("True", "Applied")
    assert said.message == "In force on network default. Warning: burst without rate has no effect"


def test_what_pods_do_doesnt_show() -> None:
    """Numbers of rows and names of switches, which change with pods, are not in the condition."""
    few = report("default")
    many = replace(few, rows=900, switches=("default_a", "default_b"))
    assert condition(policy(), few, "z") == condition(policy(), many, "z")


def test_a_message_is_no_longer_than_the_crd_allows() -> None:
    """However many problems there are, the message fits, and shows that it was cut."""
    problems = tuple(Problem(f"spec.egress[{i}]", "é" * 4000) for i in range(1000))
    message = condition(policy(valid=False), report(ready=False, problems=problems), "z").message
    assert len(message) == condition_schema()["message"]["maxLength"]
    assert message.endswith("…")


def test_of_a_long_list_the_first_are_named() -> None:
    """A condition names twenty networks or switches, and says how many more there are."""
    networks = tuple(f"n{number:03}" for number in range(500))
    message = condition(policy(), report(*networks), "z").message
    assert message.endswith("n018, n019, and 480 more.")


def test_reasons_are_as_the_crd_allows() -> None:
    """Each reason matches the pattern of the CRD."""
    pattern = str(condition_schema()["reason"]["pattern"])
    for reason in conditions.ConditionReason:
        assert re.fullmatch(pattern, reason.value)


@given(st.one_of(st.text(max_size=400), st.from_regex(r"[a-z0-9.-]{1,320}", fullmatch=True)))
def test_any_zone_has_a_type_that_the_crd_allows(zone: str) -> None:
    """Whatever a zone is called, its condition's type matches pattern and length of the CRD."""
    schema = condition_schema()["type"]
    type_ = condition_type(zone)
    assert re.fullmatch(str(schema["pattern"]), type_)
    assert len(type_) <= int(str(schema["maxLength"]))
    assert type_ == condition_type(zone)


@pytest.mark.parametrize("zone", ["node-1", "ip-10-0-0-1.eu-west-1.compute.internal", "global", "a" * 253])
def test_the_name_of_a_node_is_kept(zone: str) -> None:
    """A name that a node can have stands in the type as it is."""
    assert condition_type(zone) == f"Ready-In-Zone-{zone}"


@given(st.lists(st.text(alphabet="a/ .-é", max_size=6), unique=True, max_size=10), st.sampled_from([34, 40, 302]))
def test_zones_never_share_a_name(zones: list[str], longest: int) -> None:
    """Different zones have different names, however alike they are and however short the names must be."""
    names = [zone_name(zone, longest) for zone in zones]
    assert len(set(names)) == len(names)
    assert all(0 < len(name) <= longest for name in names)


def test_the_transition_time_is_that_of_the_status() -> None:
    """The time is kept while the status stays, whatever else changes, and is now when it turns or is new."""
    old = zone_condition("z")
    new = condition(policy(2), report(), "z")
    assert stamped(new, old, "now").last_transition_time == "2026-11-24T00:00:00Z"
    assert stamped(new, None, "now").last_transition_time == "now"
    assert stamped(new, zone_condition("z", "False"), "now").last_transition_time == "now"
    assert stamped(new, Condition("t", "True", "r", "m"), "now").last_transition_time == "now"
