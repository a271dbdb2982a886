"""Faults of the servers: killed, frozen, emptied, restored from earlier copies, out of space, out of rights.

In: a harness. Out: `FAULTS`. The rule: a fault ends when the server answers again.
"""

import contextlib
import http.client
import itertools
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from random import Random

from tests.chaos.fault import Begin, End, Fault, again_and_again, nothing
from tests.chaos.harness import Harness
from tests.chaos.stores import restore, snapshot
from tests.faults.site import TIMEOUT, Site, add_switches
from tests.services.process import Service, ServiceError

VERSIONS = ("23.03.1-20.27.0-70.6", "24.03.2-20.33.0-72.6", "24.09.1-20.37.0-77.0", "25.03.0-20.41.0-77.6")
GROWN = 60
"""Revisions, at most, by which a restored etcd outgrows the one that was lost."""
UNTOUCHED = "lock switch edit northd ports disk"
"""What somebody else has in the database while it isn't as it should be."""


def _kill(service: Callable[[Harness], Service]) -> Begin:
    def begin(harness: Harness, _random: Random) -> End:
        service(harness).kill()
        return service(harness).start

    return begin


def _pause(service: Callable[[Harness], Service]) -> Begin:
    def begin(harness: Harness, _random: Random) -> End:
        service(harness).pause()
        return service(harness).resume

    return begin


def _nb(harness: Harness) -> Service:
    return harness.site.nb


def _api_server(harness: Harness) -> Service:
    return harness.site.cluster.server


def _etcd(harness: Harness) -> Service:
    return harness.site.cluster.etcd


def _without_etcd(harm: Begin) -> Begin:
    """Harm etcd when the API server has told everything: what it hasn't heard of itself, no client of it can know."""

    def begin(harness: Harness, random: Random) -> End:
        cluster = harness.site.cluster
        cluster.server.wait_until(
            lambda: cluster.objects() == cluster.objects("?resourceVersion=0"),
            what="in step with etcd",
            deadline=TIMEOUT,
        )
        return harm(harness, random)

    return begin


def _empty_database(harness: Harness, _random: Random) -> End:
    site = harness.site
    site.nb.kill()
    site.nb.file.unlink()
    site.nb.create_database()

    def end() -> None:
        site.nb.start()
        if site.zone:
            site.nb.nbctl("init", "--", "set", "NB_Global", ".", f"name={site.zone}")
        add_switches(site.nb)
        site.note_others()

    return end


def _restore_database(harness: Harness, _random: Random) -> End:
    """Put the file back that the database had a while ago."""
    nb, site = harness.site.nb, harness.site
    copy = harness.directory / "earlier.db"
    nb.pause()
    shutil.copy(nb.file, copy)
    nb.resume()

    def end() -> None:
        nb.kill()
        shutil.copy(copy, nb.file)
        nb.start()
        site.note_others()

    return end


def _fill_disk(harness: Harness, _random: Random) -> End:
    filler = harness.site.nb.directory / "filler"
    space = os.statvfs(filler.parent)
    with contextlib.suppress(OSError):  # it is full then
        filler.write_bytes(bytes(space.f_bavail * space.f_frsize + 1))
    return filler.unlink


def _restore_etcd(*, grows: bool) -> Begin:
    def begin(harness: Harness, random: Random) -> End:
        cluster = harness.site.cluster
        copy = harness.directory / "etcd"
        snapshot(cluster.etcd, copy)

        def end() -> None:
            cluster.server.kill()
            restore(cluster.etcd, copy, grow=random.randrange(1, GROWN) if grows else None)
            cluster.server.start()
            _wait_until_served(harness.site)

        return end

    return begin


def _wait_until_served(site: Site) -> None:
    """Wait until the API server gives out every kind: a while after its start it says that it isn't so far."""

    def is_served() -> bool:
        with contextlib.suppress(ServiceError, OSError, http.client.HTTPException):
            return bool(site.cluster.objects())
        return False

    site.cluster.server.wait_until(is_served, what="giving out objects of all kinds", deadline=TIMEOUT)


def _compact_etcd(harness: Harness, _random: Random) -> End:
    harness.site.cluster.etcd.compact()
    harness.site.api.cut()
    return nothing


def _withdraw_rights(harness: Harness, _random: Random) -> End:
    harness.site.cluster.withdraw()
    harness.site.api.cut()
    return harness.site.cluster.grant


def _control(command: str) -> Begin:
    def begin(harness: Harness, _random: Random) -> End:
        with contextlib.suppress(ServiceError):  # not every generation knows every command
            harness.site.nb.appctl(command)
        return nothing

    return begin


def _stutter_database(harness: Harness, random: Random) -> End:
    nb = harness.site.nb
    states = itertools.cycle((nb.pause, nb.resume))
    end = again_and_again(lambda _own: next(states)(), random, 0.5)

    def let_run() -> None:
        end()
        nb.resume()

    return let_run


def _set_northd(harness: Harness, random: Random) -> End:
    harness.site.nb.nbctl("set", "NB_Global", ".", f"options:northd_internal_version={random.choice(VERSIONS)}")
    return nothing


def _forget_northd(harness: Harness, _random: Random) -> End:
    harness.site.nb.nbctl("remove", "NB_Global", ".", "options", "northd_internal_version")
    return nothing


def has_small_disk(harness: Harness) -> bool:
    """Say whether the database has a disk of its own, that can be full."""
    return Path.is_mount(harness.site.nb.directory)


FAULTS: tuple[Fault, ...] = (
    Fault("ovsdb-server killed", "nb", _kill(_nb)),
    Fault("ovsdb-server frozen", "nb", _pause(_nb)),
    Fault("ovsdb-server frozen for moments", "nb", _stutter_database),
    Fault("ovsdb-server drops its clients", "nb", _control("ovsdb-server/reconnect")),
    Fault("database compacted", "nb", _control("ovsdb-server/compact"), "disk"),
    Fault("database emptied", "nb", _empty_database, UNTOUCHED, 0.4),
    Fault("database restored to an earlier state", "nb", _restore_database, UNTOUCHED, 0.7),
    Fault("disk of the database full", "disk", _fill_disk, "nb lock switch edit northd ports",
          is_possible=has_small_disk),
    Fault("northd upgraded or downgraded", "northd", _set_northd, "nb disk"),
    Fault("northd's version gone", "northd", _forget_northd, "nb disk", 0.5),
    Fault("API server killed", "apiserver", _kill(_api_server), "rights", 0.25),
    Fault("API server frozen", "apiserver", _pause(_api_server), "rights", 0.7),
    Fault("etcd killed", "apiserver", _without_etcd(_kill(_etcd)), "rights", 0.4),
    Fault("etcd frozen", "apiserver", _without_etcd(_pause(_etcd)), "rights", 0.4),
    Fault("etcd compacted", "etcd", _compact_etcd, "apiserver", 0.5),
    Fault("etcd restored to an earlier state", "etcd", _restore_etcd(grows=False), "apiserver rights objects", 0.3),
    Fault("etcd restored, and grown past what it was", "etcd", _restore_etcd(grows=True),
          "apiserver rights objects", 0.5),
    Fault("rights withdrawn", "rights", _withdraw_rights, "apiserver", 0.7),
)  # fmt: skip
