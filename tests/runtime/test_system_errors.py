"""Errors of the system in words."""

import errno
import socket
import ssl

import pytest

from nqosd.runtime.system_errors import in_words


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (OSError(errno.ECONNREFUSED, "Connect call failed ('127.0.0.1', 9)"), "Connection refused"),
        (FileNotFoundError(errno.ENOENT, "No such file or directory", "/x"), "No such file or directory"),
        (socket.gaierror(socket.EAI_NONAME, "Name or service not known"), "Name or service not known"),
        (OSError("Several: [Errno 111] ::1, [Errno 111] 127.0.0.1"), "Several: ::1, 127.0.0.1"),
        (ssl.SSLError(1, "[SSL: WRONG_VERSION_NUMBER] wrong version"), "[SSL: WRONG_VERSION_NUMBER] wrong version"),
        (TimeoutError(), "TimeoutError"),
        (ValueError("no port"), "no port"),
    ],
)
def test_words(error: Exception, said: str) -> None:
    """The system's words are given without number, path and address; others keep their own."""
    assert in_words(error) == said
