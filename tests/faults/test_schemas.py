"""Servers whose schema isn't the one that the daemon expects, until the database is converted."""

import json
from collections.abc import Callable
from typing import TypeAlias

from tests.faults import manifests
from tests.faults.cluster import Cluster
from tests.faults.site import open_site
from tests.services.generation import GENERATIONS
from tests.services.ovsdb import OvsdbServer

Columns: TypeAlias = dict[str, dict[str, dict[str, dict[str, object]]]]


class OtherSchema(OvsdbServer):
    """A server whose schema has other columns in its table QoS, until `convert`."""

    def __init__(self, change: Callable[[Columns], object]) -> None:
        super().__init__(GENERATIONS[-1])
        self._change = change

    def create_database(self) -> None:
        """Make a database of that schema."""
        schema = json.loads(self.generation.schema("nb").read_text())
        self._change(schema["tables"]["QoS"]["columns"])
        other = self.directory / "other.ovsschema"
        other.write_text(json.dumps(schema))
        self.run([self.generation.program("ovsdb-tool"), "create", str(self.file), str(other)])

    def convert(self) -> None:
        """Convert the database while it is being served, as an upgrade of OVN does."""
        client = self.generation.program("ovsdb-client")
        self.run([client, "convert", self.unix, str(self.generation.schema("nb"))])


def test_a_schema_without_an_expected_column(faulty_cluster: Cluster) -> None:
    """The daemon says which column is lacking and writes nothing; it goes on when the schema has been converted."""
    with (
        OtherSchema(lambda columns: columns.pop("bandwidth")) as nb,
        open_site(faulty_cluster, nb, foreign=False) as site,
    ):
        site.fill()
        daemon = site.start_daemon(until_ready=False)
        daemon.wait_until(lambda: "QoS.bandwidth" in str(daemon.probe("readyz")), what="saying what the schema lacks")
        assert daemon.probe("healthz")[0] == 200
        nb.convert()
        site.settle()


def test_an_object_that_the_schema_refuses(faulty_cluster: Cluster) -> None:
    """Its policy is Blocked, in log, metric and /readyz; all others are applied, and it is as soon as it can be."""
    with (
        OtherSchema(lambda columns: columns["priority"]["type"]["key"].update(maxInteger=20_000)) as nb,
        open_site(faulty_cluster, nb, foreign=False) as site,
    ):
        site.fill()
        site.cluster.create(manifests.policy(site.namespace, "high", priority=90, rules=[manifests.rule(1, rate=9000)]))
        daemon = site.start_daemon(until_ready=False)
        daemon.wait_until(lambda: site.conditions() == {"Applied", "Blocked"}, what="done with all but one")
        assert daemon.metric("nqosd_blocked_objects", kind="row") > 0
        log = [json.loads(line) for line in daemon.log_file.read_text().splitlines()]
        blocked = [each for each in log if each["event"] == "northbound: blocked"]
        assert {"/high, " in each["object"] for each in blocked} == {True}
        assert "is not in the valid range 0 to 20000" in blocked[0]["reason"]
        daemon.wait_until(lambda: "/high, " in str(daemon.probe("readyz")[1]), what="not ready because of it")
        assert daemon.probe("healthz")[0] == 200
        nb.convert()
        site.settle()
        assert site.conditions() == {"Applied"}
        assert daemon.metric("nqosd_blocked_objects") == 0
        daemon.wait_until(daemon.is_ready, what="ready")
