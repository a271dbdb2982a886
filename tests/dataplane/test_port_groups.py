"""Senders that are told by logical ports, on a real chassis: flows are there whatever comes, goes and comes back.

northd is held while things change, so that it sees all of it at once, as a busy one does: OVN 25.09 to 26.03 then gives
no flows to a port group that was deleted with members and made again.
"""

from collections.abc import AsyncIterator, Iterator

import attrs
import pytest

from nqosd.compiler.desired import Desired, Direction, PortGroup, QosRow, RowKey
from nqosd.northbound.plan.operations import SetName
from tests.northbound.desires import desired
from tests.northbound.real import Daemon, options_of, running
from tests.services.chassis import Chassis
from tests.services.generation import INSTALLED, OvnGeneration
from tests.services.ovn import OvnCentral

SWITCH = "open_ovn_layer2_switch"
ROW = QosRow(
    RowKey("games/cameras", 0, "open", SWITCH), Direction.FROM_LPORT, 10000, "inport == @cameras && ip", 20,
    sets=("cameras",),
)  # fmt: skip


@attrs.frozen
class Node:
    """A chassis under northd under a daemon's northbound half."""

    central: OvnCentral
    chassis: Chassis
    daemon: Daemon

    async def write(self, state: Desired) -> None:
        """Desire something, and wait until it is written."""
        await self.daemon.write(state)
        await self.daemon.settle()

    def marks(self) -> int:
        """Count the flows that mark packets."""
        return sum("ip_dscp" in flow for flow in self.chassis.flows())


def cameras(*ports: str) -> Desired:
    """Return a rule whose senders have these logical ports."""
    return desired([ROW], groups=[PortGroup("cameras", "cameras", set(ports))])


@pytest.fixture(params=INSTALLED, ids=lambda one: one.series)
def chassis(request: pytest.FixtureRequest) -> Iterator[Chassis]:
    """Give a chassis with two ports of a network without addresses."""
    generation: OvnGeneration = request.param
    with OvnCentral(generation) as central, Chassis(central) as found:
        central.nb.nbctl("ls-add", SWITCH, "--", "lsp-add", SWITCH, "one", "--", "lsp-add", SWITCH, "two")
        found.bind("one", "two")
        yield found


@pytest.fixture
async def node(chassis: Chassis) -> AsyncIterator[Node]:
    """Give a daemon's northbound half over the chassis."""
    central = chassis.central
    async with running(options_of(central.nb.unix)) as daemon:
        yield Node(central, chassis, daemon)


async def test_senders_that_come_back_have_their_flows(node: Node) -> None:
    """The last pod, or the policy, goes and comes back before northd has seen it: its packets are marked again."""
    await node.write(cameras("one"))
    assert (before := node.marks())
    for ports in (("one",), ("two",), ("one",)):
        node.central.northd.pause()
        await node.write(desired())
        await node.write(cameras(*ports))
        node.central.northd.resume()
        assert node.marks() == before
    await node.write(desired())
    assert node.marks() == 0
    assert node.chassis.parse_errors() == []


async def test_a_group_deleted_by_hand_comes_back_with_its_flows(node: Node) -> None:
    """Its row leaves at once, and both are made again when northd has had time to see the group gone."""
    await node.write(cameras("one"))
    assert (before := node.marks())
    node.central.northd.pause()
    node.central.nb.nbctl("destroy", "Port_Group", "cameras")
    await node.daemon.settle()
    node.central.northd.resume()
    assert node.marks() == 0
    await node.daemon.run_until(lambda: "cameras" in node.central.nb.nbctl("qos-list", SWITCH))
    assert node.marks() == before
    assert SetName("cameras") in {subject for result in node.daemon.results for subject in result.repaired}


async def test_no_chassis_is_given_a_group_without_members(node: Node) -> None:
    """A rule whose pods have no logical ports yet, or no more, is no row: nothing that ovn-controller can't parse."""
    await node.write(cameras("absent"))
    await node.write(cameras("absent", "one"))
    assert node.marks()
    await node.write(cameras("absent"))
    assert node.marks() == 0
    node.central.northd.pause()  # so that the port and what follows from it come in one piece
    node.central.nb.nbctl("lsp-add", SWITCH, "absent")
    await node.daemon.settle()
    node.central.nb.nbctl("lsp-del", "absent")
    await node.daemon.settle()
    node.central.northd.resume()
    assert node.marks() == 0
    assert node.chassis.parse_errors() == []
