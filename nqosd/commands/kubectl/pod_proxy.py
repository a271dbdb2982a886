"""A cluster as a kubeconfig shows it: its API server, and through that one the pods of nqosd.

In: the plugin's arguments. Out: pods, and what they answer. Rule: only pods of the namespace that the arguments name
are asked, and only those that run, since a token goes along.
"""

import argparse
import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from http import HTTPStatus
from typing import TypeVar

import msgspec

from nqosd.api.decoding.envelopes import decode_list
from nqosd.api.decoding.metadata import DecodeError
from nqosd.commands.exits import CommandError
from nqosd.informers.answers import read_refusal
from nqosd.kube.client import KubeClient, KubeConnectionError
from nqosd.kube.credentials import KubeConfigError, KubeOptions
from nqosd.runtime.small_files import read_small
from nqosd.web.access import TOKEN

LABEL = "app.kubernetes.io/name=nqosd"
SECRET = "nqosd-http"  # noqa: S105 - a name
REFUSALS = ("401", "403")
AT_ONCE = 30
"""Requests that are under way at a time."""

T = TypeVar("T")
U = TypeVar("U")


class ClusterError(CommandError):
    """The API server, or a pod, gives no answer; the message says why."""


class _Named(msgspec.Struct):
    name: str


class _Port(msgspec.Struct, rename="camel"):
    container_port: int
    name: str = ""


class _Get(msgspec.Struct):
    scheme: str = "HTTP"


class _Probe(msgspec.Struct, rename="camel"):
    http_get: _Get = msgspec.field(default_factory=_Get)


class _Container(msgspec.Struct, rename="camel"):
    ports: list[_Port] = []
    liveness_probe: _Probe = msgspec.field(default_factory=_Probe)


class _Spec(msgspec.Struct, rename="camel"):
    node_name: str = ""
    containers: list[_Container] = []


class _Status(msgspec.Struct):
    phase: str = ""


class _Pod(msgspec.Struct):
    metadata: _Named
    spec: _Spec
    status: _Status


class _Secret(msgspec.Struct):
    data: dict[str, bytes] = {}


class DaemonPod(msgspec.Struct, frozen=True):
    """A pod of nqosd; `ports` are how the proxy is to be asked for a port of that name, as in `https:NAME:17476`."""

    name: str
    node: str
    phase: str
    ports: dict[str, str]

    def __str__(self) -> str:
        return f"pod {self.name} on node {self.node}" if self.node else f"pod {self.name}"


class Cluster(msgspec.Struct):
    """One cluster; `daemons` is the namespace in which nqosd runs."""

    client: KubeClient
    daemons: str
    _token_file: str | None = None
    _token: str = ""
    _no_token: str = ""

    async def get(self, path: str, query: dict[str, str] | None = None) -> bytes:
        """Ask the API server.

        Raises:
            ClusterError: it gives no answer, or refuses.
        """
        return await self._answer(path, query or {}, {})

    async def namespace(self) -> str:
        """Say which namespace the kubeconfig's context is for.

        Raises:
            ClusterError: there are no credentials.
        """
        try:
            return await self.client.namespace()
        except KubeConfigError as error:
            raise ClusterError(error) from error

    async def pods(self) -> list[DaemonPod]:
        """Give the pods of nqosd.

        Raises:
            ClusterError: they can't be listed, or there are none.
        """
        where = f"{LABEL} in namespace {self.daemons}"
        try:
            body = await self.get(f"/api/v1/namespaces/{self.daemons}/pods", {"labelSelector": LABEL})
            found = [_read(msgspec.json.decode(each, type=_Pod)) for each in decode_list(body, "v1", "Pod").items]
        except (ClusterError, DecodeError, msgspec.ValidationError) as error:
            raise ClusterError(f"pods {where} can't be listed: {error}") from error
        if not found:
            raise ClusterError(f"there is no pod {where}; --daemons names another namespace")
        await self._read_token()
        return sorted(found, key=lambda each: (each.node, each.name))

    async def ask(self, pod: DaemonPod, port: str, path: str) -> bytes:
        """Ask a pod through the API server's proxy.

        Raises:
            ClusterError: it gives no answer, or refuses.
        """
        if pod.phase != "Running":
            raise ClusterError(f"{pod}: its phase is {pod.phase or 'unknown'}")
        if port not in pod.ports:
            raise ClusterError(f"{pod}: it has no port {port}")
        where = f"/api/v1/namespaces/{self.daemons}/pods/{pod.ports[port]}/proxy{path}"
        try:
            return await self._answer(where, {}, {TOKEN: self._token} if self._token else {})
        except ClusterError as error:
            raise ClusterError(f"{pod}: {error}{self._no_token if str(error)[:3] in REFUSALS else ''}") from error

    async def _answer(self, path: str, query: dict[str, str], headers: dict[str, str]) -> bytes:
        try:
            answer = await self.client.request("GET", path, query=query, headers=headers)
        except (KubeConnectionError, KubeConfigError) as error:
            raise ClusterError(str(error)) from error
        if answer.status != HTTPStatus.OK:
            raise ClusterError(read_refusal(answer.status, answer.body)[1])
        return answer.body

    async def _read_token(self) -> None:
        """Read the token: from the file that was named, else from the Secret, if it may be read."""
        try:
            if self._token_file:
                token = read_small(self._token_file)
            else:
                body = await self.get(f"/api/v1/namespaces/{self.daemons}/secrets/{SECRET}")
                token = msgspec.json.decode(body, type=_Secret).data.get("token", b"")
            self._token = token.decode("ascii").strip()
        except OSError as error:
            raise ClusterError(f"--token-file {self._token_file}: {error.strerror}") from error
        except UnicodeDecodeError as error:
            where = f"--token-file {self._token_file}" if self._token_file else f"Secret {SECRET}"
            raise ClusterError(f"{where}: a token is ASCII, and this has other bytes") from error
        except (ClusterError, ValueError) as error:
            self._no_token = f" (there is no token: {error})"


@contextlib.asynccontextmanager
async def cluster(options: argparse.Namespace) -> AsyncIterator[Cluster]:
    """Connect to the cluster that the arguments name."""
    kube = KubeOptions(kubeconfig=options.kubeconfig, kubeconfig_is="--kubeconfig", context=options.context)
    async with KubeClient(kube) as client:
        yield Cluster(client, options.daemons, options.token_file)


async def each(ask: Callable[[T], Awaitable[U]], ones: Iterable[T]) -> tuple[list[tuple[T, U]], list[str]]:
    """Ask about several things, many at a time; gives the answers, and why there was none for others."""
    turns = asyncio.Semaphore(AT_ONCE)

    async def answer(one: T) -> tuple[T, U] | str:
        async with turns:
            try:
                return one, await ask(one)
            except ClusterError as error:
                return str(error)

    found = await asyncio.gather(*map(answer, ones))
    return [one for one in found if isinstance(one, tuple)], [one for one in found if isinstance(one, str)]


def _read(pod: _Pod) -> DaemonPod:
    ports = {}
    for container in pod.spec.containers:
        scheme = "https:" if container.liveness_probe.http_get.scheme == "HTTPS" else ""
        for port in container.ports:
            ports[port.name] = f"{scheme}{pod.metadata.name}:{port.container_port}"
    return DaemonPod(pod.metadata.name, pod.spec.node_name, pod.status.phase, ports)
