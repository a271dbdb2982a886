"""The client library's client with one TLS context, shared by many requests, and what its failures are called here.

Rule: a session that has been replaced is closed when the last request on it has ended, never under one.
"""

import contextlib
from collections.abc import AsyncIterator, Iterator
from typing import Any

from nqosd import __version__
from nqosd.kube.credentials import Credentials, KubeConfigError
from nqosd.kube.library import ApiClient
from nqosd.runtime.http_library import aiohttp
from nqosd.runtime.system_errors import in_words


class KubeConnectionError(Exception):
    """No answer, or only a part of one. `silent`: the connection stands, but nothing came in time."""

    def __init__(self, message: str, *, silent: bool = False) -> None:
        super().__init__(message)
        self.silent = silent


class _Direct:
    """An HTTP client that follows no redirection: a pod behind the API server's proxy could send headers elsewhere."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self._session = session

    async def request(self, method: str, **arguments: Any) -> aiohttp.ClientResponse:  # noqa: ANN401 - as the library
        """Send a request, as the client library does."""
        return await self._session.request(method, allow_redirects=False, **arguments)

    @property
    def closed(self) -> bool:
        """Whether its connections are closed."""
        return self._session.closed

    async def close(self) -> None:
        """Close all connections."""
        await self._session.close()


class Session:
    """A client and its users; `endpoint` is what its connections are made from."""

    def __init__(self, credentials: Credentials) -> None:
        self.endpoint = credentials.endpoint()
        try:
            self.api = ApiClient(credentials.configuration)
        except OSError as error:  # ssl.SSLError is one
            raise KubeConfigError(
                f"certificates for {credentials.configuration.host} can't be used: {in_words(error)}: "
                "check the CA, the client certificate and its key"
            ) from error
        self.api.rest_client.pool_manager = _Direct(self.api.rest_client.pool_manager)  # type: ignore[assignment]
        self.api.user_agent = f"nqosd/{__version__}"
        self._users = 0
        self._retired = False

    @contextlib.asynccontextmanager
    async def borrowed(self) -> AsyncIterator[ApiClient]:
        """Use the client."""
        self._users += 1
        try:
            yield self.api
        finally:
            self._users -= 1
            if self._retired and not self._users:
                await self.api.close()

    async def retire(self) -> None:
        """Close the client as soon as nobody uses it."""
        self._retired = True
        if not self._users:
            await self.api.close()


@contextlib.contextmanager
def translated() -> Iterator[None]:
    """Raise KubeConnectionError for whatever the transport raises."""
    try:
        yield
    except aiohttp.ConnectionTimeoutError as error:
        raise KubeConnectionError("no connection in time") from error
    except TimeoutError as error:  # aiohttp.SocketTimeoutError is one
        raise KubeConnectionError("no answer in time", silent=True) from error
    except aiohttp.ClientConnectorError as error:  # its own text names the TLS context by its address in memory
        why = in_words(error.os_error) if str(error.os_error) else "closed while it was being set up"
        raise KubeConnectionError(f"no connection to {error.host}:{error.port}: {why}") from error
    except aiohttp.ClientPayloadError as error:
        raise KubeConnectionError("the answer broke off") from error
    except (aiohttp.ClientError, OSError, ValueError) as error:
        raise KubeConnectionError(f"{type(error).__name__}: {in_words(error)}") from error
