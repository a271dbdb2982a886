"""What each part of the daemon takes from the configuration.

In: a `Config`. Out: the options of one part. Rule: no part reads the configuration itself, so each can be used and
tested without it.
"""

from pathlib import Path

from nqosd.config import Config
from nqosd.daemon.rounds import RoundOptions
from nqosd.informers.reflector_steps import ReflectorOptions
from nqosd.kube.credentials import KubeOptions
from nqosd.ovsdb.connection_options import Options
from nqosd.ovsdb.remotes import NORTHBOUND_SOCKET, remotes
from nqosd.statistics.stats_options import tls_files

POD_NAMESPACE = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")
"""Where a pod finds the namespace that it is in."""
OUTSIDE = "kube-system"
"""The namespace for the reports of daemons that run in no pod."""


def report_namespace(config: Config) -> str:
    """Give the namespace of the Leases in which zones report."""
    if config.status.namespace:
        return config.status.namespace
    try:
        return POD_NAMESPACE.read_text().strip() or OUTSIDE
    except OSError:
        return OUTSIDE


def round_options(config: Config) -> RoundOptions:
    """Give the options of the rounds."""
    section = config.daemon
    return RoundOptions(
        instance=section.instance,
        lock=config.northbound.lock,
        zone=section.zone,
        any_network=section.unselected_networks == "all",
        batch_window=section.batch_window,
        yield_after=config.northbound.yield_after,
        check_compile=section.check_compile,
        limits=config.limits,
    )


def northbound_options(config: Config) -> Options:
    """Give the options of the Northbound database."""
    section = config.northbound
    return Options(
        remotes=remotes(section.remotes, NORTHBOUND_SOCKET),
        owner=config.daemon.instance,
        lock=section.lock,
        tls=tls_files(config),
        probe_interval=section.probe_interval,
        transaction_timeout=section.transaction_timeout,
        detach_after=section.detach_after,
        audit_interval=section.audit_interval,
    )


def kube_options(config: Config) -> KubeOptions:
    """Give the way to the API server."""
    section = config.kubernetes
    return KubeOptions(kubeconfig=section.kubeconfig or None, context=section.context or None)


def reflector_options(config: Config) -> ReflectorOptions:
    """Give the options of the informers of an API server."""
    section = config.kubernetes
    return ReflectorOptions(
        page_size=section.page_size,
        absence=section.crd_retry,
        watch_time=section.watch_time,
        list_interval=section.list_interval,
    )
