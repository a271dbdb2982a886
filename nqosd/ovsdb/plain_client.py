"""A plain client, for those who need no IDL: a few requests, or one table to follow.

In: a remote, the files of TLS, calls of JSON-RPC. Out: what the server says, or the answers in order. Rules: databases
are reached by address, so the certificate's name isn't looked at; that it is signed by the authority is what counts, as
everywhere in OVN. Whatever was left behind at the server (a lock, say) goes with the connection. Who asks sets the time
limit.
"""

import asyncio
import contextlib
import ssl
from collections.abc import Mapping, Sequence
from typing import NamedTuple, Self, cast

from nqosd.ovsdb.connection_options import TlsFiles
from nqosd.ovsdb.framing import Framer, decode, encode
from nqosd.ovsdb.remotes import Remote, socket_path

_CHUNK = 1 << 16

Answer = Mapping[str, object]
"""A message, such as one with `result` and `error`."""


class Call(NamedTuple):
    """A request of RFC 7047."""

    method: str
    params: Sequence[object]


class PlainClient:
    """One connection. The server's own `echo` is answered, and isn't given to anybody."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._framer = Framer()

    @classmethod
    async def connect(cls, remote: Remote, tls: TlsFiles | None) -> Self:
        """Connect.

        Raises:
            OSError: nobody answers there, or the files of TLS are missing or can't be used.
        """
        if remote.host is None:
            return cls(*await asyncio.open_unix_connection(socket_path(remote)))
        context = None
        if remote.scheme == "ssl":
            if tls is None:
                raise OSError("northbound.private_key, certificate and ca_certificate must be set")
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.check_hostname = False
            context.load_verify_locations(tls.ca_certificate)
            context.load_cert_chain(tls.certificate, tls.private_key)
        return cls(*await asyncio.open_connection(remote.host, remote.port, ssl=context))

    def send(self, identifier: object, call: Call) -> None:
        """Send a request."""
        self._writer.write(encode({"id": identifier, "method": call.method, "params": call.params}))

    async def receive(self) -> list[Answer]:
        """Wait for bytes; give the messages that became whole, if any.

        Raises:
            OSError: the connection was closed.
            FramingError: what came isn't OVSDB.
        """
        chunk = await self._reader.read(_CHUNK)
        if not chunk:
            raise ConnectionError("the server closed the connection")
        messages = [cast("Answer", decode(message)) for message in self._framer.feed(chunk)]
        for message in messages:
            if message.get("method") == "echo":
                self._writer.write(encode({"id": message.get("id"), "result": message.get("params"), "error": None}))
        return [message for message in messages if message.get("method") != "echo"]

    def close(self) -> None:
        """End the connection."""
        self._writer.close()

    async def closed(self) -> None:
        """Wait until it has ended."""
        with contextlib.suppress(OSError):
            await self._writer.wait_closed()


async def ask(remote: Remote, tls: TlsFiles | None, calls: Sequence[Call]) -> list[Answer]:
    """Give the answers to some calls, which are sent at once.

    Raises:
        OSError: nobody answers there, or the connection was closed before all had been answered.
        FramingError: what came isn't OVSDB.
    """
    client = await PlainClient.connect(remote, tls)
    answers: dict[object, Answer] = {}
    try:
        for number, call in enumerate(calls):
            client.send(number, call)
        while len(answers) < len(calls):
            answers |= {each["id"]: each for each in await client.receive() if each.get("id") in range(len(calls))}
    finally:
        client.close()
    return [answers[number] for number in range(len(calls))]
