"""Whether a database of OVN can be reached, and what it says of itself, for `nqosd doctor`.

In: a remote, the database that should be there. Out: results, and `Reached` where it answered. Rule: a refusal of the
system is told with whose the socket is and who asks, since that is what has to change.
"""

import errno
import grp
import os
import pwd
import ssl
import stat
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import cast

import msgspec

from nqosd.commands.doctor_results import CheckResult, failed, ok, within
from nqosd.ovsdb.connection_options import TlsFiles
from nqosd.ovsdb.framing import FramingError
from nqosd.ovsdb.plain_client import Call, ask
from nqosd.ovsdb.remotes import Remote, places, socket_path
from nqosd.runtime.system_errors import in_words

_DENIED, _REFUSED = os.strerror(errno.EACCES), os.strerror(errno.ECONNREFUSED)
HINT = "; name its socket or address"
"""How an error of `socket_path` ends, which stands in the way out here."""
HANGS = "look at its log and whether it hangs, and restart it; if there is a relay or firewall before it, look there"


class WantedDatabase(msgspec.Struct, frozen=True):
    """What should be there, and the option that says where."""

    name: str
    option: str
    tls: TlsFiles | None = None


class Reached(msgspec.Struct, frozen=True):
    """A server that answered: its remote (never "auto"), its schema, and what `_Server` has of the database."""

    remote: Remote
    schema: Mapping[str, object]
    state: Mapping[str, object]

    @property
    def role(self) -> str:
        """What the server is among its likes, in a word: standalone, relay, leader, follower or cut off."""
        match self.state.get("model"), self.state.get("connected"), self.state.get("leader"):
            case "clustered", False, _:
                return "cut off from its cluster"
            case "clustered", _, is_leader:
                return "leader" if is_leader else "follower"
            case model, _, _:
                return str(model or "standalone")


async def reach(remote: Remote, database: WantedDatabase, seconds: float) -> tuple[list[CheckResult], Reached | None]:
    """Connect and ask for the schema."""
    found = await within(seconds, "socket", _shown(remote), _reach(remote, database), HANGS)
    return ([found], None) if isinstance(found, CheckResult) else found


async def _reach(remote: Remote, database: WantedDatabase) -> tuple[list[CheckResult], Reached | None]:
    try:
        found = Remote(f"unix:{socket_path(remote)}") if remote.host is None else remote
        reached, databases = await _ask(found, database)
    except FramingError as error:
        way_out = f"name an OVSDB server in {database.option}"
        return [failed("socket", str(remote), f"it speaks something else than OVSDB: {error}", way_out)], None
    except OSError as error:
        return [failed("socket", _shown(remote), _words(remote, error), _way_out(remote, error, database))], None
    results = [ok("socket", str(reached.remote), _access(reached.remote))]
    if not reached.schema:
        return [*results, _stranger(reached.remote, database, databases)], None
    return results, reached


async def _ask(remote: Remote, database: WantedDatabase) -> tuple[Reached, list[str]]:
    select = {
        "op": "select",
        "table": "Database",
        "where": [["name", "==", database.name]],
        "columns": ["model", "connected", "leader"],
    }
    calls = [Call("get_schema", [database.name]), Call("transact", ["_Server", select]), Call("list_dbs", [])]
    schema, server, databases = [each.get("result") for each in await ask(remote, database.tls, calls)]
    answers = cast("list[Mapping[str, list[Mapping[str, object]]]]", server or [{}])
    state = next(iter(answers[0].get("rows", [])), {})
    return Reached(remote, cast("Mapping[str, object]", schema or {}), state), cast("list[str]", databases or [])


def _stranger(remote: Remote, database: WantedDatabase, databases: list[str]) -> CheckResult:
    has = ", ".join(sorted(set(databases) - {"_Server"})) or "none"
    return failed(
        "schema",
        str(remote),
        f"the server has no database {database.name} (it has: {has})",
        f"name the server of {database.name} in {database.option}; one that joins its cluster has it a little later",
    )


def _shown(remote: Remote) -> str:
    return '"auto"' if remote.scheme == "auto" else str(remote)


def _words(remote: Remote, error: OSError) -> str:
    words = in_words(error).removesuffix(HINT)
    if _is_folder(remote):
        return f"{words}: it is a folder, not a socket"
    return words if remote.host is not None else with_owners(words, places(remote))


def _is_folder(remote: Remote) -> bool:
    return remote.scheme == "unix" and Path(*places(remote)).is_dir()


def with_owners(words: str, paths: Iterable[str]) -> str:
    """Say what the system said, and where it denies access, who is denied what."""
    if _DENIED not in words:
        return words
    return "; ".join([words, *filter(None, map(_guard, map(Path, paths))), f"this is {_user(os.geteuid())}"])


def _way_out(remote: Remote, error: OSError, database: WantedDatabase) -> str:
    words = str(error)
    if isinstance(error, ssl.SSLError):
        return (
            "northbound.certificate and private_key must be of the authority that the database trusts, and "
            "northbound.ca_certificate must be that of the database's own"
        )
    if remote.host is not None:
        return f"start the server, let it listen there, and look for a firewall; {database.option} names the address"
    if _is_folder(remote):
        return "in a pod, mount the folder of the socket: where the socket itself isn't there, a mount of it makes this"
    if _DENIED in words:
        return (
            "give this user the socket by its group, or a socket of its own (at the top of nqosd.service); where OVN "
            "runs in containers, nqosd-containers.conf is the drop-in for that"
        )
    if _REFUSED in words:
        return "start ovsdb-server, which listens there no more; in a pod, mount the folder and not the socket"
    return f"start ovsdb-server, or name its socket or address in {database.option}; in a pod, mount its folder"


def _access(remote: Remote) -> str:
    return "answers" if remote.host is not None else f"answers; {_owner(Path(remote.text.partition(':')[2]))}"


def _guard(path: Path) -> str:
    """Find what keeps this process from a path: the first folder that it may not search, or the socket."""
    for each in [*reversed(path.parents), path]:
        mode = os.X_OK if each != path else os.R_OK | os.W_OK
        if not os.access(each, mode, effective_ids=True):
            return f"{each} {_owner(each)}" if os.path.lexists(each) else ""
    return ""


def _owner(path: Path) -> str:
    try:
        found = path.stat()
    except OSError as error:
        return str(error.strerror)
    try:
        group = grp.getgrgid(found.st_gid).gr_name
    except KeyError:
        group = str(found.st_gid)
    return f"is of {_user(found.st_uid)}:{group}, mode {stat.S_IMODE(found.st_mode):04o}"


def _user(number: int) -> str:
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return str(number)
