"""Rows as the daemon writes them, on the switch that a test's chassis has a port on."""

from typing import Literal

from nqosd.compiler.desired import Direction, QosRow, RowKey
from tests.services.ovn import OvnCentral

POLICY = "shop/gold"
MATCH = "ip4.src == 198.51.100.1"


def add_row(
    central: OvnCentral,
    index: int,
    rate: int | None,
    *,
    owner: str = "nqosd",
    priority: int = 100,
    wait: Literal["sb", "hv"] = "hv",
) -> None:
    """Attach a row to the switch, as the daemon would, and wait for northd or for all chassis."""
    key = RowKey(POLICY, index, "default", "s1")
    row = QosRow(key, Direction.TO_LPORT, priority + index, f"{MATCH} && ip4.dst == 192.0.2.{index}", 10, rate)
    bandwidth = [f"bandwidth={name}={value}" for name, value in row.bandwidth.items()]
    ids = [f'external_ids:{name}="{value}"' for name, value in row.external_ids(owner).items()]
    columns = [f"direction={row.direction}", f"priority={row.priority}", f'match="{row.match}"', "action=dscp=10"]
    create = ["--id=@q", "create", "QoS", *columns, *bandwidth, *ids]
    central.nb.nbctl("--", *create, "--", "add", "Logical_Switch", "s1", "qos_rules", "@q")
    central.sync(wait=wait)
