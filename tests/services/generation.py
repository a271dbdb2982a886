"""The generations of OVN that the tests run against, and where their programs and schemas are.

The rule: a generation is named by its series as OVN names its branches ("23.03"), and holds the Open vSwitch that its
distribution ships with it.
"""

from pathlib import Path

import attrs
import pytest

from tests.services.install import debian


@attrs.frozen
class OvnGeneration:
    """One OVN, named by its series: "23.03" (with OVS 3.1), "25.03" (with OVS 3.5) or "26.03" (with OVS 4.0)."""

    series: str = attrs.field(
        validator=attrs.validators.in_([suite.series for suite in (*debian.SUITES, debian.LATEST)])
    )

    def program(self, name: str) -> str:
        """Return the path of a program, such as "ovn-nbctl".

        Raises:
            InstallError: this generation isn't installed; names the command that installs it.
        """
        return str(self._prefix / "bin" / name)

    def schema(self, name: str) -> Path:
        """Return the file of a database schema: "nb", "sb" or "vswitch"."""
        place = "openvswitch/vswitch" if name == "vswitch" else f"ovn/ovn-{name}"
        return self._prefix / "share" / f"{place}.ovsschema"

    @property
    def merges_qos_tables(self) -> bool:
        """Whether marks and meters share one logical table, so that one row decides on both (since OVN 24.09)."""
        year, month = self.series.split(".")
        return (int(year), int(month)) >= (24, 9)

    @property
    def is_current(self) -> bool:
        """Whether it can do what today's ovn-kubernetes asks of it; 23.03 can't.

        That is: distributed routers whose peers are gateway routers, packet marks in QoS rows, and a router's port that
        answers ARP and neighbour discovery for whole subnets.
        """
        return self.merges_qos_tables

    @property
    def is_installed(self) -> bool:
        """Whether it is there."""
        return debian.entry(self.series).directory.is_dir()

    @property
    def _prefix(self) -> Path:
        return debian.entry(self.series).require()


GENERATIONS = tuple(OvnGeneration(suite.series) for suite in debian.SUITES)
"""Those that the tests run against, oldest first."""
LATEST = OvnGeneration(debian.LATEST.series)
"""What `make dataplane` measures beside them, where it installs."""

INSTALLED = (*GENERATIONS, *([LATEST] if LATEST.is_installed else []))
"""Those that are there."""

every_generation = pytest.mark.parametrize("ovn_generation", GENERATIONS, indirect=True, ids=lambda one: one.series)
"""Decorates a test that takes `ovn_generation`, or a fixture that builds on it, to run on each generation."""
every_installed_generation = pytest.mark.parametrize(
    "ovn_generation", INSTALLED, indirect=True, ids=lambda one: one.series
)
"""The same with the newest one, where it is there, for what one of them alone may do differently."""
