"""aiohttp without the authorities of the system: none is read as it is imported; without a context, none is trusted.

Each test has a process of its own, since a module is imported once.
"""

import asyncio
import ssl
import subprocess
import sys
from pathlib import Path

from tests.services.tls import Authority

IMPORTED = """
import ssl

def refuse(*_):
    raise AssertionError("authorities of the system are read")

ssl.SSLContext.set_default_verify_paths = refuse
import nqosd.commands.run
"""
ASKING = """
import asyncio, ssl, sys
from nqosd.runtime.http_library import aiohttp

async def ask(**context):
    async with aiohttp.ClientSession() as session:
        try:
            await session.get(sys.argv[1], **context)
        except aiohttp.ClientError as error:
            print(type(error).__name__)

asyncio.run(ask())
asyncio.run(ask(ssl=ssl.create_default_context()))
"""


def test_no_authority_is_read_as_the_daemon_is_imported() -> None:
    """It would take a fifth of what the imports take."""
    subprocess.run([sys.executable, "-c", IMPORTED], check=True)


async def test_only_a_context_of_its_own_trusts_the_system(tmp_path: Path) -> None:
    """To a server whose authority the system trusts, a request without a context of its own makes no connection."""
    files = Authority(tmp_path).issue("server")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(files.certificate, files.key)
    async with await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0, ssl=context) as server:
        url = f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        line, surroundings = [sys.executable, "-c", ASKING, url], {"SSL_CERT_FILE": str(files.authority)}
        process = await asyncio.create_subprocess_exec(*line, env=surroundings, stdout=subprocess.PIPE)
        said, _ = await process.communicate()
    assert said.decode().split() == ["ClientConnectorCertificateError", "ServerDisconnectedError"]
