"""An HTTP server with the parts of a daemon behind it that knows all objects and hasn't begun to work."""

from nqosd.northbound.northbound import Northbound
from nqosd.northbound.ovsdb.options import Options
from nqosd.rounds import RoundOptions, Rounds
from nqosd.state import DaemonState
from nqosd.telemetry.health import Health
from nqosd.telemetry.http import HttpOptions, HttpServer
from nqosd.telemetry.metrics import Metrics
from nqosd.telling import Tellers


def make_server(options: HttpOptions) -> HttpServer:
    """Give a server that isn't started."""
    metrics, health, northbound = Metrics(), Health(), Northbound(Options())
    rounds = Rounds(RoundOptions(), northbound, metrics.rounds, health, Tellers())
    rounds.inbox.unsynced.clear()
    state = DaemonState(rounds, northbound, health, metrics.registry, "nqosd")
    return HttpServer(options, metrics.registry, health, state)
