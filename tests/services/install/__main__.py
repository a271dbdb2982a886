"""`python3 -m tests.services.install [PART ...]`: install what the tests run, or nothing if it is there.

PART is `kubernetes` (etcd, kube-apiserver, helm, and kubectl where the machine has none), `ovn` (23.03), `ovn-new`
(25.03) or `prometheus` (with promtool, and a check of dashboards); without any, all of them. `ovn-latest` (26.03) is
installed only if named.
"""

import argparse
import sys

from tests.services.install import debian, golang, prometheus
from tests.services.install.cache import Entry, InstallError, say

PARTS = (golang.PART, *(suite.part for suite in debian.SUITES), prometheus.PART)


def entries_of(part: str) -> list[Entry]:
    """Return the entries of the cache that a part consists of."""
    if part == golang.PART:
        return golang.entries()
    if part == prometheus.PART:
        return [prometheus.entry(), golang.dashboard_check()]
    return [debian.entry(suite.series) for suite in (*debian.SUITES, debian.LATEST) if suite.part == part]


def main() -> int:
    """Install the parts that the command line names; return the exit code."""
    parser = argparse.ArgumentParser(prog="python3 -m tests.services.install", description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"one of: {', '.join(PARTS)}")
    parts = parser.parse_args().parts or PARTS
    if unknown := [part for part in parts if not entries_of(part)]:
        parser.error(f"unknown part {unknown[0]!r}: choose from {', '.join((*PARTS, debian.LATEST.part))}")
    try:
        for part in parts:
            for entry in entries_of(part):
                entry.install()
    except InstallError as error:
        say(f"failed: {error}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
