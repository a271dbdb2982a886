"""The parts of kubernetes-asyncio that nqosd uses, imported without the rest of it.

Its packages import all their modules, also the generated models and calls of every kind of Kubernetes: 36 to 54 MiB,
and more than half of the time that the imports of `nqosd run` take. Nothing here uses one of them. Out: the classes and
names that the other modules of this package need. Rule: nobody else imports kubernetes_asyncio. Where a version of it
is laid out otherwise, all of it is imported, and an error is logged.
"""

import importlib
import importlib.util
import sys
from types import ModuleType

import structlog

from nqosd.runtime import http_library  # noqa: F401 - the client library imports aiohttp

_ROOT = "kubernetes_asyncio"
_EMPTY = (_ROOT, f"{_ROOT}.client", f"{_ROOT}.client.models")
"""Packages whose modules can be imported, but whose own `__init__`, which would import all of them, isn't run."""


class _Later(ModuleType):
    """Stands in for a module that is only imported when something of it is used."""

    def __getattr__(self, name: str) -> object:
        return getattr(importlib.import_module(self.__name__), name)


def _import_parts() -> None:
    for name in _EMPTY:
        spec = importlib.util.find_spec(name)
        if spec is None:
            raise ModuleNotFoundError(f"no module {name}", name=name)
        sys.modules[name] = importlib.util.module_from_spec(spec)
    client = sys.modules[f"{_ROOT}.client"]
    if "urllib3" not in sys.modules:  # of use only to who logs in by password, which no API server takes any more
        sys.modules["urllib3"] = _Later("urllib3")
        try:
            importlib.import_module(f"{_ROOT}.client.configuration")
        finally:
            del sys.modules["urllib3"]
    for module, name in (("configuration", "Configuration"), ("api_client", "ApiClient")):
        setattr(client, name, getattr(importlib.import_module(f"{_ROOT}.client.{module}"), name))
    importlib.import_module(f"{_ROOT}.config.kube_config")


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
