"""An HTTP server with the parts of a daemon behind it that knows all objects and hasn't begun to work."""

from nqosd.daemon.inspection import DaemonState
from nqosd.daemon.publisher import KubernetesWriters
from nqosd.daemon.rounds import RoundOptions, Rounds
from nqosd.northbound.northbound import Northbound
from nqosd.ovsdb.connection_options import Options
from nqosd.telemetry.health import Health
from nqosd.telemetry.metrics import Metrics
from nqosd.web.server import HttpOptions, HttpServer


def make_server(options: HttpOptions) -> HttpServer:
    """Give a server that isn't started."""
    metrics, health, northbound = Metrics(), Health(), Northbound(Options())
    rounds = Rounds(RoundOptions(), northbound, metrics.rounds, health, KubernetesWriters())
    rounds.inbox.unsynced.clear()
    state = DaemonState(rounds, northbound, health, metrics.registry, "nqosd")
    return HttpServer(options, metrics.registry, health, state)
