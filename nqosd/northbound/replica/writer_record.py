"""The writer's record: who wrote last into the database, and from what knowledge.

In: what a daemon knows of Kubernetes, as resource versions by kind. Out: one row of the table Address_Set, without
addresses, that no match refers to; what it says stands in its external_ids. Rule: it is written in the transactions
that write rows, and in no others, so it says what the rows were made from.
"""

import hashlib
from collections.abc import Mapping
from functools import cached_property

import msgspec

from nqosd.compiler.desired import OWNER, PART

WRITER = "writer"
"""The value of external_ids:nqosd.io/part of a record."""
LOCK = "nqosd.io/lock"
HOST = "nqosd.io/host"
PROCESS = "nqosd.io/process"
VERSIONS = "nqosd.io/resource-versions"


class WriterRecord(msgspec.Struct, frozen=True, dict=True):
    """One writer. `process` is another one after each start; `versions` are resource versions by kind."""

    owner: str
    lock: str = ""
    host: str = ""
    process: str = ""
    versions: Mapping[str, str] = {}

    @cached_property
    def name(self) -> str:
        """The name of the address set: one for each owner."""
        return "nqosd_writer_" + hashlib.blake2b(self.owner.encode(), digest_size=10).hexdigest()

    @cached_property
    def external_ids(self) -> Mapping[str, str]:
        """The column `external_ids`."""
        versions = " ".join(f"{kind}={version}" for kind, version in sorted(self.versions.items()))
        return {
            OWNER: self.owner,
            PART: WRITER,
            LOCK: self.lock,
            HOST: self.host,
            PROCESS: self.process,
            VERSIONS: versions,
        }

    @classmethod
    def of(cls, external_ids: Mapping[str, str]) -> "WriterRecord":
        """Read a record; what a person took out of it is empty."""
        owner, lock, host, process = (external_ids.get(each, "") for each in (OWNER, LOCK, HOST, PROCESS))
        pairs = (each.partition("=") for each in external_ids.get(VERSIONS, "").split())
        return cls(owner, lock, host, process, {kind: version for kind, _, version in pairs})

    def ahead_of(self, known: Mapping[str, str]) -> list[str]:
        """Name the kinds of which this writer knew more than somebody who knows these versions, with both versions.

        Versions that aren't numbers can't be compared; then the writer counts as ahead.
        """
        return [
            f"{kind} {version}, here {known.get(kind) or 'none'}"
            for kind, version in sorted(self.versions.items())
            if not _is_at_least(known.get(kind, ""), version)
        ]


def is_record(external_ids: Mapping[str, str]) -> bool:
    """Say whether an address set is the record of a writer, of whatever owner."""
    return external_ids.get(PART) == WRITER and OWNER in external_ids


def _is_at_least(version: str, other: str) -> bool:
    if version == other:
        return True
    comparable = version.isascii() and other.isascii() and version.isdecimal() and other.isdecimal()
    return comparable and (len(version.lstrip("0")), version.lstrip("0")) >= (len(other.lstrip("0")), other.lstrip("0"))
