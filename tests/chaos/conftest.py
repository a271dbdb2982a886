"""The cluster of the tests of faults, whose servers may be killed."""

from tests.faults.conftest import faulty_cluster

__all__ = ["faulty_cluster"]
