"""aiohttp's server, which only who serves something imports.

Out: the parts of it that the server needs. Rule: see `nqosd.runtime.http_library`.
"""

from nqosd.runtime import http_library  # noqa: F401 - it must be imported first

from aiohttp import web  # isort: skip
from aiohttp.http import HttpProcessingError  # isort: skip

__all__ = ["HttpProcessingError", "web"]
