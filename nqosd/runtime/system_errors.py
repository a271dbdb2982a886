"""What went wrong with a connection or a file, as a person reads it.

In: an exception. Out: the system's words, such as `Connection refused`. Rule: the error's number is never among them,
nor the address or path unless several failed: whoever says it names what it was about.
"""

import os
import re
import ssl

_NUMBER = re.compile(r"\[Errno -?\d+\] ")


def in_words(error: BaseException) -> str:
    """Say what an error means."""
    if not isinstance(error, OSError) or isinstance(error, ssl.SSLError) or not error.errno:
        return _NUMBER.sub("", str(error)) or type(error).__name__
    return os.strerror(error.errno) if error.errno > 0 else str(error.strerror)  # below 0 are those of names
