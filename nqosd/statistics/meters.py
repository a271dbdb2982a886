"""Which rules have a limit that this chassis doesn't enforce, since br-int lacks the meter.

In: a reading of br-int, and the meters that ovn-controller wants. Out: rules. Rule: a limit is missing where br-int or
ovn-controller shows it, not where a row merely has no flows here, as on every chassis without its pods.

Two ways lead there (measured on OVN 23.03, 25.03 and 26.03). Where the bridge says that it has no room for a meter, OVN
since 23.09 makes the flow without one: marked, and not limited. Where the bridge refuses a meter that ovn-controller
asks for, it refuses all flows that come with it, and ovn-controller changes no flow any more until there is room.
"""

from collections.abc import Mapping

from nqosd.statistics.rules import Purpose, Rule
from nqosd.statistics.switch import SwitchReading


def rules_without_meter(
    reading: SwitchReading, wanted: Mapping[int, int], purposes: Mapping[int, Purpose]
) -> frozenset[Rule]:
    """Give the rules with a limit whose flow has no meter, or whose meter isn't in the bridge.

    `wanted`: numbers of meters by cookie.
    """
    present = {meter.number for meter in reading.meters}
    lacking = {flow.cookie for flow in reading.flows if flow.meter not in present}
    lacking |= {cookie for cookie, number in wanted.items() if number not in present}
    return frozenset(purpose.rule for cookie, purpose in purposes.items() if purpose.limits and cookie in lacking)
