"""How commands read the configuration file.

In: a path, or none. Out: a `Config`. Rule: a file that is named must exist; without one, the file at its usual place
counts if it is there, and else every option's default.
"""

import os
from pathlib import Path

from nqosd.commands.exits import ConfigurationError
from nqosd.commands.table import DEFAULT_CONFIG
from nqosd.config import Config, ConfigError, load


def configuration(path: Path | None, *, awaits: bool = False) -> Config:
    """Read the configuration as `load_config` does.

    Raises:
        ConfigurationError: the file can't be read, or has mistakes.
    """
    try:
        return load_config(path, awaits=awaits)
    except ConfigError as error:
        raise ConfigurationError(error) from error


def load_config(path: Path | None, *, awaits: bool = False) -> Config:
    """Read the configuration; who `awaits` goes on without those files that it can take up later.

    Raises:
        ConfigError: the file can't be read, or has mistakes.
    """
    if path is not None:
        return load(path, awaits=awaits)
    try:
        return load(DEFAULT_CONFIG, awaits=awaits)
    except ConfigError as error:
        if isinstance(error.__cause__, FileNotFoundError):
            return Config()
        raise


def service_path(path: Path | None) -> Path | None:
    """Give the file that a service reads now and at each reload; one that was there at its start must not vanish."""
    return path or (DEFAULT_CONFIG if os.path.lexists(DEFAULT_CONFIG) else None)
