"""An etcd that is restored from a backup: resource versions go back, and nobody tells a watch what was lost."""

import sys
import time

import pytest

from tests.faults.site import Site
from tests.services.backup import Backup


@pytest.mark.parametrize(
    ("grows", "cut_off"), [(False, False), (True, False), (True, True)], ids=["back", "grown", "grown while cut off"]
)
def test_etcd_restored_and_grown(
    site: Site,
    grows: bool,  # noqa: FBT001 - pytest names it
    cut_off: bool,  # noqa: FBT001
) -> None:
    """What was lost is gone from the database soon after, though the versions may have grown past the old ones."""
    backup = Backup(site.cluster.etcd, site.cluster.server)
    backup.take()
    site.settle(60)
    for number in range(20):
        site.add_pod(f"lost-{number}", node=f"n{1 + number % 2}")
    for _ in range(3):
        site.change()
    site.settle()
    seen = backup.newest_version()
    if cut_off:
        site.api.refuse()
    backup.restore()
    if grows:
        backup.grow_past(seen + 50)
    began = time.monotonic()
    site.api.let_go()
    site.daemon.wait_until(lambda: not site.differences(), what="as it should be", deadline=60)
    sys.stdout.write(f"{time.monotonic() - began:.1f} s from the restart to no difference\n")
    site.settle()
