"""What `nqosd doctor` sees of the Northbound database: sockets, schema, role, lock, OVN's version, rows of others.

In: a configuration. Out: results, and `NorthboundFacts` where one of the servers can be used. Rule: nothing is written;
the lock is asked for on a connection that ends with the answer, so at most a daemon that starts in that moment waits.
"""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from typing import cast

import msgspec

from nqosd.commands.doctor_results import CheckResult, failed, ok, warning, within
from nqosd.commands.doctor_sockets import HANGS, Reached, WantedDatabase, reach
from nqosd.compiler.desired import PART
from nqosd.compiler.settings import NEWEST_TESTED, parse_ovn_version
from nqosd.northbound.other_writers import other_holder
from nqosd.northbound.replica.stored import OVN_KUBERNETES
from nqosd.northbound.replica.writer_record import WRITER, WriterRecord
from nqosd.ovsdb import schema, wire
from nqosd.ovsdb.connection_options import Options
from nqosd.ovsdb.plain_client import Call, ask

USABLE = ("standalone", "leader")


class NorthboundFacts(msgspec.Struct, frozen=True):
    """What the database holds; `zone` None: NB_Global has no row; `theirs`: rows of ovn-kubernetes' controller."""

    remote: str
    zone: str | None
    northd_version: str
    records: tuple[WriterRecord, ...]
    theirs: int
    is_lock_held: bool


async def look_at_northbound(options: Options, seconds: float) -> tuple[list[CheckResult], NorthboundFacts | None]:
    """Look at every server that the configuration names, and into the first one that the daemon would use."""
    database = WantedDatabase(schema.DATABASE, "northbound.remotes", options.tls)
    looks = await asyncio.gather(*(reach(remote, database, seconds) for remote in options.remotes))
    reached = [found for _results, found in looks if found is not None]
    results = [*(each for found, _reached in looks for each in found), *map(_schema, reached)]
    if not reached:
        return results, None
    results.append(_role(reached))
    usable = next((each for each in reached if each.role in USABLE and not schema.find_missing(each.schema)), None)
    if usable is None:
        return results, None
    facts = await within(seconds, "contents", str(usable.remote), _facts(usable, options), HANGS)
    return ([*results, facts], None) if isinstance(facts, CheckResult) else (results, facts)


def judge(facts: NorthboundFacts, options: Options) -> Iterator[CheckResult]:
    """Say what is to be said of what the database holds."""
    yield _lock(facts, options)
    yield _ovn(facts)
    yield _old_controller(facts)


def _schema(server: Reached) -> CheckResult:
    lacking = schema.find_missing(server.schema)
    if lacking:
        found, _, way_out = lacking.rpartition(": ")
        return failed("schema", str(server.remote), found, way_out)
    return ok("schema", str(server.remote), f"{schema.DATABASE} {server.schema.get('version')}")


def _role(reached: Sequence[Reached]) -> CheckResult:
    roles = "; ".join(f"{each.remote}: {each.role}" for each in reached)
    names = ", ".join(str(each.remote) for each in reached)
    if any(each.role in USABLE for each in reached):
        return ok("role", names, roles)
    if any(each.role == "relay" for each in reached):
        way_out = (
            "a relay elects no writer: name the database itself in northbound.remotes, or all members of its cluster"
        )
    else:
        way_out = "name every member of the cluster in northbound.remotes: only its leader can be used"
    return failed("role", names, f"none of them can be written: {roles}", way_out)


async def _facts(server: Reached, options: Options) -> NorthboundFacts:
    theirs = [["external_ids", "includes", wire.string_map(OVN_KUBERNETES)]]
    records = [["external_ids", "includes", wire.string_map({PART: WRITER})]]
    selects = [
        {"op": "select", "table": schema.GLOBAL, "where": [], "columns": ["name", "options"]},
        {"op": "select", "table": schema.QOS, "where": theirs, "columns": ["_uuid"]},
        {"op": "select", "table": schema.ADDRESS_SET, "where": records, "columns": ["external_ids"]},
    ]
    calls = [Call("transact", [schema.DATABASE, *selects]), Call("lock", [options.lock])]
    answers = await ask(server.remote, options.tls, calls)
    found = [each["rows"] for each in cast("list[Mapping[str, list[Mapping[str, object]]]]", answers[0]["result"])]
    lock = cast("Mapping[str, object]", answers[1]["result"])
    top = next(iter(found[0]), None)
    return NorthboundFacts(
        remote=str(server.remote),
        zone=None if top is None else str(top["name"]),
        northd_version="" if top is None else wire.mapping(top["options"]).get("northd_internal_version", ""),
        records=tuple(WriterRecord.of(wire.mapping(each["external_ids"])) for each in found[2]),
        theirs=len(found[1]),
        is_lock_held=lock["locked"] is False,
    )


def _lock(facts: NorthboundFacts, options: Options) -> CheckResult:
    about = f"{options.lock!r} of {facts.remote}"
    if not facts.is_lock_held:
        way_out = "start the daemon (systemctl enable --now nqosd, or the DaemonSet); until then nothing is written"
        return warning("lock", about, "nobody holds it", way_out)
    if other := other_holder(facts.records, options.owner, options.lock):
        found, _, way_out = other.rpartition(": ")
        return failed("lock", about, found, way_out)
    mine = next((each for each in facts.records if (each.owner, each.lock) == (options.owner, options.lock)), None)
    wrote = f"; nqosd at {mine.host} (process {mine.process}) wrote last" if mine else ""
    return ok("lock", about, f"a client of the database holds it{wrote}")


def _ovn(facts: NorthboundFacts) -> CheckResult:
    about = f"ovn-northd of {facts.remote}"
    version = parse_ovn_version(facts.northd_version)
    if version is None:
        found = f"NB_Global.options:northd_internal_version is {facts.northd_version!r}"
        way_out = "start ovn-northd; without its version rows are written as for OVN before 24.09"
        return warning("ovn", about, found, way_out)
    if version > NEWEST_TESTED:
        newest = "{:02}.{:02}".format(*NEWEST_TESTED)
        found = f"{facts.northd_version} is newer than {newest}, the newest that nqosd was tested with"
        return warning("ovn", about, found, "see that marks and limits arrive, or look for a newer nqosd")
    return ok("ovn", about, facts.northd_version)


def _old_controller(facts: NorthboundFacts) -> CheckResult:
    about = f"rows of ovn-kubernetes' NetworkQoS controller in {facts.remote}"
    if not facts.theirs:
        return ok("old-controller", about, "there are none")
    return failed(
        "old-controller",
        about,
        f"there are {facts.theirs}, which act where no row of nqosd does",
        "turn that controller off (--enable-network-qos=false), then nqosd takeover --from ovn-kubernetes --apply",
    )
