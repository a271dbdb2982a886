"""What was told, and the differences that follow."""

from nqosd.informers.changes import Change
from nqosd.informers.told import ToldObjects
from tests.informers import wire
from tests.informers.wire import appeared, key, repainted, value, vanished


def test_a_difference_is_told_once() -> None:
    """An object that appears, changes and goes makes three changes; repetitions make none."""
    told = ToldObjects(wire.NETWORKS.kind)
    assert told.put(key("a"), value("a"), 1.0) == appeared("a", seen=1.0)
    assert told.put(key("a"), value("a"), 2.0) is None
    assert told.put(key("a"), value("a", "red"), 3.0) == repainted("a", "blue", "red", seen=3.0)
    assert told.drop(key("a"), 4.0) == vanished("a", "red", seen=4.0)
    assert told.drop(key("a"), 5.0) is None
    assert len(told) == 0


def test_what_a_whole_list_lacks_has_gone() -> None:
    """Only the objects that a list doesn't name are deleted."""
    told = ToldObjects(wire.NETWORKS.kind)
    for name in "abc":
        told.put(key(name), value(name), 0.0)
    changes: list[Change] = told.retain({key("b")}, 1.0)
    assert changes == [vanished("a", seen=1.0), vanished("c", seen=1.0)]
    assert told.copy() == {key("b"): value("b")}
