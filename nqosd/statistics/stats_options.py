"""What `nqosd stats`, `nqosd top` and the status page take from the configuration.

In: a `Config`. Out: options. Rule: nothing is imported here that only the daemon needs: the client of Kubernetes alone
would double the memory of an exporter.
"""

import platform
from pathlib import Path

from nqosd.config import Config
from nqosd.ovsdb.connection_options import TlsFiles
from nqosd.ovsdb.remotes import NORTHBOUND_SOCKET, SOUTHBOUND_SOCKET, remotes
from nqosd.statistics.chassis import StatsOptions
from nqosd.statistics.endpoints import EndpointOptions
from nqosd.web.server import HttpOptions


def tls_files(config: Config) -> TlsFiles | None:
    """Give the files for `ssl:` remotes, if there are any."""
    section = config.northbound
    if not section.private_key:
        return None
    return TlsFiles(Path(section.private_key), Path(section.certificate), Path(section.ca_certificate))


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


def endpoint_options(config: Config) -> EndpointOptions:
    """Give the exporters to read: those that are listed, or else the one on this machine."""
    section, http = config.stats, config.http
    scheme = "https" if http.certificate else "http"
    return EndpointOptions(
        urls=section.endpoints or (f"{scheme}://{section.listen}",),
        token_file=http.bearer_token_file,
        authority=section.ca_certificate,
    )
