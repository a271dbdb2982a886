"""What whoever reads exporters, or a database over TLS, takes from the configuration.

In: a `Config`. Out: options. Rule: nothing is imported here that only the daemon needs: the client of Kubernetes alone
would double the memory of an exporter.
"""

from pathlib import Path

from nqosd.config import Config
from nqosd.ovsdb.connection_options import TlsFiles
from nqosd.statistics.endpoints import EndpointOptions


def tls_files(config: Config) -> TlsFiles | None:
    """Give the files for `ssl:` remotes, if there are any."""
    section = config.northbound
    if not section.private_key:
        return None
    return TlsFiles(Path(section.private_key), Path(section.certificate), Path(section.ca_certificate))


def endpoint_options(config: Config) -> EndpointOptions:
    """Give the exporters to read: those that are listed, or else the one on this machine."""
    section, http = config.stats, config.http
    scheme = "https" if http.certificate else "http"
    return EndpointOptions(
        urls=section.endpoints or (f"{scheme}://{section.listen}",),
        token_file=http.bearer_token_file,
        authority=section.ca_certificate,
    )
