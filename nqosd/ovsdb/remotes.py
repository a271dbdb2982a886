"""Where a database listens: `unix:PATH`, `tcp:HOST:PORT`, `ssl:HOST:PORT`, or `auto:NAME`, a socket to be looked for.

In: text of the configuration. Out: values, and the form that python-ovs takes, which knows addresses but no host names.
The rule: names are looked up without blocking the event loop, and again for each new connection. The daemon keeps the
socket that it has found, so that it never changes from one database to another.
"""

import asyncio
import ipaddress
import socket
from collections.abc import Iterable

import attrs

NORTHBOUND_SOCKET, SOUTHBOUND_SOCKET = "ovnnb_db.sock", "ovnsb_db.sock"
FOLDERS = ("/var/run/ovn", "/run/ovn", "/var/run/openvswitch", "/var/run/ovn-ic")
"""Where OVN's packages, the charts of ovn-kubernetes (seen from the host) and OpenShift put the sockets."""

_FORMS = "unix:/path, tcp:HOST:PORT or ssl:HOST:PORT"
_HIGHEST_PORT = 65535
_AUTO = "auto"


def _valid(_instance: object, _field: object, value: str) -> None:
    scheme, _, rest = value.partition(":")
    if (scheme == "unix" and rest.startswith("/")) or (scheme == _AUTO and rest and "/" not in rest):
        return
    host, _, port = rest.rpartition(":")
    if scheme in {"tcp", "ssl"} and host.strip("[]") and port.isdecimal() and 0 < int(port) <= _HIGHEST_PORT:
        return
    raise ValueError(f"remote {value!r} is not of the form {_FORMS}")


@attrs.frozen
class Remote:
    """One remote; `str()` gives its text."""

    text: str = attrs.field(validator=_valid)

    def __str__(self) -> str:
        return self.text

    @property
    def scheme(self) -> str:
        """`unix`, `tcp`, `ssl` or `auto`."""
        return self.text.partition(":")[0]

    @property
    def host(self) -> str | None:
        """The host or address, without brackets; None for a unix socket."""
        return None if self.scheme in {"unix", _AUTO} else self.text.partition(":")[2].rpartition(":")[0].strip("[]")

    @property
    def port(self) -> int | None:
        """The TCP port; None for a unix socket."""
        return None if self.scheme in {"unix", _AUTO} else int(self.text.rpartition(":")[2])

    @property
    def needs_lookup(self) -> bool:
        """Whether the host is a name rather than an address."""
        if self.host is None:
            return False
        try:
            ipaddress.ip_address(self.host)
        except ValueError:
            return True
        return False


def remotes(texts: Iterable[str], socket_name: str) -> tuple[Remote, ...]:
    """Give the remotes that the configuration names; `auto` is a socket of this name."""
    return tuple(Remote(f"{_AUTO}:{socket_name}" if text == _AUTO else text) for text in texts)


def places(remote: Remote) -> tuple[str, ...]:
    """Give the path of a socket, or all those at which it is looked for."""
    scheme, _, rest = remote.text.partition(":")
    return tuple(f"{folder}/{rest}" for folder in FOLDERS) if scheme == _AUTO else (rest,)


def socket_path(remote: Remote) -> str:
    """Give the path of a socket, which is looked for if it isn't given.

    Raises:
        OSError: it is at none of the usual places; names them, and why it isn't each.
    """
    paths = places(remote)
    if remote.scheme != _AUTO:
        return paths[0]
    refusals = []
    for path in paths:
        with socket.socket(socket.AF_UNIX) as probe:
            probe.settimeout(0)
            try:
                probe.connect(path)
            except BlockingIOError:
                return path  # it has more callers than it can take at once
            except OSError as error:
                refusals.append(f"{path}: {error.strerror}")
            else:
                return path
    raise OSError(f"no server at any of the usual places ({'; '.join(refusals)}); name its socket or address")


async def resolve(remotes: Iterable[Remote]) -> list[str]:
    """Return every address of every remote as `tcp:ADDRESS:PORT`, in the order given, without repetition.

    Raises:
        OSError: none of them has an address, carries the last failure; or a socket to be looked for isn't there.
    """
    found: dict[str, None] = {}
    failure: OSError | None = None
    for remote in remotes:
        if remote.host is None:
            found[f"unix:{socket_path(remote)}"] = None
            continue
        try:
            for address in await _addresses(remote.host):
                found[f"{remote.scheme}:{address}:{remote.port}"] = None
        except OSError as error:
            failure = OSError(f"{remote}: the host {remote.host!r} has no address ({error})")
    if failure is not None and not found:
        raise failure
    return list(found)


async def _addresses(host: str) -> list[str]:
    loop = asyncio.get_running_loop()
    answers = await loop.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    addresses = [str(answer[4][0]) for answer in answers]
    return [f"[{address}]" if ":" in address else address for address in addresses]
