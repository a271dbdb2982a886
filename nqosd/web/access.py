"""Who may read what the HTTP port serves.

In: a request. Out: yes, or the answer that refuses it. Rules: with a token file, a request must carry the token, read
anew each time, in `Authorization` or, since the API server's proxy keeps that header to itself, in `X-Nqosd-Token`;
without one, metrics are for everybody who reaches the port, and the state (names, addresses) is for
this machine alone, under one of its own addresses, so that a web page that a browser here has loaded can't read it
under a name of its own.
"""

import asyncio
import base64
import binascii
import hmac
from ipaddress import ip_address

import structlog

from nqosd.runtime.small_files import read_small
from nqosd.web.server_library import web

_log = structlog.get_logger()

TOKEN = "X-Nqosd-Token"  # noqa: S105 - the header's name
UNAUTHORIZED = 401
FORBIDDEN = 403


class Access:
    """The rule for one server; an empty `token_file` means none."""

    def __init__(self, token_file: str) -> None:
        self._token_file = token_file

    async def refuse_metrics(self, request: web.Request) -> web.Response | None:
        """Give the answer that refuses metrics to a request; None if it may have them."""
        if not self._token_file or await self._has_token(request, basic=False):
            return None
        return _unauthorized("Bearer")

    async def refuse_state(self, request: web.Request, *, browser: bool = False) -> web.Response | None:
        """Give the answer that refuses the state; a browser may give the token as the password of any user."""
        if self._token_file:
            allowed = await self._has_token(request, basic=browser)
            return None if allowed else _unauthorized('Basic realm="nqosd", charset="UTF-8"' if browser else "Bearer")
        if _is_local(request):
            return None
        text = "the state is for this machine alone; set http.bearer_token_file to read it from elsewhere\n"
        return web.Response(status=FORBIDDEN, text=text)

    async def _has_token(self, request: web.Request, *, basic: bool) -> bool:
        try:
            token = await asyncio.to_thread(read_small, self._token_file)
        except OSError as error:
            _log.error("a request is refused, the token can't be read", file=self._token_file, error=error.strerror)
            return False
        scheme, _, text = request.headers.get("Authorization", "").partition(" ")
        if TOKEN in request.headers:
            scheme, text = "Bearer", request.headers[TOKEN]
        given = text.strip().encode(errors="surrogateescape")  # the bytes as they came
        if basic and scheme.lower() == "basic":
            given = _password(given)
        elif scheme.lower() != "bearer":
            return False
        known = token.strip()
        return bool(known) and hmac.compare_digest(given, known)


def _unauthorized(challenge: str) -> web.Response:
    text = "the token is missing or wrong\n"
    return web.Response(status=UNAUTHORIZED, headers={"WWW-Authenticate": challenge}, text=text)


def _password(credentials: bytes) -> bytes:
    """Take the password out of the credentials of HTTP's scheme Basic; empty if they aren't of that form."""
    try:
        return base64.b64decode(credentials, validate=True).partition(b":")[2]
    except binascii.Error:
        return b""


def _is_local(request: web.Request) -> bool:
    try:
        host = request.url.host or ""
    except ValueError:  # the header Host is no address
        return False
    return _is_loopback(request.remote or "") and (host == "localhost" or _is_loopback(host))


def _is_loopback(text: str) -> bool:
    try:
        address = ip_address(text)
    except ValueError:
        return False
    return (getattr(address, "ipv4_mapped", None) or address).is_loopback
