"""`nqosd get`: what the running daemon knows and does, asked over its HTTP port.

In: a configuration, from which the port, the token and the certificate are taken. Out: a table or JSON; exit code 0, or
1 if no daemon answers. Rule: the daemon on this machine is asked, and if it speaks TLS it must show exactly the
certificate that the configuration names.
"""

import argparse
import http.client
import json
import ssl
from typing import Any

from nqosd.commands.compiled_text import table
from nqosd.commands.configuration import configuration
from nqosd.commands.exits import OK, CommandError
from nqosd.commands.get_tables import TABLES
from nqosd.commands.output import say, show
from nqosd.config.options import HttpSection
from nqosd.runtime.small_files import read_small

TIMEOUT = 30.0
"""Seconds to wait for the answer."""
ANYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - where a daemon listens everywhere, it is asked here


class GetError(CommandError):
    """The daemon can't be asked; the message names the address and says why."""


def run(options: argparse.Namespace) -> int:
    """Run the command."""
    found = fetch(configuration(options).http, options.what)
    if options.format == "json":
        show(found)
    else:
        header, cells = TABLES[options.what]
        say(table(header, map(cells, found)))
    return OK


def fetch(section: HttpSection, what: str) -> list[dict[str, Any]]:
    """Get a list from the daemon.

    Raises:
        GetError: no daemon answers, or it refuses.
    """
    if section.address is None:
        raise GetError("http.listen is empty: the daemon serves nothing; set it to 127.0.0.1:17476, for example")
    host, port = section.address
    headers = {"Authorization": b"Bearer " + _token(section)} if section.bearer_token_file else {}
    connection = _connection(section, ANYWHERE.get(host, host), port)
    try:
        connection.request("GET", f"/state/{what}", headers=headers)
        answer = connection.getresponse()
        body = answer.read()
    except (OSError, ValueError, http.client.HTTPException) as error:
        raise GetError(f"{section.listen}: no daemon answers there: {error}; does it run with http.listen?") from error
    finally:
        connection.close()
    if answer.status != http.client.OK:
        raise GetError(f"{section.listen}: {answer.status} {body.decode(errors='replace').strip()}")
    found: list[dict[str, Any]] = json.loads(body)
    return found


def _connection(section: HttpSection, host: str, port: int) -> http.client.HTTPConnection:
    if not section.certificate:
        return http.client.HTTPConnection(host, port, timeout=TIMEOUT)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False  # the daemon is asked by address; its certificate itself is what counts
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    try:
        context.load_verify_locations(section.certificate)
    except OSError as error:
        raise GetError(f"http.certificate: {section.certificate}: {error}") from error
    return http.client.HTTPSConnection(host, port, timeout=TIMEOUT, context=context)


def _token(section: HttpSection) -> bytes:
    try:
        return read_small(section.bearer_token_file).strip()
    except OSError as error:
        raise GetError(f"http.bearer_token_file: {section.bearer_token_file}: {error.strerror}") from error
