"""A chassis, and an exporter on it."""

from collections.abc import Iterator

import pytest

from tests.services.chassis import Chassis
from tests.services.ovn import OvnCentral
from tests.services.stats import Exporter


@pytest.fixture
def chassis(ovn_central: OvnCentral) -> Iterator[Chassis]:
    """Give a chassis with a port on a switch."""
    ovn_central.nb.nbctl("ls-add", "s1", "--", "lsp-add", "s1", "a")
    with Chassis(ovn_central) as found:
        found.bind("a")
        yield found


@pytest.fixture
def exporter(ovn_central: OvnCentral, chassis: Chassis) -> Iterator[Exporter]:
    """Run an exporter."""
    bridge = chassis.directory / "br-int.mgmt"
    with Exporter(ovn_central.nb.unix, ovn_central.sb.unix, bridge, "node-1") as running:
        yield running
