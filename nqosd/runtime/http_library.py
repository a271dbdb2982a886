"""aiohttp, imported without reading all certificate authorities of the system.

As aiohttp is imported, it makes a TLS context that trusts all of them, for requests that come without one: a tenth of
the time that the imports of `nqosd run` take. Each request of nqosd comes with a context of its own. Out: the library.
Rule: whoever uses aiohttp imports this first, and a request without a context of its own trusts nobody.
"""

import ssl


def _trusting_nobody() -> ssl.SSLContext:
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


_make = ssl.create_default_context
ssl.create_default_context = _trusting_nobody  # type: ignore[assignment]
try:
    import aiohttp
finally:
    ssl.create_default_context = _make

__all__ = ["aiohttp"]
