"""The option `--config` that commands share, and how the file that it names is read.

In: a path, or none. Out: a `Config`. Rule: a file that is named must exist; without one, the file at its usual place
counts if it is there, and else every option's default.
"""

import argparse
import os
from pathlib import Path

from nqosd.config import Config, ConfigError, load

DEFAULT_CONFIG = Path("/etc/nqosd/nqosd.toml")


def add_config(parser: argparse.ArgumentParser) -> None:
    """Declare `--config`."""
    parser.add_argument(
        "--config",
        type=Path,
        default=None,
        metavar="FILE",
        help=f"the configuration, TOML (default: {DEFAULT_CONFIG} if it exists, else every option's default)",
    )


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
