"""The parts of kubernetes-asyncio that nqosd uses, imported without the rest of it.

Its packages import all their modules, also the generated models and calls of every kind of Kubernetes: 36 to 54 MiB,
and more than half of the time that the imports of `nqosd run` take. Nothing here uses one of them. Out: the classes and
names that the other modules of this package need. Rule: nobody else imports kubernetes_asyncio. Where a version of it
is laid out otherwise, all of it is imported, and an error is logged.
"""

import contextlib
import importlib
import importlib.util
import sys
from collections.abc import Iterable, Iterator
from types import ModuleType

import structlog

from nqosd.runtime import http_library  # noqa: F401 - the client library imports aiohttp

_ROOT = "kubernetes_asyncio"
_EMPTY = (_ROOT, f"{_ROOT}.client", f"{_ROOT}.client.models")
"""Packages whose modules can be imported, but whose own `__init__`, which would import all of them, isn't run."""


_UNUSED = {"dateutil.parser": "parse", "multiprocessing.pool": "ThreadPool"}
"""What the library imports for dates in objects and for calls in threads, of which there are none here."""


class _Later(ModuleType):
    """Stands in for a module that is only imported when something of it is used."""

    def __getattr__(self, name: str) -> object:
        return getattr(importlib.import_module(self.__name__), name)


def _called_later(module: str, name: str) -> ModuleType:
    """Give what stands in for a module of which only one function is taken: its first call imports the module."""

    def call(*given: object, **named: object) -> object:
        return getattr(importlib.import_module(module), name)(*given, **named)

    stand_in = ModuleType(module)
    setattr(stand_in, name, call)
    return stand_in


def _import_parts() -> None:
    for name in _EMPTY:
        spec = importlib.util.find_spec(name)
        if spec is None:
            raise ModuleNotFoundError(f"no module {name}", name=name)
        sys.modules[name] = importlib.util.module_from_spec(spec)
    client = sys.modules[f"{_ROOT}.client"]
    # urllib3 is of use only to who logs in by password, which no API server takes any more
    with _standing_in([_Later("urllib3"), *(_called_later(*each) for each in _UNUSED.items())]):
        for module, name in (("configuration", "Configuration"), ("api_client", "ApiClient")):
            setattr(client, name, getattr(importlib.import_module(f"{_ROOT}.client.{module}"), name))
    importlib.import_module(f"{_ROOT}.config.kube_config")


@contextlib.contextmanager
def _standing_in(modules: Iterable[ModuleType]) -> Iterator[None]:
    """Put modules in the place of others that haven't been imported yet, for what is imported meanwhile."""
    put = {each.__name__: each for each in modules if each.__name__ not in sys.modules}
    sys.modules.update(put)
    try:
        yield
    finally:
        for name in put:
            del sys.modules[name]


def _import() -> None:
    if _ROOT in sys.modules:
        return
    try:
        _import_parts()
    except (ImportError, AttributeError) as error:
        for name in [each for each in sys.modules if each.partition(".")[0] == _ROOT]:
            del sys.modules[name]
        structlog.get_logger().error(
            "kubernetes-asyncio isn't laid out as nqosd knows it: all of it is imported, which takes memory and time; "
            "install the version that nqosd's package names",
            error=str(error),
        )


_import()

from kubernetes_asyncio.client import ApiClient, Configuration
from kubernetes_asyncio.config import ConfigException
from kubernetes_asyncio.config.incluster_config import (
    SERVICE_CERT_FILENAME,
    SERVICE_HOST_ENV_NAME,
    SERVICE_TOKEN_FILENAME,
    InClusterConfigLoader,
)
from kubernetes_asyncio.config.kube_config import (
    KUBE_CONFIG_DEFAULT_LOCATION,
    KubeConfigLoader,
    KubeConfigMerger,
)

__all__ = [
    "KUBE_CONFIG_DEFAULT_LOCATION",
    "SERVICE_CERT_FILENAME",
    "SERVICE_HOST_ENV_NAME",
    "SERVICE_TOKEN_FILENAME",
    "ApiClient",
    "ConfigException",
    "Configuration",
    "InClusterConfigLoader",
    "KubeConfigLoader",
    "KubeConfigMerger",
]
