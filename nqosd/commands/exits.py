"""Exit codes, the same for every command."""

OK = 0
FAILED = 1
"""A policy is not ready (`compile`), or what a command talks to has failed."""
USAGE = 2
"""Unusable arguments or manifests."""
DIFFERENT = 2
"""`diff`: the database isn't as desired; 1 says that this couldn't be found out."""
BAD_CONFIG = 78
"""Unusable configuration: systemd doesn't try again then."""
