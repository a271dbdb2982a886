"""The order of resource versions.

In: resource versions as an API server writes them. Out: which is older. Rule: versions that aren't decimal numbers have
no order that a client could know of, so neither is older.
"""

DIGITS = 20
"""Digits of the highest revision that a store counts up to; Python refuses to read numbers of thousands."""


def as_number(version: str) -> int:
    """Give a version as a number; 0 if it isn't one that a store counts up to."""
    return int(version) if version.isdecimal() and len(version) <= DIGITS else 0


def is_older(version: str, other: str) -> bool:
    """Return whether `version` comes before `other`."""
    if not (version.isdecimal() and other.isdecimal() and version.isascii() and other.isascii()):
        return False
    return (len(version), version) < (len(other), other)
