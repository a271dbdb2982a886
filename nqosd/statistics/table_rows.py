"""Rows of a database as `nqosd.statistics` reads them: text only, in columns of two kinds."""

from collections.abc import Mapping
from typing import TypeAlias

import msgspec


class Row(msgspec.Struct, frozen=True):
    """A row; numbers are text."""

    maps: dict[str, dict[str, str]]
    """Columns that hold a map."""
    values: dict[str, str]
    """Columns that hold one value."""


Table: TypeAlias = Mapping[str, Row]
"""Rows by uuid."""
