"""aiohttp, imported without reading all certificate authorities of the system.

As aiohttp is imported, it makes two TLS contexts with all of them, one for requests that come without a context and one
for requests that trust everybody: a fifth of what the imports of `nqosd run` take. Each request of nqosd comes with a
context of its own. Out: the library. Rule: whoever uses aiohttp imports this first, and a request without a context of
its own trusts nobody.
"""

import ssl


def _read_nothing(_context: ssl.SSLContext) -> None:
    """Stand in for what reads the authorities."""


_read = ssl.SSLContext.set_default_verify_paths
ssl.SSLContext.set_default_verify_paths = _read_nothing  # type: ignore[assignment, method-assign]
try:
    import aiohttp
finally:
    ssl.SSLContext.set_default_verify_paths = _read  # type: ignore[method-assign]

__all__ = ["aiohttp"]
