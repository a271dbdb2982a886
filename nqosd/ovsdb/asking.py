"""A few requests to a database over one connection that ends with the answers, for those who follow nothing.

In: a remote, and calls of JSON-RPC. Out: their answers, in order. Rule: the calls are sent at once, and whatever they
left behind at the server (a lock, say) goes with the connection. Who asks sets the time limit.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple, cast

from nqosd.ovsdb.connection_options import TlsFiles
from nqosd.ovsdb.dialling import dial
from nqosd.ovsdb.framing import Framer, decode, encode
from nqosd.ovsdb.remotes import Remote

_CHUNK = 1 << 16

Answer = Mapping[str, object]
"""A message with `result` and `error`."""


class Call(NamedTuple):
    """A request of RFC 7047."""

    method: str
    params: Sequence[object]


async def ask(remote: Remote, tls: TlsFiles | None, calls: Sequence[Call]) -> list[Answer]:
    """Give the answers to some calls.

    Raises:
        OSError: nobody answers there, or the connection was closed before all had been answered.
        FramingError: what came isn't OVSDB.
    """
    reader, writer = await dial(remote, tls)
    answers: dict[object, Answer] = {}
    try:
        for number, call in enumerate(calls):
            writer.write(encode({"id": number, "method": call.method, "params": call.params}))
        framer = Framer()
        while chunk := await reader.read(_CHUNK):
            for message in framer.feed(chunk):
                found = cast("Answer", decode(message))
                if found.get("method") == "echo":
                    writer.write(encode({"id": found.get("id"), "result": found.get("params"), "error": None}))
                elif found.get("id") in range(len(calls)):
                    answers[found["id"]] = found
            if len(answers) == len(calls):
                return [answers[number] for number in range(len(calls))]
        raise OSError("closed without an answer")
    finally:
        writer.close()
