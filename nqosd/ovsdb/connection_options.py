"""What the northbound layer must be told. The daemon fills it from its configuration.

Rule: names, units and defaults are those of the section `[northbound]` of the configuration file.
"""

from collections.abc import Iterable
from pathlib import Path

import attrs
import msgspec

from nqosd.ovsdb.remotes import NORTHBOUND_SOCKET, Remote

DEFAULT_REMOTE = Remote(f"auto:{NORTHBOUND_SOCKET}")


class TlsFiles(msgspec.Struct, frozen=True):
    """PEM files for `ssl:` remotes; they are read anew for each connection, so rotated ones need no restart."""

    private_key: Path
    certificate: Path
    ca_certificate: Path


def _some(_instance: object, _field: object, value: tuple[Remote, ...]) -> None:
    if not value:
        raise ValueError(f"remotes is empty: name at least one database, such as unix:/run/ovn/{NORTHBOUND_SOCKET}")


def _in_order(remotes: Iterable[Remote]) -> tuple[Remote, ...]:
    return tuple(remotes)


@attrs.frozen
class Options:
    """Settings of one Northbound database. Durations are in seconds."""

    remotes: tuple[Remote, ...] = attrs.field(default=(DEFAULT_REMOTE,), converter=_in_order, validator=_some)
    """The database, or all members of its cluster: only the leader of a cluster is ever used."""
    owner: str = "nqosd"
    """The value of external_ids:nqosd.io/owner; rows of any other owner are never touched."""
    lock: str = "nqosd"
    """The OVSDB lock whose holder writes."""
    tls: TlsFiles | None = None
    probe_interval: float = attrs.field(default=4.0, validator=attrs.validators.ge(1.0))
    """Silence after which the server is asked for a sign of life, on unix sockets too; silence for as long again ends
    the connection."""
    transaction_timeout: float = attrs.field(default=30.0, validator=attrs.validators.gt(0.0))
    """A transaction without an answer for so long is given up, and the connection with it."""
    detach_after: float = attrs.field(default=300.0, validator=attrs.validators.ge(0.0))
    """How long a row that no pod uses any more may wait for a structural change to ride along with."""
    audit_interval: float = attrs.field(default=600.0, validator=attrs.validators.gt(0.0))
    """How long until everything is compared again, whatever was reported."""

    def __attrs_post_init__(self) -> None:
        for remote in self.remotes:
            if remote.scheme == "ssl" and self.tls is None:
                raise ValueError(f"remote {remote} needs a private key, a certificate and a CA certificate")
