"""What stands in the place of a file for TLS to the database."""

import errno
import os
from pathlib import Path

from nqosd.ovsdb.connection_options import TlsFiles
from nqosd.ovsdb.tls import TlsStream


def test_a_fifo_in_place_of_a_certificate_is_named(tmp_path: Path) -> None:
    """A connection isn't opened, nobody waits for somebody to write to it, and the failure has its name."""
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    TlsStream.use(TlsFiles(fifo, fifo, fifo))
    assert TlsStream._open("127.0.0.1:1", 0) == (errno.EPROTO, None)
    assert "is not a regular file" in TlsStream.failure
    assert str(fifo) in TlsStream.failure
