"""Reads the small files that an operator names: a configuration, a token.

In: a path. Out: bytes. Rule: whatever the path leads to (a FIFO, a device, a disk image), reading it neither waits for
somebody to write nor takes much memory.
"""

import errno
import os
import stat
from pathlib import Path

MOST = 1 << 20
"""Bytes."""


def read_small(path: str | Path) -> bytes:
    """Read a file.

    Raises:
        OSError: it can't be read, is not a regular file, or is larger than MOST; `strerror` says so.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(errno.EINVAL, "is not a regular file", str(path))
        content = os.read(descriptor, MOST + 1)
    finally:
        os.close(descriptor)
    if len(content) > MOST:
        raise OSError(errno.EFBIG, f"is larger than {MOST} bytes", str(path))
    return content
