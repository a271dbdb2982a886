"""A chassis: Open vSwitch and ovn-controller in a network namespace, the judge of what OVN really does with a row.

In: a running `OvnCentral` and the logical ports that live here. Out: the OpenFlow flows of br-int, and what
ovn-controller says about matches. The rule: all of it is inside a network namespace that ends with the test process.
"""

import contextlib
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.services.generation import OvnGeneration
from tests.services.ovn import OvnCentral
from tests.services.ovsdb import LOGGING, OvsdbServer, ovs_directories
from tests.services.process import Service, accepts

COOKIE_DIGITS = 8


class NetworkNamespace(Service):
    """A network namespace without a name, with loopback up: it ends with the process that holds it."""

    def __init__(self, *, directory: Path | None = None) -> None:
        super().__init__("netns", directory=directory)
        self._ready = self.directory / "netns.ready"

    def command(self) -> Sequence[str]:
        """Return the command that makes the namespace and holds it."""
        return ["unshare", "--net", "sh", "-c", f"ip link set lo up && touch '{self._ready}' && exec sleep infinity"]

    def is_ready(self) -> bool:
        """Return whether loopback is up."""
        return self._ready.exists()

    @property
    def enter(self) -> list[str]:
        """The beginning of a command that is to run inside."""
        return ["nsenter", f"--net=/proc/{self.pid}/ns/net", "--"]


class _Daemon(Service):
    """A program of OVS or OVN that runs in the namespace of a chassis and uses the chassis' directory."""

    def __init__(self, program: str, argument: str, chassis: "Chassis") -> None:
        super().__init__(program, directory=chassis.directory)
        self._argument = argument
        self._chassis = chassis

    def command(self) -> Sequence[str]:
        program = self._chassis.generation.program(self.name)
        return [*self._chassis.namespace.enter, program, self._argument, *LOGGING]

    def environment(self) -> Mapping[str, str]:
        return ovs_directories(self.directory)

    def is_ready(self) -> bool:
        return accepts(self.control)

    @property
    def control(self) -> Path:
        """The socket for ovs-appctl; its name is fixed, since ovn-controller of 23.03 can't be told another."""
        return self.directory / f"{self.name}.{self.pid}.ctl"


class Chassis:
    """One chassis with the userspace datapath; a context manager.

    `name` is its system-id in the Southbound database.
    """

    def __init__(self, central: OvnCentral, name: str = "chassis-1", *, encap_ip: str = "127.0.0.1") -> None:
        self.name = name
        self.generation: OvnGeneration = central.generation
        self.directory = Path(tempfile.mkdtemp(prefix=f"nqosd-{name}-"))
        self.namespace = NetworkNamespace(directory=self.directory)
        self.database = OvsdbServer(central.generation, "vswitch", directory=self.directory)
        self.vswitchd = _Daemon("ovs-vswitchd", self.database.unix, self)
        self.controller = _Daemon("ovn-controller", self.database.unix, self)
        self.central = central
        self._encap_ip = encap_ip
        self._bound: list[str] = []
        self._stack = contextlib.ExitStack()

    def bind(self, *ports: str) -> None:
        """Make these logical ports of the Northbound database live here, and wait until they are up.

        Each becomes an internal interface of br-int; no traffic is needed.
        """
        arguments: list[str] = []
        for port in ports:
            interface = f"p{len(self._bound) + 1}"
            self._bound.append(port)
            arguments += ["--", "add-port", "br-int", interface, "--", "set", "Interface", interface, "type=internal",
                          f"external_ids:iface-id={port}"]  # fmt: skip
        self.database.vsctl(*arguments[1:])
        for port in ports:
            self.central.nb.nbctl("wait-until", "Logical_Switch_Port", port, "up=true")

    def sync(self) -> None:
        """Wait until this chassis has applied what the Northbound database says now."""
        self.central.sync(wait="hv")

    def flows(self, *match: str) -> list[str]:
        """Return the OpenFlow flows of br-int, or those that ovs-ofctl selects by `match`, after a `sync`."""
        self.sync()
        ofctl = [*self.namespace.enter, self.generation.program("ovs-ofctl"), "-O", "OpenFlow15", "--no-stats"]
        lines = self.database.run([*ofctl, "dump-flows", "br-int", *match]).splitlines()
        return [line.strip() for line in lines if "actions=" in line]

    def qos_flows(self, row: str) -> list[str]:
        """Return the OpenFlow flows that a Northbound row became on this chassis, by the row's id."""
        logical = self.central.logical_flows_of(row)
        return [flow for id_ in logical for flow in self.flows(f"cookie=0x{id_[:COOKIE_DIGITS]}/-1")]

    def controller_log(self) -> str:
        """Return everything that ovn-controller logged, such as "error parsing match", after a `sync`."""
        self.sync()
        return self.controller.log_file.read_text(errors="replace")

    def parse_errors(self) -> list[str]:
        """Return what ovn-controller said about matches that it can't parse, one line for each time it tried."""
        return [line for line in self.controller_log().splitlines() if "error parsing match" in line]

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as stack:
            stack.callback(shutil.rmtree, self.directory, ignore_errors=True)
            for service in (self.namespace, self.database, self.vswitchd):
                stack.enter_context(service)
            self._configure()
            stack.enter_context(self.controller)
            self.controller.wait_until(self._is_registered, what="registered in the Southbound database")
            self._log_every_error()
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.__exit__(kind, error, trace)

    def _configure(self) -> None:
        settings = {
            "system-id": self.name,
            "ovn-remote": self.central.sb.unix,
            "ovn-encap-type": "geneve",
            "ovn-encap-ip": self._encap_ip,
            "ovn-bridge-datapath-type": "netdev",
        }
        values = [f'external_ids:{key}="{value}"' for key, value in settings.items()]
        bridge = ["add-br", "br-int", "--", "set", "bridge", "br-int", "datapath_type=netdev", "fail_mode=secure"]
        self.database.vsctl("set", "Open_vSwitch", ".", *values, "--", *bridge)

    def _is_registered(self) -> bool:
        return bool(self.central.sb.sbctl("--bare", "--columns=_uuid", "find", "Chassis", f"name={self.name}").strip())

    def _log_every_error(self) -> None:
        """Lift the limit on repeated log lines, or eight wrong matches give one line."""
        appctl = self.generation.program("ovn-appctl")
        self.controller.run([appctl, "-t", str(self.controller.control), "vlog/disable-rate-limit"])
