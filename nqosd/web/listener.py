"""Opens what the HTTP port needs: its sockets, and its certificate.

In: options. Out: listening sockets, a TLS context. Rule: whatever is in the way is an OSError whose message names the
option, what it says and what to do.
"""

import asyncio
import os
import socket
import ssl
from collections.abc import Sequence

import msgspec

from nqosd.runtime.system_errors import in_words


class HttpOptions(msgspec.Struct, frozen=True):
    """Where to listen and how to protect it; empty paths mean no TLS, and no token (see `access`).

    `option` is the name of the option with the address, for messages.
    """

    host: str = "127.0.0.1"
    port: int = 0
    certificate: str = ""
    private_key: str = ""
    bearer_token_file: str = ""
    option: str = "http.listen"


async def bind(options: HttpOptions) -> list[socket.socket]:
    """Open the sockets of all addresses that the host has; `::` is every address of both families.

    Raises:
        OSError: one can't be opened; the message names the option.
    """
    opened: list[socket.socket] = []
    try:
        if options.host == "::":
            opened.append(_every_address(options.port))
            return opened
        found = await asyncio.get_running_loop().getaddrinfo(
            options.host, options.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
        for family, _type, _protocol, _name, address in dict.fromkeys(found):
            opened.append(socket.create_server(address, family=family, backlog=128))
            opened[-1].setblocking(False)  # noqa: FBT003 - the library's own signature
    except (OSError, UnicodeError) as error:  # a name can be none by the rules of IDNA
        close_all(opened)
        raise OSError(
            f"{options.option}: {options.host}:{options.port}: {in_words(error)}; choose another one"
        ) from error
    return opened


def _every_address(port: int) -> socket.socket:
    """Listen on both families, whatever the kernel's own default is: probes come over either one."""
    if socket.has_dualstack_ipv6():
        opened = socket.create_server(("::", port), family=socket.AF_INET6, backlog=128, dualstack_ipv6=True)
    else:
        opened = socket.create_server(("", port), backlog=128)
    opened.setblocking(False)  # noqa: FBT003 - the library's own signature
    return opened


def close_all(listeners: Sequence[socket.socket]) -> None:
    """Give the sockets up."""
    for each in listeners:
        each.close()


def tls_context(options: HttpOptions) -> ssl.SSLContext:
    """Read the certificate and its key.

    Raises:
        OSError: one can't be read, or they don't belong together; the message names the options.
    """
    for option, path in (("http.certificate", options.certificate), ("http.private_key", options.private_key)):
        if not os.path.isfile(path):  # noqa: PTH113 - it says no where `Path.is_file` raises; and a FIFO would hang
            raise OSError(f"{option}: {path} is not a file that can be read; put it there")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(options.certificate, options.private_key, password=lambda: "")
    except (OSError, ValueError) as error:
        raise OSError(
            f"http.certificate, http.private_key: {options.certificate}, {options.private_key}: {in_words(error)}; "
            "they must be a pair of PEM files, the key without a passphrase"
        ) from error
    return context
