"""A plain connection to a database, for those who need no IDL: one question, or one table to follow.

In: a remote, and the files of TLS. Out: a stream. Rule: databases are reached by address, so the certificate's name
isn't looked at; that it is signed by the authority is what counts, as everywhere in OVN.
"""

import asyncio
import ssl

from nqosd.ovsdb.connection_options import TlsFiles
from nqosd.ovsdb.remotes import Remote, socket_path


async def dial(remote: Remote, tls: TlsFiles | None) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Connect.

    Raises:
        OSError: nobody answers there, or the files of TLS are missing or can't be used.
    """
    if remote.host is None:
        return await asyncio.open_unix_connection(socket_path(remote))
    context = None
    if remote.scheme == "ssl":
        if tls is None:
            raise OSError("northbound.private_key, certificate and ca_certificate must be set")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.load_verify_locations(tls.ca_certificate)
        context.load_cert_chain(tls.certificate, tls.private_key)
    return await asyncio.open_connection(remote.host, remote.port, ssl=context)
