"""How commands read the configuration.

In: a command's arguments. Out: a `Config`. Rule: a file that is named must exist; without one, the file at its usual
place counts if it is there, and else every option's default. The environment goes before the file, and arguments before
both.
"""

import argparse
import os

from nqosd.commands.arguments import DEFAULT_CONFIG
from nqosd.commands.exits import ConfigurationError
from nqosd.config import Config, ConfigError, Given, load


def configuration(options: argparse.Namespace, *, awaits: bool = False) -> Config:
    """Read the configuration as `load_config` does.

    Raises:
        ConfigurationError: the file can't be read, or has mistakes.
    """
    try:
        return load_config(options, awaits=awaits)
    except ConfigError as error:
        raise ConfigurationError(error) from error


def load_config(options: argparse.Namespace, *, awaits: bool = False) -> Config:
    """Read the configuration; who `awaits` goes on without those files that it can take up later.

    Raises:
        ConfigError: the file can't be read, or has mistakes.
    """
    arguments: dict[tuple[str, ...], Given] = {
        ("kubernetes", key): Given(f"--{key}", value)
        for key in ("kubeconfig", "context")
        if (value := getattr(options, key, None)) is not None
    }
    if options.config is not None:
        return load(options.config, awaits=awaits, arguments=arguments)
    try:
        return load(DEFAULT_CONFIG, awaits=awaits, arguments=arguments)
    except ConfigError as error:
        if isinstance(error.__cause__, FileNotFoundError):
            return load(None, awaits=awaits, arguments=arguments)
        raise


def settle_path(options: argparse.Namespace) -> None:
    """Settle which file a service reads now and at each reload: one that was there at its start must not vanish."""
    options.config = options.config or (DEFAULT_CONFIG if os.path.lexists(DEFAULT_CONFIG) else None)
