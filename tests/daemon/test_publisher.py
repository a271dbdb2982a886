"""What is published after a round, while other changes wait for the next one."""

from unittest.mock import Mock

import pytest

from nqosd.api.changes import Change, ResourceKind
from nqosd.api.networkqos import EgressRule, NetworkQoS, NetworkQoSSpec
from nqosd.compiler.incremental import IncrementalCompiler
from nqosd.compiler.settings import Settings
from nqosd.daemon import publisher as daemon_publisher
from nqosd.daemon.publisher import WHOLE_CLUSTER, Came, KubernetesWriters, Publisher
from nqosd.northbound.northbound import Northbound
from nqosd.ovsdb.connection_options import Options
from nqosd.status.zone_status import ZoneStatus
from tests.status.fakes import Counting, FakeClient


async def test_reports_leave_off_where_others_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    """The rest follows after the next round, and the zone doesn't say it is done; who has few policies comes first."""
    monkeypatch.setattr(daemon_publisher, "TURN", 0.0)
    keys = [("many", "a"), ("many", "b"), ("single", "z")]
    found = [NetworkQoS(*each, spec=NetworkQoSSpec(1, (EgressRule(1),)), resource_version="5") for each in keys]
    compiler = IncrementalCompiler(Settings())
    compiler.apply([Change(ResourceKind.NETWORK_QOS, each.key, None, each) for each in found])
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
