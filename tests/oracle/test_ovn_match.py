"""OVN match expressions, by example."""

import pytest

from tests.oracle.match_tokens import StricterError
from tests.oracle.ovn_match import MatchSyntaxError, parse
from tests.oracle.packet import packet

WEB = packet("10.0.0.1", "10.0.0.9", "tcp", 80, "p1")
WEB_6 = packet("fd00::1", "fd00::9", "tcp", 80, "p1")
DNS = packet("10.0.0.2", "10.0.0.9", "udp", 53, "p2")
PING = packet("10.0.0.1", "10.0.0.9", "icmp", inport="p1")
PING_6 = packet("fd00::1", "fd00::9", "icmp", inport="p1")
OTHER = packet("10.0.0.1", "10.0.0.9", "other", inport="p1")

PACKETS = {"web": WEB, "web6": WEB_6, "dns": DNS, "ping": PING, "ping6": PING_6, "other": OTHER}
SETS = {"four": ["10.0.0.1", "10.0.1.0/24"], "six": ["fd00::1"], "empty": []}
GROUPS = {"senders": ["p1"], "nobody": []}


@pytest.mark.parametrize(
    ("match", "matching"),
    [
        # predicates and literals
        ("1", "web web6 dns ping ping6 other"),
        ("0", ""),
        ("ip", "web web6 dns ping ping6 other"),
        ("ip4", "web dns ping other"),
        ("ip6 == 1", "web6 ping6"),
        ("tcp", "web web6"),
        ("udp", "dns"),
        ("sctp", ""),
        ("icmp4", "ping"),
        ("icmp6", "ping6"),
        ("icmp", "ping ping6"),
        # constants: decimal, hexadecimal, addresses, prefixes, masks, sets of them
        ("tcp.dst == 80", "web web6"),
        ("tcp.dst == 0x50", "web web6"),
        ("80 == tcp.dst", "web web6"),
        ("ip4.src == 10.0.0.1", "web ping other"),
        ("ip4.src == {10.0.0.2, 10.0.0.3}", "dns"),
        ("ip4.src == {10.0.0.2 10.0.0.3,}", "dns"),
        ("ip4.src == 10.0.0.0/31", "web ping other"),
        ("ip4.src == 10.0.0.2/255.255.255.254", "dns"),
        ("ip4.src == 0.0.0.0/0", "web dns ping other"),
        ("ip6.src == fd00::/127", "web6 ping6"),
        ("ip6.src == {::/0}", "web6 ping6"),
        ("ip.proto == 58", "ping6"),
        ("eth.type == 0x86dd", "web6 ping6"),
        ('inport == "p2"', "dns"),
        ('inport == {"p1", "p2"}', "web web6 dns ping ping6 other"),
        # relations
        ("tcp.dst < 80", ""),
        ("tcp.dst <= 80", "web web6"),
        ("79 < tcp.dst", "web web6"),
        ("80 <= tcp.dst <= 90", "web web6"),
        ("80 < tcp.dst < 90", ""),
        ("90 > tcp.dst >= 80", "web web6"),
        # != over several: all must differ; and it implies the prerequisite
        ("ip4.src != 10.0.0.1", "dns"),
        ("ip4.src != {10.0.0.1, 10.0.0.7}", "dns"),
        ("ip4.src != {10.0.0.1, 10.0.0.2}", ""),
        ("ip6.src != fd00::5", "web6 ping6"),
        ("tcp.dst != 81", "web web6"),
        ("ip4.src != 0.0.0.0/0", ""),
        # negation goes inside before prerequisites are added
        ("!(tcp.dst == 81)", "web web6"),
        ("!(ip4.src == 10.0.0.1 || ip4.dst == 10.0.0.8)", "dns"),
        ("!(ip4.src == 10.0.0.1 && tcp.dst == 80)", "dns"),
        ("!(tcp.dst < 80)", "web web6"),
        ('!(inport != "p1")', "web web6 ping ping6 other"),
        ("!(ip4 == 0)", "web dns ping other"),
        ("!(!(ip4))", "web dns ping other"),
        ("!0", "web web6 dns ping ping6 other"),
        ("!tcp.dst", ""),
        # joints
        ("ip4 && tcp", "web"),
        ("ip6 || udp", "web6 dns ping6"),
        ("(ip4 && tcp) || (ip6 && icmp6)", "web ping6"),
        ("ip4 && tcp && tcp.dst == {80, 443}", "web"),
        # address sets and port groups; an empty one is plainly false, or plainly true, without a prerequisite
        ("ip4.src == $four", "web ping other"),
        ("ip4.src == {$four, 10.0.0.2}", "web dns ping other"),
        ("ip4.src != $four", "dns"),
        ("ip6.src == $six", "web6 ping6"),
        ("ip4.src == $empty", ""),
        ("ip4.src != $empty", "web web6 dns ping ping6 other"),
        ("inport == @senders", "web web6 ping ping6 other"),
        ("inport == @nobody", ""),
        ('inport == {@senders, "p2"} && udp', "dns"),
    ],
)
def test_match_holds_for(match: str, matching: str) -> None:
    """A match holds for exactly the packets that ovn-sb(5) says."""
    expression = parse(match)
    found = [name for name, sent in PACKETS.items() if expression.evaluate(sent, SETS, GROUPS)]
    assert found == matching.split()


@pytest.mark.parametrize(
    ("match", "complaint"),
    [
        ("", "must stand"),
        ("ip4 && tcp || udp", "parenthesized"),
        ("ip4 || tcp && udp", "parenthesized"),
        ("ip4 &&", "must stand"),
        ("ip4 && ()", "must stand"),
        ("(ip4", "must stand"),
        ("ip4)", "nothing may follow"),
        ("ip4 tcp", "nothing may follow"),
        ("!ip4", "positively"),
        ("ip4 == 0", "positively"),
        ("!(ip4 && tcp.dst == 80)", "positively"),
        ("!tcp.dst == 80", "parentheses"),
        ("!!ip4", "must stand"),
        ('inport != "p1"', "equality"),
        ("!(ip.proto == 6)", "equality"),
        ("ip.proto < 6", "only == and !="),
        ("tcp.dst", "explicitly"),
        ("inport", "must be compared"),
        ("tcp.dst < {80, 81}", "only == and !="),
        ("ip4.src < 10.0.0.0/8", "masked"),
        ("ip4.src < $four", "plain number"),
        ("80 == tcp.dst == 80", "not a range"),
        ("80 < tcp.dst > 90", "not a range"),
        ("tcp.dst == 70000", "not compatible"),
        ("tcp.dst == 10.0.0.1", "not compatible"),
        ("ip4.src == fd00::1", "not compatible"),
        ('ip4.src == "10.0.0.1"', "not compatible"),
        ("inport == 1", "not compatible"),
        ("inport == $four", "not compatible"),
        ("ip4.src == @senders", "not compatible"),
        ('inport == {"p1", 1}', "mixed"),
        ("ip4.src == {}", "must stand"),
        ("ip4.src == 10.0.0.1/8", "outside of its mask"),
        ("ip4.src == 10.0.0.0/33", "at most 32"),
        ("ip4.src == 10.0.0.0/fd00::", "doesn't go with"),
        ("ip4.src == 10.0.0", "neither a number nor an address"),
        ("tcp.dst == 080", "neither a number nor an address"),
        ("ip4.src = 10.0.0.1", "nothing that OVN knows"),
        ("ip4 & tcp", "nothing that OVN knows"),
        ('inport == "p1', "nothing that OVN knows"),
        ("ip4.source == 10.0.0.1", "not a field"),
        ("10.0.0.1 == $four", "not a field"),
        ("ip4.src == $missing", "no such address set"),
        ("inport == @missing", "no such port group"),
        ("0 && ip4.src == $missing", "no such address set"),
        ("ip4.src == $six", "not compatible"),
        ("(" * 101 + "ip4" + ")" * 101, "nested"),
    ],
)
def test_match_is_refused(match: str, complaint: str) -> None:
    """A match that OVN would refuse is an error that says why."""
    with pytest.raises(MatchSyntaxError, match=complaint):
        parse(match).evaluate(WEB, SETS, GROUPS)


def test_refused_although_some_ovn_takes_it() -> None:
    """What only some versions of OVN take is told apart from what none takes."""
    with pytest.raises(StricterError):
        parse("ip4.src == 10.0.0.1/8")


def test_set_member_must_be_an_address() -> None:
    """An address set with a member that isn't an address is an error."""
    with pytest.raises(MatchSyntaxError, match="neither a number nor an address"):
        parse("ip4").evaluate(WEB, {"bad": ["nowhere"]}, {})
