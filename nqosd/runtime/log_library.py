"""structlog, imported without the libraries with which it shows tracebacks in colour.

structlog imports them where they are installed, though nqosd's tracebacks are plain text: a tenth of the time until
`nqosd run` asks the API server for something. Out: the library. Rule: whoever configures the log imports this before
anything else imports structlog.
"""

import sys

_LIBRARIES = ("rich", "better_exceptions", "colorama")
_absent = [name for name in _LIBRARIES if name not in sys.modules]
sys.modules.update(dict.fromkeys(_absent))  # type: ignore[arg-type] # None is what makes an import fail
try:
    import structlog
finally:
    for name in _absent:
        del sys.modules[name]

__all__ = ["structlog"]
