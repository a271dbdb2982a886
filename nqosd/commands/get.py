"""`nqosd get`: what the running daemon knows and does, asked over its HTTP port.

In: a configuration, from which the port, the token and the certificate are taken. Out: a table or JSON; exit code 0, or
1 if no daemon answers. Rule: the daemon on this machine is asked, and if it speaks TLS it must show exactly the
certificate that the configuration names.
"""

import argparse
import http.client
import json
import ssl
import time
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import quote

from nqosd.commands.compiled_text import table
from nqosd.commands.configuration import configuration
from nqosd.commands.exits import OK, CommandError, UsageError
from nqosd.commands.get_tables import Entry, columns, detail, keys, zone_of
from nqosd.commands.matches import LEAST, cut, width
from nqosd.commands.output import complain, say, show
from nqosd.config.options import HttpSection
from nqosd.explain.prefix_lists import folded
from nqosd.informers.manifests.parsing import DEFAULT_NAMESPACE
from nqosd.runtime.small_files import read_small
from nqosd.runtime.system_errors import in_words

TIMEOUT = 30.0
"""Seconds to wait for the answer."""
INTERVAL = 2.0
"""Seconds between two looks with `--watch`."""
ANYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - where a daemon listens everywhere, it is asked here


class GetError(CommandError):
    """The daemon can't be asked; the message names the address and says why."""


def run(options: argparse.Namespace) -> int:
    """Run the command."""
    section, options.home = configuration(options).http, DEFAULT_NAMESPACE
    return follow(lambda what: fetch(section, what), options)


def follow(get: Callable[[str], Any], options: argparse.Namespace) -> int:
    """Print what `get` gives for a path below /state, once or again and again."""
    if options.namespace and options.what == "selections":
        raise UsageError("-n: a selection belongs to no namespace, it may hold pods of several")
    if options.what == "policy":
        tell_policy(get(f"policy/{quote(one_policy(options))}"), options)
        return OK
    shown: list[Entry] | None = None
    problem = ""
    while True:
        try:
            found, now = _chosen(get(options.what), options), ""
        except CommandError as error:
            if shown is None:
                raise
            found, now = shown, str(error)  # a daemon that is started again is waited for
        if now and now != problem:
            complain(now)
        new = found if shown is None else [each for each in found if each not in shown]
        if new or shown is None:
            _print(new, options, is_first=shown is None)
        if not options.watch:
            return OK
        shown, problem = found, now
        time.sleep(INTERVAL)


def one_policy(options: argparse.Namespace) -> str:
    """Give the key of the policy that is asked for.

    Raises:
        UsageError: it isn't one.
    """
    if len(options.names) != 1 or options.watch:
        raise UsageError("policy: name one, as NAMESPACE/NAME or with -n, and without --watch")
    namespace, slash, name = options.names[0].rpartition("/")
    if not name or "/" in namespace or (slash and (not namespace or options.namespace not in (None, namespace))):
        raise UsageError(f"policy {options.names[0]}: write NAME or NAMESPACE/NAME, and no other namespace with -n")
    return f"{namespace or options.namespace or options.home}/{name}"


def tell_policy(found: Entry | list[Entry], options: argparse.Namespace) -> None:
    """Print all about a policy, in each zone where there are several."""
    if options.format == "json":
        show(found)
        return
    for each in found if isinstance(found, list) else [found]:
        for title, (header, cells), entries in detail(each):
            if entries:
                say(f"{zone_of(each)}{title}:")
                shown = _rows(entries, options) if title == "rows" else entries
                lines = [f"  {line}" for line in table(header, map(cells, shown)).splitlines()]
                room = _room(lines[0], options) if title == "rows" else None
                for line in lines:
                    say(cut(line, room))


def _chosen(found: list[Entry], options: argparse.Namespace) -> list[Entry]:
    """Give the entries that were asked for.

    Raises:
        GetError: there is none of a name; who watches may wait for it.
    """
    known = [(each, keys(options.what, each)) for each in found]
    if options.namespace:
        known = [(each, names) for each, names in known if names[0].startswith(f"{options.namespace}/")]
    if not options.names:
        return [each for each, _names in known]
    asked = {name: [each for each, names in known if _is_one(name, names)] for name in options.names}
    missing = [name for name, those in asked.items() if not those]
    if missing and not options.watch:
        raise GetError(f"{options.what}: there is nothing of the name {', '.join(missing)}")
    return [each for each, _names in known if any(each in those for those in asked.values())]


def _is_one(name: str, keys: Iterable[str]) -> bool:
    return any(name in (key, key.partition("/")[2]) for key in keys)


def _print(found: list[Entry], options: argparse.Namespace, *, is_first: bool) -> None:
    if options.format == "json":
        show(found, one_line=options.watch)
        return
    header, cells = columns(options.what, with_zone=getattr(options, "with_zone", False))
    if options.what == "rows":
        found = _rows(found, options)
    lines = table(header, map(cells, found)).splitlines()
    room = _room(lines[0], options) if options.what == "rows" else None
    for line in lines if is_first else lines[1:]:
        say(cut(line, room))


def _room(header: str, options: argparse.Namespace) -> int | None:
    """Give how long a line with a match may be: on a narrow terminal the match alone is cut, and lines are broken."""
    room = width(options)
    return None if room is None else max(room, header.index("MATCH") + LEAST)


def _rows(rows: list[Entry], options: argparse.Namespace) -> list[Entry]:
    """Give rows as they are shown: a list of prefixes as its block and the exceptions."""
    return rows if options.wide else [each | {"match": folded(each["match"])} for each in rows]


def fetch(section: HttpSection, what: str) -> Any:  # noqa: ANN401 - what its path has
    """Get a list from the daemon, or all about one policy.

    Raises:
        GetError: no daemon answers, or it refuses.
    """
    status, body = ask_daemon(section, f"/state/{what}", TIMEOUT)
    if status != http.client.OK:
        said = body.decode(errors="replace").strip().removeprefix(f"{status}: ")  # as aiohttp begins
        raise GetError(f"{section.listen}: {status} {said}")
    return json.loads(body)


def ask_daemon(section: HttpSection, path: str, seconds: float) -> tuple[int, bytes]:
    """Give the status and the body of what a path of the daemon's port has.

    Raises:
        GetError: no daemon answers.
    """
    if section.address is None:
        raise GetError("http.listen is empty: the daemon serves nothing; set it to 127.0.0.1:17476, for example")
    host, port = section.address
    headers = {"Authorization": b"Bearer " + _token(section)} if section.bearer_token_file else {}
    connection = _connection(section, ANYWHERE.get(host, host), port, seconds)
    try:
        connection.request("GET", path, headers=headers)
        answer = connection.getresponse()
        return answer.status, answer.read()
    except (OSError, ValueError, http.client.HTTPException) as error:
        raise GetError(
            f"{section.listen}: no daemon answers there: {in_words(error)}; does it run with http.listen? "
            "What was last reported, and when, shows `kubectl get networkqos -A -o wide`"
        ) from error
    finally:
        connection.close()


def _connection(section: HttpSection, host: str, port: int, seconds: float) -> http.client.HTTPConnection:
    if not section.certificate:
        return http.client.HTTPConnection(host, port, timeout=seconds)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False  # the daemon is asked by address; its certificate itself is what counts
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    try:
        context.load_verify_locations(section.certificate)
    except OSError as error:
        raise GetError(f"http.certificate: {section.certificate}: {in_words(error)}") from error
    return http.client.HTTPSConnection(host, port, timeout=seconds, context=context)


def _token(section: HttpSection) -> bytes:
    try:
        return read_small(section.bearer_token_file).strip()
    except OSError as error:
        raise GetError(f"http.bearer_token_file: {section.bearer_token_file}: {error.strerror}") from error
