"""An explanation, and what the databases hold of it.

Rule: a value without I/O, so that the offline answer doesn't load what the live one needs.
"""

from collections.abc import Mapping

import msgspec

from nqosd.commands.presence import Presence
from nqosd.commands.southbound import LogicalFlow
from nqosd.compiler.desired import RowKey
from nqosd.explain.verdict import Explanation


class Found(msgspec.Struct, frozen=True):
    """An explanation; for rows of rules that match, what the databases hold. Absent keys were not looked for."""

    explanation: Explanation
    rows: Mapping[RowKey, Presence] = {}
    flows: Mapping[RowKey, tuple[LogicalFlow, ...]] = {}
