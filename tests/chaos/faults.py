"""The faults that a run draws from: each with what it harms, how it begins and how it ends.

In: a site, a source of random numbers. Out: harm. The rules: of those that harm the same part at most one is open at a
time; what a fault needs in order to begin is unharmed then; after `end` nothing of the fault is left but what the
daemon has to put right.
"""

import contextlib
import os
import signal
import subprocess
from collections.abc import Callable
from random import Random

import attrs

from tests.faults.relay import Way
from tests.faults.site import Site, add_switches
from tests.services.process import Service, ServiceError

End = Callable[[], None]
VERSIONS = ("23.03.1-20.27.0-70.6", "24.03.2-20.33.0-72.6", "24.09.1-20.37.0-77.0", "25.03.0-20.41.0-77.6")
SWITCH = "blue_n1"
"""The switch that disappears: nobody else has rows there."""


@attrs.frozen
class Fault:
    """A kind of harm.

    `harms` and `needs` name parts: daemon0, daemon1, nb, apiserver, wire (to the database), api (to the API server),
    lock, rights, switch, northd, and edit (of our rows).
    """

    name: str
    harms: str
    begin: Callable[[Site, Random], End]
    needs: frozenset[str] = frozenset()
    weight: float = 1.0


def _nothing() -> None:
    pass


def _kill(service: Service) -> End:
    service.kill()
    return service.start


def _pause(service: Service) -> End:
    service.pause()
    return service.resume


def _kill_daemon(number: int) -> Callable[[Site, Random], End]:
    def begin(site: Site, _random: Random) -> End:
        site.daemons[number].awaits = "healthz"  # something else may keep it from getting ready
        return _kill(site.daemons[number])

    return begin


def _pause_daemon(number: int) -> Callable[[Site, Random], End]:
    return lambda site, _random: _pause(site.daemons[number])


def _reload_daemon(site: Site, _random: Random) -> End:
    os.kill(site.daemons[0].pid, signal.SIGHUP)
    return _nothing


def _empty_database(site: Site, _random: Random) -> End:
    site.nb.kill()
    site.nb.file.unlink()
    site.nb.create_database()

    def end() -> None:
        site.nb.start()
        add_switches(site.nb)
        site.note_others()

    return end


def _cut_after(relay: str) -> Callable[[Site, Random], End]:
    def begin(site: Site, random: Random) -> End:
        found = getattr(site, relay)
        found.cut_after(random.choice(tuple(Way)), random.randint(1, 3000))
        return found.let_go  # type: ignore[no-any-return]

    return begin


def _cut(relay: str) -> Callable[[Site, Random], End]:
    def begin(site: Site, _random: Random) -> End:
        getattr(site, relay).cut()
        return _nothing

    return begin


def _hold(relay: str) -> Callable[[Site, Random], End]:
    def begin(site: Site, random: Random) -> End:
        found = getattr(site, relay)
        found.hold(random.choice(tuple(Way)))

        def end() -> None:  # what was held back is lost or not, as on a real line
            if random.random() < 0.5:
                found.cut()
            found.let_go()

        return end

    return begin


def _refuse(relay: str) -> Callable[[Site, Random], End]:
    def begin(site: Site, _random: Random) -> End:
        found = getattr(site, relay)
        found.refuse()
        return found.let_go  # type: ignore[no-any-return]

    return begin


def _slow(relay: str) -> Callable[[Site, Random], End]:
    def begin(site: Site, _random: Random) -> End:
        found = getattr(site, relay)
        found.slow_down(50_000)
        return found.let_go  # type: ignore[no-any-return]

    return begin


def _steal_lock(site: Site, _random: Random) -> End:
    client = site.nb.generation.program("ovsdb-client")
    thief = subprocess.Popen(
        [client, "steal", site.nb.unix, "nqosd"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )

    def end() -> None:
        thief.kill()
        thief.wait()

    return end


def _withdraw_rights(site: Site, _random: Random) -> End:
    site.cluster.withdraw()
    site.api.cut()
    return site.cluster.grant


def _remove_switch(site: Site, _random: Random) -> End:
    uuid = site.read().switches[SWITCH]
    site.nb.nbctl("ls-del", SWITCH)
    site.others.pop(("Logical_Switch", uuid))

    def end() -> None:
        site.nb.nbctl("--may-exist", "ls-add", SWITCH)
        now = site.read()
        key = ("Logical_Switch", now.switches[SWITCH])
        site.others[key] = now.others[key]

    return end


def _upgrade_northd(site: Site, random: Random) -> End:
    site.nb.nbctl("set", "NB_Global", ".", f"options:northd_internal_version={random.choice(VERSIONS)}")
    return _nothing


def _edit(*arguments: str) -> Callable[[Site, Random], End]:
    """Edit one of our rows or sets, drawn by its place among them; ROW, SET and SWITCH stand for what was found."""

    def begin(site: Site, random: Random) -> End:
        place = random.random()
        row, name, switch = _victims(site, place)
        if row and name:
            words = {"ROW": row, "SET": name, "SWITCH": switch}
            with contextlib.suppress(ServiceError):  # the daemon may have replaced it since we looked
                site.nb.nbctl("--if-exists", *(words.get(each, each) for each in arguments))
        return _nothing

    return begin


def _victims(site: Site, place: float) -> tuple[str, str, str]:
    rows = site.nb.nbctl(
        "--bare", "--format=csv", "--columns=_uuid,external_ids", "find", "QoS", "external_ids:nqosd.io/owner=nqosd"
    ).splitlines()
    names = site.nb.nbctl(
        "--bare", "--columns=name", "find", "Address_Set", "external_ids:nqosd.io/owner=nqosd"
    ).split()
    if not rows or not names:
        return "", "", ""
    row, _comma, ids = rows[int(place * len(rows))].partition(",")
    switch = ids.partition("nqosd.io/switch=")[2].split()[0].strip('",')
    return row, names[int(place * len(names))], switch


_UNTOUCHED = frozenset({"nb", "lock", "switch"})
_RIGHTS = frozenset({"rights"})
_EDIT = frozenset({"nb", "edit", "switch"})

FAULTS: tuple[Fault, ...] = (
    *(Fault("daemon killed", f"daemon{i}", _kill_daemon(i), weight=1.5) for i in range(2)),
    *(Fault("daemon frozen", f"daemon{i}", _pause_daemon(i)) for i in range(2)),
    Fault("daemon reloaded", "daemon0", _reload_daemon),
    Fault("ovsdb-server killed", "nb", lambda site, _random: _kill(site.nb), _UNTOUCHED),
    Fault("ovsdb-server frozen", "nb", lambda site, _random: _pause(site.nb), _UNTOUCHED),
    Fault("database emptied", "nb", _empty_database, _UNTOUCHED, 0.4),
    Fault("API server killed", "apiserver", lambda site, _random: _kill(site.cluster.server), _RIGHTS, 0.3),
    Fault("API server frozen", "apiserver", lambda site, _random: _pause(site.cluster.server), _RIGHTS, 0.7),
    Fault("rights withdrawn", "rights", _withdraw_rights, frozenset({"apiserver"}), 0.7),
    Fault("watches cut", "api", _cut("api")),
    Fault("watch cut in the middle", "api", _cut_after("api")),
    Fault("API server out of reach", "api", _refuse("api")),
    Fault("API server silent", "api", _hold("api")),
    Fault("database connection cut", "wire", _cut("wire")),
    Fault("database connection cut in the middle", "wire", _cut_after("wire")),
    Fault("database out of reach", "wire", _refuse("wire")),
    Fault("database silent", "wire", _hold("wire")),
    Fault("database slow", "wire", _slow("wire")),
    Fault("lock stolen", "lock", _steal_lock, frozenset({"nb"})),
    Fault("switch removed", "switch", _remove_switch, frozenset({"nb"})),
    Fault("northd upgraded or downgraded", "northd", _upgrade_northd, frozenset({"nb"})),
    Fault("row edited", "edit", _edit("set", "QoS", "ROW", "priority=7", "action:dscp=1"), _EDIT),
    Fault("row edited", "edit", _edit("set", "QoS", "ROW", 'match="ip"', "bandwidth:rate=7"), _EDIT),
    Fault(
        "row disowned by its policy",
        "edit",
        _edit("remove", "QoS", "ROW", "external_ids", "nqosd.io/policy"),
        _EDIT,
    ),
    Fault("row deleted", "edit", _edit("remove", "Logical_Switch", "SWITCH", "qos_rules", "ROW"), _EDIT),
    Fault("row on another switch too", "edit", _edit("add", "Logical_Switch", "n2", "qos_rules", "ROW"), _EDIT),
    Fault("set emptied", "edit", _edit("clear", "Address_Set", "SET", "addresses"), _EDIT),
    Fault("address smuggled in", "edit", _edit("add", "Address_Set", "SET", "addresses", '"192.0.2.99"'), _EDIT),
    Fault("set deleted", "edit", _edit("destroy", "Address_Set", "SET"), _EDIT),
    Fault("set renamed", "edit", _edit("set", "Address_Set", "SET", "name=renamed_by_hand"), _EDIT),
)  # fmt: skip
