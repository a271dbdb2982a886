"""What is published after a round, while other changes wait for the next one."""

from unittest.mock import Mock

import pytest

from nqosd.api.changes import Change, ResourceKind
from nqosd.api.networkqos import EgressRule, NetworkQoS, NetworkQoSSpec
from nqosd.api.objects import Node
from nqosd.compiler.incremental import IncrementalCompiler
from nqosd.compiler.settings import Settings
from nqosd.daemon import publisher as daemon_publisher
from nqosd.daemon.publisher import WHOLE_CLUSTER, Came, KubernetesWriters, Publisher
from nqosd.northbound.northbound import Northbound
from nqosd.ovsdb.connection_options import Options
from nqosd.status.zone_status import ZoneStatus
from tests.status.fakes import Counting, FakeClient


def compiled(*keys: str) -> IncrementalCompiler:
    """Compile policies, by key."""
    spec, names = NetworkQoSSpec(1, (EgressRule(1),)), [key.partition("/") for key in keys]
    found = [NetworkQoS(namespace, name, spec=spec, resource_version="5") for namespace, _slash, name in names]
    compiler = IncrementalCompiler(Settings())
    compiler.apply([Change(ResourceKind.NETWORK_QOS, each.key, None, each) for each in found])
    return compiler


async def test_a_node_without_ovn_is_no_zone() -> None:
    """Nobody ever reports for a node with hybrid-overlay networking, so nobody waits for it."""
    nodes = [Node("n1", "n1"), Node("n2", "n2"), Node("windows", "", {}, None, True, ("10.132.1.0/24",))]  # noqa: FBT003
    compiler = IncrementalCompiler(Settings(zone="n1"))
    compiler.apply([Change(ResourceKind.NODE, each.name, None, each) for each in nodes])
    status = ZoneStatus(FakeClient(), Counting(), namespace="nqosd", holder="host-a")
    await Publisher(Northbound(Options()), KubernetesWriters(status)).publish(compiler, "n1", Came(7))
    assert status._state.progress is not None
    assert status._state.progress.zones == {"n1", "n2"}


async def test_reports_leave_off_where_others_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    """The rest follows after the next round, and the zone doesn't say it is done; who has few policies comes first."""
    monkeypatch.setattr(daemon_publisher, "TURN", 0.0)
    compiler = compiled("many/a", "many/b", "single/z")
    status = ZoneStatus(FakeClient(), Counting(), namespace="nqosd", holder="host-a")
    publisher = Publisher(Northbound(Options()), KubernetesWriters(status))
    said = []
    for others_wait in (True, True, False):
        assert await publisher.publish(compiler, WHOLE_CLUSTER, Came(7), others_wait=Mock(return_value=others_wait))
        report = status._state.report
        assert report is not None
        said.append((list(publisher.states), dict(report.pending)))
    assert said == [
        (["single/z"], {"many": 0}),
        (["single/z", "many/a"], {"many": 0}),
        (["single/z", "many/a", "many/b"], {}),
    ]
    assert not await publisher.publish(compiler, WHOLE_CLUSTER, Came(7))


async def test_of_very_many_policies_a_round_publishes_some(monkeypatch: pytest.MonkeyPatch) -> None:
    """The rest has rounds of its own, and until then the zone doesn't say it is done; who has few comes first."""
    monkeypatch.setattr(daemon_publisher, "MOST", 3)
    many = [f"many/{number}" for number in range(5)]
    compiler = compiled(*many, "single/z")
    status, northbound = ZoneStatus(FakeClient(), Counting(), namespace="nqosd", holder="host-a"), Northbound(Options())
    publisher = Publisher(northbound, KubernetesWriters(status))
    said = []
    for _ in range(2):
        northbound.wake.clear()
        before = len(publisher.states)
        assert await publisher.publish(compiler, WHOLE_CLUSTER, Came(7))
        report = status._state.report
        assert report is not None
        said.append((len(publisher.states) - before, dict(report.pending), northbound.wake.is_set()))
    assert said == [(3, {"many": 0}, True), (3, {}, False)]
    assert next(iter(publisher.states)) == "single/z"
    assert publisher.states.keys() == status._state.entries.keys() == {*many, "single/z"}
    assert not await publisher.publish(compiler, WHOLE_CLUSTER, Came(7))
