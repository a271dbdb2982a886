"""The configuration file: TOML in, one frozen `Config` out.

In: the text of a file such as `config/nqosd.toml`. Out: a `Config` in which every option has a value that is known to
be good, or a `ConfigError` that lists every mistake with file, line and key. Rule: no other part of the daemon reads
the file or checks an option; `nqosd.daemon.daemon` and the commands hand each layer the values it needs.
"""

from nqosd.config.given import Given
from nqosd.config.options import (
    Config,
    DaemonSection,
    HttpSection,
    KubernetesSection,
    LogSection,
    NorthboundSection,
    StatsSection,
    StatusSection,
)
from nqosd.config.reading import ConfigError, Mistake, load, parse
from nqosd.config.reload import Reload, diff

__all__ = [
    "Config",
    "ConfigError",
    "DaemonSection",
    "Given",
    "HttpSection",
    "KubernetesSection",
    "LogSection",
    "Mistake",
    "NorthboundSection",
    "Reload",
    "StatsSection",
    "StatusSection",
    "diff",
    "load",
    "parse",
]
