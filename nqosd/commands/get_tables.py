"""What `nqosd get` prints as tables: for each list its header, and the cells of one entry.

In: an entry of `/state/…` as JSON gives it. Out: cells. Rule: one entry is one line.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeAlias

Entry: TypeAlias = dict[str, Any]
"""An entry as it comes: its fields are those of `nqosd.web.views`."""

SHOWN = 8
"""How many members of a selection a table shows; JSON has all."""


def _policy(entry: Entry) -> list[str]:
    ready = "yes" if entry["ready"] else "no"
    name = f"{entry['namespace']}/{entry['name']}"
    return [name, ready, entry["reason"], str(entry["rows"]), ", ".join(entry["networks"]) or "-", entry["message"]]


def _selection(entry: Entry) -> list[str]:
    members = entry["members"]
    more = f" and {len(members) - SHOWN} more" if len(members) > SHOWN else ""
    sign = "$" if entry["kind"] == "address set" else "@"
    return [
        f"{sign}{entry['name']}",
        str(len(members)),
        entry["selection"],
        f"{' '.join(members[:SHOWN])}{more}" or "-",
    ]


def _row(entry: Entry) -> list[str]:
    burst = "" if entry["burst"] is None else f", burst {entry['burst']} kb"
    return [
        entry["policy"] or "-",
        str(entry["rule"]) if entry["policy"] else "-",
        entry["network"],
        f"{entry['switch']}{' (waited for)' if entry['waits'] else ''}",
        entry["direction"],
        str(entry["priority"]),
        "-" if entry["dscp"] is None else str(entry["dscp"]),
        "-" if entry["rate"] is None else f"{entry['rate']} kbps{burst}",
        entry["match"],
    ]


def _network(entry: Entry) -> list[str]:
    return [
        entry["network"] or "-",
        entry["definition"],
        entry["topology"] or "-",
        entry["role"] or "-",
        ", ".join(entry["subnets"]) or "-",
        "yes" if entry["accepted"] else "no",
        f"ignored: {entry['ignored']}" if entry["ignored"] else "counts",
    ]


def keys(what: str, entry: Entry) -> tuple[str, ...]:
    """Give what an entry can be asked for by; before a slash stands the namespace that it belongs to."""
    match what:
        case "policies":
            return (f"{entry['namespace']}/{entry['name']}",)
        case "rows":
            return (entry["policy"],)
        case "networks":
            return (entry["definition"], entry["network"])
        case _:
            return (entry["name"],)


def _rule(entry: Entry) -> list[str]:
    limit = "-" if entry["rate"] is None else f"{entry['rate']} kbps"
    burst = "" if entry["burst"] is None else f", burst {entry['burst']} kb"
    return [str(entry["rule"]), str(entry["dscp"]), limit + burst, entry["packets"] or "all"]


def _rival(entry: Entry) -> list[str]:
    return [str(entry[name]) for name in ("policy", "rule", "switch", "priority", "below", "senders")]


def _total(entry: Entry) -> list[str]:
    names = ("rule", "network", "nodes", "marked_packets", "passed_packets", "dropped_packets")
    cells = [str(entry[name]) for name in names]
    if entry["nodes_without_meter"]:
        cells[2] += f", {entry['nodes_without_meter']} without meter"
    return cells


TABLES: Mapping[str, tuple[tuple[str, ...], Callable[[Entry], list[str]]]] = {
    "policies": (("POLICY", "READY", "REASON", "ROWS", "NETWORKS", "MESSAGE"), _policy),
    "selections": (("SET", "SIZE", "OF", "MEMBERS"), _selection),
    "rows": (("POLICY", "RULE", "NETWORK", "SWITCH", "DIRECTION", "PRIORITY", "DSCP", "LIMIT", "MATCH"), _row),
    "networks": (("NETWORK", "DEFINITION", "TOPOLOGY", "ROLE", "SUBNETS", "ACCEPTED", "STATE"), _network),
}


def columns(what: str, *, with_zone: bool) -> tuple[tuple[str, ...], Callable[[Entry], list[str]]]:
    """Give the header of a list and what makes the cells of an entry; perhaps the zone of each stands first."""
    header, cells = TABLES[what]
    return (("ZONE", *header), lambda entry: [entry["zone"] or "*", *cells(entry)]) if with_zone else (header, cells)


def zone_of(entry: Entry) -> str:
    """Give what stands before a title where there are several zones."""
    return f"zone {entry['zone'] or '*'}, " if "zone" in entry else ""


def detail(entry: Entry) -> Iterator[tuple[str, tuple[tuple[str, ...], Callable[[Entry], list[str]]], list[Entry]]]:
    """Give the tables of one policy, each with its title, what makes its cells, and its entries."""
    yield "policy", TABLES["policies"], [entry["policy"]]
    yield "rules", (("RULE", "DSCP", "LIMIT", "PACKETS"), _rule), entry["rules"]
    loses = "loses to these, found first, and to more" if entry["more_rivals"] else "loses to"
    yield loses, (("POLICY", "RULE", "SWITCH", "PRIORITY", "OVER", "SENDERS"), _rival), entry["rivals"]
    yield "counters", (("RULE", "NETWORK", "NODES", "MARKED", "PASSED", "DROPPED"), _total), entry["statistics"]
    yield "rows", TABLES["rows"], entry["rows"]
    yield "sets", TABLES["selections"], entry["selections"]
