"""Checks of one option's value, beyond its type.

In: a value of the right type. Out: what is wrong with it, as the end of a sentence that begins with the value, or
None. Rule: a check looks at nothing but the value, so the same file is right or wrong on every machine.
"""

import re
from collections.abc import Callable
from typing import TypeAlias, TypeVar

import msgspec

T = TypeVar("T")
Check: TypeAlias = Callable[[T], str | None]

_OWNER = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?")
_ZONE = re.compile(r"[!-~]{1,253}")
_LOCK = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_NAMESPACE = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
_HOST_AND_PORT = re.compile(r"(?P<host>\[[0-9A-Fa-f:.%]+\]|[^\s:\[\]/]+):(?P<port>[0-9]{1,5})")
_HIGHEST_PORT = 65535


class Between(msgspec.Struct, frozen=True):
    """A number within bounds, both included; `unit` is what is counted."""

    low: float
    high: float
    unit: str

    def __call__(self, value: float) -> str | None:
        """Check a number."""
        if self.low <= value <= self.high:
            return None
        return f"is not between {self.low:g} and {self.high:g} {self.unit}"


def owner(value: str) -> str | None:
    """An owner id stands in external_ids and in logs: 1 to 63 letters, digits, `-`, `_` and `.`."""
    if _OWNER.fullmatch(value):
        return None
    return "is not 1 to 63 letters, digits, '-', '_' or '.' that begin and end with a letter or digit"


def zone(value: str) -> str | None:
    """A zone is a node's name or what NB_Global.name says; empty asks the database."""
    return None if not value or _ZONE.fullmatch(value) else "is not a zone: at most 253 printable characters, no spaces"


def namespace(value: str) -> str | None:
    """A namespace of Kubernetes; empty is the daemon's own."""
    return (
        None if not value or _NAMESPACE.fullmatch(value) else "is not a namespace: lower-case letters, digits and '-'"
    )


def lock(value: str) -> str | None:
    """The name of an OVSDB lock is an <id> of RFC 7047, section 3.1."""
    return None if _LOCK.fullmatch(value) else "is not a lock name: letters, digits and '_', not beginning with a digit"


def host_and_port(value: str) -> tuple[str, int] | None:
    """Take `host:port` or `[IPv6 address]:port` apart, the brackets removed; None if it is neither."""
    found = _HOST_AND_PORT.fullmatch(value)
    if not found or int(found["port"]) > _HIGHEST_PORT:
        return None
    return found["host"].strip("[]"), int(found["port"])


def listen(value: str) -> str | None:
    """An address to listen on; empty turns the server off."""
    if not value or host_and_port(value):
        return None
    return "is not an address to listen on; write host:port or [IPv6 address]:port"


def listening(value: str) -> str | None:
    """An address to listen on, of a server that can't be turned off."""
    return listen(value) if value else "is empty: a server without an address serves nothing; write host:port"


def _url(value: str) -> bool:
    found = re.fullmatch(r"https?://([^/?#@]+)/?", value)
    address = None if found is None else host_and_port(found[1])
    return address is not None and address[1] > 0


def urls(value: tuple[str, ...]) -> str | None:
    """Addresses of HTTP servers, without a path."""
    wrong = [each for each in value if not _url(each)]
    return f"has {wrong[0]!r}, which is not http://host:port or https://host:port" if wrong else None


def _remote(value: str) -> bool:
    scheme, _, rest = value.partition(":")
    if scheme == "unix":
        return rest.startswith("/")
    if scheme in ("tcp", "ssl"):
        address = host_and_port(rest)
        return address is not None and address[1] > 0
    return False


def remotes(value: tuple[str, ...]) -> str | None:
    """OVSDB remotes, as ovn-nbctl's `--db` takes them."""
    if not value:
        return 'is empty; name at least one database, such as unix:/run/ovn/ovnnb_db.sock, or write "auto"'
    if value == ("auto",):
        return None
    wrong = [each for each in value if not _remote(each)]
    if wrong:
        return f"has {wrong[0]!r}, which is not unix:/absolute/path, tcp:host:port or ssl:host:port"
    return None


def paths(value: tuple[str, ...]) -> str | None:
    """Paths of files or folders."""
    return "has an empty path" if "" in value else None
