"""What the tests of a module share: a cluster and a node."""

from collections.abc import Iterator

import pytest

from tests.packaging.site import Site
from tests.packaging.site import site as running_site


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    """Start it."""
    with running_site() as started:
        yield started
