"""Other hands in the database: rows and sets of ours edited, switches removed, the lock stolen, rows of others.

In: a harness. Out: `FAULTS`. The rule: a victim is drawn by its place among what there is, since names and uuids differ
from run to run; what somebody else leaves in the database is noted as theirs.
"""

import contextlib
import subprocess
from random import Random

from nqosd.northbound.replica.writer_record import WriterRecord
from tests.chaos.fault import Begin, End, Fault, again_and_again, nothing
from tests.chaos.harness import Harness
from tests.faults.manifests import SWITCHES
from tests.faults.site import PROMPT, TIMEOUT, Site, router_port
from tests.services.daemon import Nqosd
from tests.services.process import ServiceError

SWITCH = "blue_n1"
"""The switch that disappears: nobody else has rows there."""
MINE = "external_ids:nqosd.io/owner=nqosd"
RECORD = WriterRecord("nqosd").name
MANY = 500
"""Rows of others that come and go."""


def _edit(*arguments: str) -> Begin:
    """Edit one of our rows or sets; ROW, SET and SWITCH stand for what was found."""

    def begin(harness: Harness, random: Random) -> End:
        row, name, switch = _victims(harness.site, random.random())
        if row:
            words = {"ROW": row, "SET": name, "SWITCH": switch}
            with contextlib.suppress(ServiceError):  # the daemon may have replaced it since we looked
                harness.site.nb.nbctl("--if-exists", *(words.get(each, each) for each in arguments))
        return nothing

    return begin


def _victims(site: Site, place: float) -> tuple[str, str, str]:
    rows = site.nb.nbctl("--bare", "--format=csv", "--columns=_uuid,external_ids", "find", "QoS", MINE).splitlines()
    found = site.nb.nbctl("--bare", "--columns=name", "find", "Address_Set", MINE).split()
    names = [name for name in found if name != RECORD]
    if not rows or not names:
        return "", "", ""
    row, _comma, ids = rows[int(place * len(rows))].partition(",")
    switch = ids.partition("nqosd.io/switch=")[2].split()[0].strip('",')
    return row, names[int(place * len(names))], switch


def _detach_all(harness: Harness, _random: Random) -> End:
    """Take every row of ours off every switch."""
    site = harness.site
    ours = site.nb.nbctl("--bare", "--columns=_uuid", "find", "QoS", MINE).split()
    commands = [
        each for switch in SWITCHES for row in ours for each in ("--", "--if-exists", "remove", "Logical_Switch",
                                                                  switch, "qos_rules", row)
    ]  # fmt: skip
    if commands:
        with contextlib.suppress(ServiceError):  # a switch or a row is gone meanwhile
            site.nb.nbctl(*commands[1:])
    return nothing


def _copy_row(harness: Harness, random: Random) -> End:
    """Add a row that says that it is one of ours, to a switch that has that one already."""
    row, _name, switch = _victims(harness.site, random.random())
    if row:
        columns = ("direction", "priority", "match", "external_ids")
        with contextlib.suppress(ServiceError):
            values = [harness.site.nb.nbctl("get", "QoS", row, column).strip() for column in columns]
            pairs = [f"{column}={value}" for column, value in zip(columns, values, strict=True)]
            harness.site.nb.nbctl(
                "--id=@copy", "create", "QoS", *pairs, "--", "add", "Logical_Switch", switch, "qos_rules", "@copy"
            )
    return nothing


def _take_name_of_a_set(harness: Harness, random: Random) -> End:
    _row, name, _switch = _victims(harness.site, random.random())
    return _take_name(harness.site, name) if name else nothing


def _take_name(site: Site, name: str) -> End:
    """Take our mark off a set: it has the name that ours must have, and isn't ours any more."""
    with contextlib.suppress(ServiceError):
        site.nb.nbctl("remove", "Address_Set", name, "external_ids", "nqosd.io/owner")

    def end() -> None:
        with contextlib.suppress(ServiceError):
            found = site.nb.nbctl("--bare", "--format=csv", "--columns=_uuid,external_ids", "find", "Address_Set",
                                  f"name={name}").strip()  # fmt: skip
            if found and "nqosd.io/owner" not in found:
                site.nb.nbctl("--if-exists", "destroy", "Address_Set", found.partition(",")[0])

    return end


def _foreign_rows(harness: Harness, _random: Random) -> End:
    """Let somebody else add many sets in one transaction, and take them away."""
    nb = harness.site.nb
    names = [f"others_{number}" for number in range(MANY)]
    nb.nbctl(*[word for name in names for word in ("--", "create", "Address_Set", f"name={name}")][1:])

    def end() -> None:
        found = nb.nbctl("--bare", "--format=csv", "--columns=_uuid,name", "find", "Address_Set").splitlines()
        uuids = [line.partition(",")[0] for line in found if ",others_" in line]
        if uuids:
            nb.nbctl("destroy", "Address_Set", *uuids)

    return end


def _remove_switch(harness: Harness, _random: Random) -> End:
    site = harness.site
    before = site.read().others
    site.nb.nbctl("ls-del", SWITCH)
    for key in before.keys() - site.read().others.keys():  # the switch and its ports
        site.others.pop(key, None)

    def end() -> None:
        known = site.read().others
        site.nb.nbctl("--may-exist", "ls-add", SWITCH, "--", *router_port(SWITCH))
        now = site.read().others
        site.others.update({key: now[key] for key in now.keys() - known.keys()})

    return end


def _steal_lock(harness: Harness, _random: Random) -> End:
    nb = harness.site.nb
    client = nb.generation.program("ovsdb-client")
    thief = subprocess.Popen([client, "steal", nb.unix, "nqosd"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def end() -> None:
        thief.kill()
        thief.wait()

    return end


def _steal_again_and_again(harness: Harness, random: Random) -> End:
    ends: list[End] = []

    def steal(own: Random) -> None:
        while ends:
            ends.pop()()
        ends.append(_steal_lock(harness, own))

    stop = again_and_again(steal, random, 0.6)

    def end() -> None:
        stop()
        while ends:
            ends.pop()()

    return end


def _rival(harness: Harness, _random: Random) -> End:
    """Let another daemon write to the same database, with our owner, another lock and other settings."""
    site = harness.site
    kubeconfig = site.cluster.kubeconfig(harness.directory / "rival.kubeconfig")
    options: dict[str, dict[str, object]] = {
        "daemon": {"unselected_networks": "default"}, "northbound": {**PROMPT["northbound"], "lock": "another"},
        "status": {"enabled": False},
    }  # fmt: skip
    rival = Nqosd([site.nb.unix], kubeconfig=kubeconfig, options=options, name="rival", directory=harness.directory)
    rival.awaits, rival.seconds = "healthz", TIMEOUT
    rival.__enter__()
    return lambda: rival.__exit__(None, None, None)


_EDITS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("row edited", ("set", "QoS", "ROW", "priority=7", "action:dscp=1")),
    ("match of a row edited", ("set", "QoS", "ROW", 'match="ip"', "bandwidth:rate=7")),
    ("row disowned by its policy", ("remove", "QoS", "ROW", "external_ids", "nqosd.io/policy")),
    ("row deleted", ("remove", "Logical_Switch", "SWITCH", "qos_rules", "ROW")),
    ("row on another switch too", ("add", "Logical_Switch", "n2", "qos_rules", "ROW")),
    ("set emptied", ("clear", "Address_Set", "SET", "addresses")),
    ("address smuggled in", ("add", "Address_Set", "SET", "addresses", '"192.0.2.99"')),
    ("set deleted", ("destroy", "Address_Set", "SET")),
    ("set renamed", ("set", "Address_Set", "SET", "name=renamed_by_hand")),
    ("writer's record deleted", ("destroy", "Address_Set", RECORD)),
    ("writer's record renamed", ("set", "Address_Set", RECORD, "name=record_by_hand")),
    (
        "writer's record ahead of everybody",
        ("set", "Address_Set", RECORD, 'external_ids:nqosd.io/resource-versions="Pod=999999999"'),
    ),
)

FAULTS: tuple[Fault, ...] = (
    *(Fault(name, "edit", _edit(*arguments), "nb switch disk") for name, arguments in _EDITS),
    Fault("every row detached", "edit", _detach_all, "nb switch disk"),
    Fault("row copied", "edit", _copy_row, "nb switch disk"),
    Fault("name of a set taken", "edit", _take_name_of_a_set, "nb switch disk"),
    Fault(
        "name of the writer's record taken",
        "edit",
        lambda harness, _random: _take_name(harness.site, RECORD),
        "nb switch disk",
    ),
    Fault("many rows of others", "edit", _foreign_rows, "nb disk", 0.5),
    Fault("switch removed", "switch", _remove_switch, "nb disk"),
    Fault("lock stolen", "lock", _steal_lock, "nb"),
    Fault("lock stolen again and again", "lock", _steal_again_and_again, "nb", 0.7),
    Fault("another daemon with our owner and other settings", "lock", _rival, "nb apiserver rights", 0.4),
)
