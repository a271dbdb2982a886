"""Where a database listens: `unix:PATH`, `tcp:HOST:PORT`, `ssl:HOST:PORT`.

In: text of the configuration. Out: values, and the form that python-ovs takes, which knows addresses but no host names.
The rule: names are looked up without blocking the event loop, and again for each new connection.
"""

import asyncio
import ipaddress
import socket
from collections.abc import Iterable

import attrs

_FORMS = "unix:/path, tcp:HOST:PORT or ssl:HOST:PORT"
_HIGHEST_PORT = 65535


def _valid(_instance: object, _field: object, value: str) -> None:
    scheme, _, rest = value.partition(":")
    if scheme == "unix" and rest.startswith("/"):
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
        """`unix`, `tcp` or `ssl`."""
        return self.text.partition(":")[0]

    @property
    def host(self) -> str | None:
        """The host or address, without brackets; None for a unix socket."""
        return None if self.scheme == "unix" else self.text.partition(":")[2].rpartition(":")[0].strip("[]")

    @property
    def port(self) -> int | None:
        """The TCP port; None for a unix socket."""
        return None if self.scheme == "unix" else int(self.text.rpartition(":")[2])

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


async def resolve(remotes: Iterable[Remote]) -> list[str]:
    """Return every address of every remote as `tcp:ADDRESS:PORT`, in the order given, without repetition.

    Raises:
        OSError: none of them has an address; carries the last failure.
    """
    found: dict[str, None] = {}
    failure: OSError | None = None
    for remote in remotes:
        if remote.host is None:
            found[remote.text] = None
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
