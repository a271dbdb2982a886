"""What the exporter of statistics takes from the configuration.

In: a `Config`. Out: options. Rule: as in `nqosd.statistics.stats_options`.
"""

import platform

from nqosd.config import Config
from nqosd.ovsdb.remotes import NORTHBOUND_SOCKET, SOUTHBOUND_SOCKET, remotes
from nqosd.statistics.chassis import StatsOptions
from nqosd.statistics.stats_options import tls_files
from nqosd.web.listener import HttpOptions


def stats_options(config: Config) -> StatsOptions:
    """Give the options of the exporter of statistics; it protects its port as [http] says."""
    section, http = config.stats, config.http
    host, port = section.address
    return StatsOptions(
        northbound=remotes(config.northbound.remotes, NORTHBOUND_SOCKET),
        southbound=remotes(section.southbound, SOUTHBOUND_SOCKET),
        openflow=section.openflow,
        controller=section.controller,
        owner=config.daemon.instance,
        node=section.node or platform.node(),
        interval=section.interval,
        http=HttpOptions(host, port, http.certificate, http.private_key, http.bearer_token_file, "stats.listen"),
        tls=tls_files(config),
    )
