"""The order of resource versions.

In: resource versions as an API server writes them. Out: which is older. Rule: versions that aren't decimal numbers have
no order that a client could know of, so neither is older.
"""


def is_older(version: str, other: str) -> bool:
    """Return whether `version` comes before `other`."""
    if not all(each.isascii() and each.isdecimal() for each in (version, other)):
        return False
    return (len(version), version) < (len(other), other)
