"""What each part of the daemon takes from the configuration.

In: a `Config`. Out: the options of one part. Rule: no part reads the configuration itself, so each can be used and
tested without it.
"""

import platform
from pathlib import Path

from nqosd.config import Config
from nqosd.informers.kube_credentials import KubeOptions
from nqosd.informers.steps import ReflectorOptions
from nqosd.northbound.options import Options, TlsFiles
from nqosd.northbound.remotes import Remote
from nqosd.rounds import RoundOptions
from nqosd.statistics.endpoints import EndpointOptions
from nqosd.statistics.exporter import StatsOptions
from nqosd.telemetry.http import HttpOptions


def round_options(config: Config) -> RoundOptions:
    """Give the options of the rounds."""
    section = config.daemon
    return RoundOptions(
        instance=section.instance,
        zone=section.zone,
        any_network=section.unselected_networks == "all",
        batch_window=section.batch_window,
        check_compile=section.check_compile,
    )


def northbound_options(config: Config) -> Options:
    """Give the options of the Northbound database."""
    section = config.northbound
    tls = None
    if section.private_key:
        tls = TlsFiles(Path(section.private_key), Path(section.certificate), Path(section.ca_certificate))
    return Options(
        remotes=tuple(Remote(each) for each in section.remotes),
        owner=config.daemon.instance,
        lock=section.lock,
        tls=tls,
        probe_interval=section.probe_interval,
        transaction_timeout=section.transaction_timeout,
        detach_after=section.detach_after,
        audit_interval=section.audit_interval,
    )


def stats_options(config: Config) -> StatsOptions:
    """Give the options of the exporter of statistics; it protects its port as [http] says."""
    section, http = config.stats, config.http
    host, port = section.address
    northbound = northbound_options(config)
    return StatsOptions(
        northbound=northbound.remotes,
        southbound=tuple(Remote(each) for each in section.southbound),
        openflow=section.openflow,
        owner=config.daemon.instance,
        node=section.node or platform.node(),
        interval=section.interval,
        http=HttpOptions(host, port, http.certificate, http.private_key, http.bearer_token_file),
        tls=northbound.tls,
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


def kube_options(config: Config) -> KubeOptions:
    """Give the way to the API server."""
    section = config.kubernetes
    return KubeOptions(kubeconfig=section.kubeconfig or None, context=section.context or None)


def reflector_options(config: Config) -> ReflectorOptions:
    """Give the options of the informers of an API server."""
    section = config.kubernetes
    return ReflectorOptions(page_size=section.page_size, absence=section.crd_retry)
