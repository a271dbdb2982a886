"""What was told, and the differences that follow."""

from nqosd.api.changes import Change, ResourceKind
from nqosd.api.networkqos import EgressRule, NetworkQoS, NetworkQoSSpec
from nqosd.informers.store import Store
from tests.informers import wire
from tests.informers.wire import appeared, key, repainted, value, vanished


def test_a_difference_is_told_once() -> None:
    """An object that appears, changes and goes makes three changes; repetitions make none."""
    told = Store(wire.NETWORKS.kind)
    assert told.put(key("a"), value("a"), 1.0) == appeared("a", seen=1.0)
    assert told.put(key("a"), value("a"), 2.0) is None
    assert told.put(key("a"), value("a", "red"), 3.0) == repainted("a", "blue", "red", seen=3.0)
    assert told.drop(key("a"), 4.0) == vanished("a", "red", seen=4.0)
    assert told.drop(key("a"), 5.0) is None
    assert len(told) == 0


def test_what_a_whole_list_lacks_has_gone() -> None:
    """Only the objects that a list doesn't name are deleted."""
    told = Store(wire.NETWORKS.kind)
    for name in "abc":
        told.put(key(name), value(name), 0.0)
    changes: list[Change] = told.retain({key("b")}, 1.0)
    assert changes == [vanished("a", seen=1.0), vanished("c", seen=1.0)]
    assert told.copy() == {key("b"): value("b")}


def test_a_policy_that_asks_for_the_same_keeps_its_spec() -> None:
    """A change of a policy's status is told with the spec that was told before, not with a copy of it."""
    told = Store(ResourceKind.NETWORK_QOS)
    first, again, other = (
        NetworkQoS("a", "p", generation=number, spec=NetworkQoSSpec(priority, (EgressRule(1),)))
        for number, priority in ((1, 5), (2, 5), (3, 6))
    )
    told.put("a/p", first, 0.0)
    for policy in (again, other):
        change = told.put("a/p", policy, 0.0)
        assert change is not None
        assert change.new == policy
        assert isinstance(change.new, NetworkQoS)
        assert (change.new.spec is first.spec) == (policy is again)
