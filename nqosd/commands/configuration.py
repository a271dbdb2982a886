"""The option `--config` that commands share, and how the file that it names is read.

In: a path, or none. Out: a `Config`. Rule: a file that is named must exist; without one, the file at its usual place
counts if it is there, and else every option's default.
"""

import argparse
from pathlib import Path

from nqosd.config import Config, load

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


def load_config(path: Path | None) -> Config:
    """Read the configuration.

    Raises:
        ConfigError: the file can't be read, or has mistakes.
    """
    if path is None:
        return load(DEFAULT_CONFIG) if DEFAULT_CONFIG.exists() else Config()
    return load(path)
