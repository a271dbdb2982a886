"""Where the API server is and how to authenticate: from options to the client library's configuration.

In: `KubeOptions` (a kubeconfig, the pod that this runs in, or an explicit address). Out: `Credentials`: the library's
`Configuration`, and how long it may be trusted. Rule: this only reads; whether and when to read again is the business
of `kube_client`. No error carries a token or a key.
"""

import datetime as dt
import hashlib
import logging
import math
import os
import pathlib
import re

import msgspec
import yaml

from nqosd.kube.library import (
    KUBE_CONFIG_DEFAULT_LOCATION,
    SERVICE_CERT_FILENAME,
    SERVICE_HOST_ENV_NAME,
    SERVICE_TOKEN_FILENAME,
    ConfigException,
    Configuration,
    InClusterConfigLoader,
    KubeConfigLoader,
    KubeConfigMerger,
)
from nqosd.runtime.http_library import aiohttp
from nqosd.runtime.small_files import read_small

FILES_MAX_AGE = 60.0
"""Seconds after which files are read again: kubelet replaces a token long before it expires."""
FILES_MIN_AGE = 1.0
"""Seconds before which files are not read again, even if the server refuses what they said."""
PLUGIN_MIN_AGE = 30.0
"""The same for a plugin, which may ask a person or a remote service."""
PLUGIN_HASTE = 60.0
"""Seconds before the end of a plugin's credentials at which it is run again."""

DEFAULT_NAMESPACE = "default"
LONGEST = 500
"""Characters of a plugin's own words that an error shows."""

logging.getLogger("kubernetes_asyncio.config").setLevel(logging.CRITICAL)  # it raises what it logs


class KubeConfigError(Exception):
    """The credentials can't be read; the message names the file and what to do."""


class KubeOptions(msgspec.Struct, frozen=True):
    """How to reach the API server; the first that is given counts: `server`, `in_cluster`, `kubeconfig`, surroundings.

    The surroundings are $KUBECONFIG, else `~/.kube/config` if it exists, else the pod that this process runs in.
    """

    kubeconfig: str | None = None
    """A file, or several joined by `:` as in $KUBECONFIG."""
    kubeconfig_is: str = "kubernetes.kubeconfig"
    """What people name it by."""
    context: str | None = None
    """A context of the kubeconfig; None is its current one."""
    in_cluster: bool = False
    """Use the service account of the pod that this runs in."""
    server: str | None = None
    """An address, `https://host:port`, with the files below."""
    ca_file: str | None = None
    token_file: str | None = None
    cert_file: str | None = None
    key_file: str | None = None
    exec_timeout: float = 30.0
    """Seconds that a credential plugin of the kubeconfig may take; then it and its children are killed."""
    connect_timeout: float = 5.0
    """Seconds to open a connection, TLS included."""
    answer_timeout: float = 10.0
    """Seconds until an answer must have begun, and that it may stall."""


class Credentials(msgspec.Struct, frozen=True):
    """A configuration, and the ages in seconds between which it may, and after which it must, be read again."""

    configuration: Configuration
    min_age: float = FILES_MIN_AGE
    max_age: float = FILES_MAX_AGE
    namespace: str = DEFAULT_NAMESPACE
    """The namespace that a kubeconfig's context names."""

    @property
    def token(self) -> str:
        """The value of the header `Authorization`, empty without one."""
        return str(self.configuration.api_key.get("BearerToken", ""))

    def endpoint(self) -> tuple[str, ...]:
        """Return what a connection is made from, files by their content: equal values need no new TLS context.

        Raises:
            KubeConfigError: a certificate file can't be read.
        """
        it = self.configuration
        files = (it.ssl_ca_cert, it.cert_file, it.key_file)
        return (str(it.host), str(it.verify_ssl), str(it.tls_server_name), str(it.proxy), *map(_digest, files))


async def load_credentials(options: KubeOptions) -> Credentials:
    """Read credentials from where the options say.

    Raises:
        KubeConfigError: a file is missing or malformed, or the credential plugin failed.
    """
    if options.server is not None:
        credentials = _explicit(options, options.server)
    elif options.in_cluster or (options.kubeconfig is None and _only_in_cluster()):
        credentials = _in_cluster()
    else:
        credentials = await _from_kubeconfig(options)
    # kubectl and every other client accept certificates that lack what RFC 5280 wants of them; Python 3.13 would not.
    credentials.configuration.disable_strict_ssl_verification = True
    for name in ("host", "proxy", "tls_server_name"):
        value = getattr(credentials.configuration, name)
        if not isinstance(value, str | None):
            raise KubeConfigError(
                f"kubeconfig {options.kubeconfig}: {name} is no text: compare it with one of kubectl's"
            )
    if credentials.token:
        # a token file often ends with a newline, which no header may contain
        credentials.configuration.api_key["BearerToken"] = credentials.token.strip()
    return credentials


def _explicit(options: KubeOptions, server: str) -> Credentials:
    configuration = Configuration(host=server.rstrip("/"), ssl_ca_cert=options.ca_file)
    configuration.cert_file = options.cert_file
    configuration.key_file = options.key_file
    if options.token_file is not None:
        try:
            token = _read(options.token_file).decode().strip()
        except UnicodeDecodeError as error:
            raise KubeConfigError(f"{options.token_file}: {error}: write the token into it, as text") from error
        configuration.api_key["BearerToken"] = f"Bearer {token}"
    return Credentials(configuration)


def _only_in_cluster() -> bool:
    kubeconfigs = KUBE_CONFIG_DEFAULT_LOCATION.split(":")
    return SERVICE_HOST_ENV_NAME in os.environ and not any(map(os.path.exists, kubeconfigs))


def _in_cluster() -> Credentials:
    configuration = Configuration()
    try:
        # not the library's own refreshing: one rule re-reads tokens from every source
        loader = InClusterConfigLoader(SERVICE_TOKEN_FILENAME, SERVICE_CERT_FILENAME, try_refresh_token=False)
        loader.load_and_set(configuration)
    except (ConfigException, OSError, UnicodeDecodeError) as error:
        raise KubeConfigError(
            f"in-cluster credentials: {error} Outside a pod, give a kubeconfig or an address instead."
        ) from error
    return Credentials(configuration)


async def _from_kubeconfig(options: KubeOptions) -> Credentials:
    paths = options.kubeconfig or KUBE_CONFIG_DEFAULT_LOCATION or "~/.kube/config"  # $KUBECONFIG may be empty
    configuration = Configuration()
    try:
        loader, plugin, namespace = await _load_kubeconfig(paths, options, configuration)
    except (
        ConfigException,
        yaml.YAMLError,
        aiohttp.ClientError,
        OSError,
        RuntimeError,
        ValueError,
        KeyError,
        TypeError,
        AttributeError,
        AssertionError,  # the library asserts what a malformed file breaks
    ) as error:
        raise KubeConfigError(f"kubeconfig {paths}: {_explain(error, options)}") from error
    if plugin:
        longest = _plugin_max_age(getattr(loader, "exec_plugin_expiry", None))
        return Credentials(configuration, PLUGIN_MIN_AGE, longest, namespace)
    return Credentials(configuration, FILES_MIN_AGE, FILES_MAX_AGE, namespace)


async def _load_kubeconfig(
    paths: str, options: KubeOptions, configuration: Configuration
) -> tuple[KubeConfigLoader, bool, str]:
    """Read the files into a configuration; gives also whether a plugin was run, and the context's namespace."""
    for path in map(pathlib.Path, paths.split(os.pathsep)):
        if (it := path.expanduser()).exists():
            read_small(it)  # the library would wait for whoever writes to a FIFO
    merged = KubeConfigMerger(paths).config
    if merged is None:
        raise KubeConfigError(f"kubeconfig {paths} does not exist: name one by {options.kubeconfig_is} or $KUBECONFIG")
    loader = KubeConfigLoader(
        config_dict=merged,
        active_context=options.context,
        config_base_path=None,
        # systemd's runtime directory: in memory, and never cleaned while the daemon runs, unlike /tmp
        temp_file_path=os.environ.get("RUNTIME_DIRECTORY"),
    )
    context = loader.current_context or {}
    user = merged["users"].get_with_name(context.get("context", {}).get("user"), safe=True)
    if user is None:
        raise KubeConfigError(f"kubeconfig {paths}: context {context.get('name')} has no user: name one of users")
    if (plugin := user["user"].safe_get("exec")) and "command" in plugin:
        _limit(plugin, options.exec_timeout)
    await loader.load_and_set(configuration)
    return loader, bool(plugin), str(context.get("context", {}).get("namespace") or DEFAULT_NAMESPACE)


def _limit(plugin: dict[str, object], seconds: float) -> None:
    """Put a credential plugin under timeout(1): the library waits for ever, and cancelling it leaves the process.

    timeout(1) signals the whole process group, so that what the plugin started ends with it.
    """
    arguments = plugin.get("args") or []
    if not isinstance(arguments, list):
        raise KubeConfigError(f"exec: args is {arguments!r}, not a list: write it as a YAML list")
    plugin["args"] = ["--kill-after=5", str(seconds), str(plugin["command"]), *map(str, arguments)]
    plugin["command"] = "timeout"


def _explain(error: Exception, options: KubeOptions) -> str:
    if isinstance(error, OSError) and error.filename:
        return f"{error.filename}: {error.strerror}"
    if isinstance(error, TypeError | AttributeError | AssertionError):  # the words of Python, about the library's code
        return "it isn't of the form of a kubeconfig: compare the file with one that kubectl accepts"
    # the library shows the whole entry of a user, with passwords and keys
    text = re.sub(r"\{.*\}", "{…}", str(error), flags=re.DOTALL)
    if text.startswith("exec: process returned 124"):  # what timeout(1) returns
        return f"exec: the credential plugin took longer than {options.exec_timeout:g} s and was killed"
    return text[:LONGEST]


def _plugin_max_age(expiry: dt.datetime | None) -> float:
    if expiry is None:
        return math.inf
    left = (expiry - dt.datetime.now(dt.UTC)).total_seconds()
    return max(left - PLUGIN_HASTE, PLUGIN_MIN_AGE)


def _digest(path: str | None) -> str:
    return "" if path is None else hashlib.sha256(_read(path)).hexdigest()


def _read(path: str) -> bytes:
    try:
        return read_small(path)
    except OSError as error:
        raise KubeConfigError(f"{path}: {error.strerror}: the API server's credentials need this file") from error
