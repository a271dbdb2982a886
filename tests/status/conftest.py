"""A namespace with the daemon's rights, a client of the daemon's user, and a running writer."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AbstractAsyncContextManager

import pytest

from nqosd.kube.client import KubeClient
from nqosd.kube.credentials import KubeOptions
from tests.services.kubernetes import DAEMON, ApiServer
from tests.status.cluster import CRD, LISTING, Cluster, new_namespace

Running = Callable[[Callable[[], Awaitable[None]]], AbstractAsyncContextManager[None]]


@pytest.fixture(scope="session")
def crd_server(api_server: ApiServer) -> ApiServer:
    """Give the shared server with our CRD, whose objects the daemon's user may list in the whole cluster."""
    api_server.apply_crds(CRD)
    api_server.apply(LISTING)
    return api_server


@pytest.fixture
def cluster(crd_server: ApiServer, namespace: str) -> Cluster:
    """Give a namespace in which the daemon's user has its rights."""
    found = Cluster(crd_server, namespace)
    found.grant()
    return found


@pytest.fixture
def other_cluster(crd_server: ApiServer) -> Iterator[Cluster]:
    """Give a namespace in which the daemon's user has no rights."""
    found = new_namespace(crd_server)
    yield found
    crd_server.delete_namespace(found.namespace)


@pytest.fixture
async def client(crd_server: ApiServer) -> AsyncIterator[KubeClient]:
    """Give a client of the daemon's user."""
    async with KubeClient(KubeOptions(kubeconfig=str(crd_server.kubeconfig(DAEMON)))) as found:
        yield found


@pytest.fixture
def running() -> Running:
    """Give a context manager that runs a coroutine function beside the test and sees that it didn't fail."""

    @contextlib.asynccontextmanager
    async def run(forever: Callable[[], Awaitable[None]]) -> AsyncIterator[None]:
        task = asyncio.ensure_future(forever())
        try:
            yield
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    return run
