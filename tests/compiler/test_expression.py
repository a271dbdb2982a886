"""Match expressions print canonically and never as something that OVN refuses."""

from nqosd.compiler.expression import ALWAYS, NOTHING, Term, all_of, any_of, between, equals
from tests.oracle.ovn_match import parse

A, B, C = Term("ip4"), Term("tcp"), Term("ip4.dst == 10.0.0.1")


def test_mixing_is_bracketed() -> None:
    """`&&` and `||` never stand side by side without parentheses, which OVN refuses."""
    assert str(any_of([all_of([A, B]), C])) == "(ip4 && tcp) || ip4.dst == 10.0.0.1"
    assert str(all_of([A, any_of([B, C])])) == "ip4 && (tcp || ip4.dst == 10.0.0.1)"
    for text in (str(any_of([all_of([A, B]), C])), str(all_of([A, any_of([B, C])]))):
        parse(text)


def test_nested_parts_flatten() -> None:
    """Equal operators need no parentheses, and a part that stands twice stands once."""
    assert str(all_of([A, all_of([B, A])])) == "ip4 && tcp"
    assert str(any_of([any_of([A, B]), B])) == "ip4 || tcp"


def test_one_part_is_itself() -> None:
    """A single part needs no operator."""
    assert all_of([A]) == A
    assert any_of([A]) == A


def test_always_and_nothing() -> None:
    """What always holds vanishes from `&&` and takes over `||`; what never holds the other way round."""
    assert all_of([A, ALWAYS]) == A
    assert any_of([A, ALWAYS]) == ALWAYS
    assert all_of([A, NOTHING]) == NOTHING
    assert any_of([A, NOTHING]) == A
    assert equals("ip4.dst", []) == NOTHING


def test_constants_and_ranges() -> None:
    """One constant stands bare, several in braces, a range between its ends."""
    assert str(equals("tcp.dst", ["80"])) == "tcp.dst == 80"
    assert str(equals("tcp.dst", ["80", "443"])) == "tcp.dst == {80, 443}"
    assert str(between("tcp.dst", 80, 90)) == "80 <= tcp.dst <= 90"
