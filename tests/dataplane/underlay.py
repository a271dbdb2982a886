"""The physical network: a bridge in a namespace of its own, with the chassis and an external host on it.

In: nothing. Out: cables to the bridge, the external host's namespace, and what passes on a chassis' cable. The rule:
no address of it exists outside of the testbed's namespaces.
"""

import contextlib
from types import TracebackType
from typing import Self

from tests.dataplane.capture import Capture
from tests.dataplane.namespaces import End, bring_up, lay, run_script
from tests.dataplane.networks import EXTERNAL_HOST, Network, external
from tests.services.chassis import NetworkNamespace

BRIDGE = "br0"
EXTERNAL_PORT = "outside"


class Underlay:
    """The bridge and the external host; a context manager."""

    def __init__(self) -> None:
        self.bridge = NetworkNamespace()
        self.outside = NetworkNamespace()
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as stack:
            stack.enter_context(self.bridge)
            stack.enter_context(self.outside)
            # Snooping would wait for multicast queriers, and neighbour discovery with it.
            run_script(self.bridge, [f"ip link add {BRIDGE} type bridge mcast_snooping 0", f"ip link set {BRIDGE} up"])
            self.connect(EXTERNAL_PORT, End(self.outside, "eth0"))
            addresses = [f"ip address add {each} dev eth0 nodad" for each in external(EXTERNAL_HOST)]
            run_script(self.outside, [*bring_up("eth0"), *addresses])
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.__exit__(kind, error, trace)

    def connect(self, port: str, end: End) -> None:
        """Lay a cable from a new port of the bridge to an interface."""
        lay([(End(self.bridge, port), end)])
        run_script(self.bridge, [*bring_up(port), f"ip link set {port} master {BRIDGE}"])

    def add_outside(self, network: Network) -> None:
        """Give the external host an address on a network that reaches out at layer 2."""
        addresses = network.addresses(1, EXTERNAL_HOST)
        run_script(self.outside, [f"ip address add {each} dev eth0 nodad" for each in addresses])

    def capture(self, port: str) -> Capture:
        """Watch what passes on a port of the bridge, in both directions."""
        return Capture(self.bridge, port)
