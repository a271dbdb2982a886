"""A compiled document as text: JSON for programs, tables for people, commands for `ovn-nbctl`.

In: a `CompiledDocument`. Out: text that ends in a newline. Rule: the same document gives the same text.
"""

import json
import re
import shlex
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from enum import StrEnum

from nqosd.api.text import visible
from nqosd.commands.compiled_document import CompiledDocument, PolicyEntry, QosEntry
from nqosd.compiler.desired import NETWORK, PART, POLICY, RULE, purpose

_RULE = re.compile(r"spec\.egress\[(\d+)\]\.")


class Format(StrEnum):
    """How to print."""

    JSON = "json"
    TABLE = "table"
    NBCTL = "nbctl"


def render(compiled: CompiledDocument, style: Format, show: Callable[[str], str] = str) -> str:
    """Print a document; `show` gives a match as people are to see it."""
    match style:
        case Format.JSON:
            return json.dumps(compiled, indent=2, ensure_ascii=False) + "\n"
        case Format.TABLE:
            return "\n\n".join(_sections(compiled, show)) + "\n"
        case Format.NBCTL:
            return "".join(f"{command}\n" for command in _commands(compiled))


def _sections(compiled: CompiledDocument, show: Callable[[str], str]) -> Iterator[str]:
    policies = [
        [f"{each['namespace']}/{each['name']}", "yes" if each["ready"] else "no", note]
        for each in compiled["policies"]
        for note in _notes(each)
    ]
    yield table(("POLICY", "READY", "NOTES"), policies)
    yield table(
        ("POLICY", "RULE", "NETWORK", "SWITCH", "DIRECTION", "PRIORITY", "DSCP", "LIMIT"), map(_cells, compiled["qos"])
    )
    yield (
        "\n".join(f"{visible(_identity(row))}\n  {show(visible(row['match']))}" for row in compiled["qos"]) or "no rows"
    )
    sets = [
        [f"${each['name']}", _members(each["addresses"]), _about(each["external_ids"])]
        for each in compiled["address_sets"]
    ]
    groups = [
        [f"@{each['name']}", _members(each["ports"]), _about(each["external_ids"])] for each in compiled["port_groups"]
    ]
    yield table(("SET", "MEMBERS", "OF"), [*sets, *groups])


def _notes(policy: PolicyEntry) -> list[str]:
    problems = shared(f"{problem['field']}: {problem['message']}" for problem in policy["problems"])
    return [*problems, *(f"warning: {warning}" for warning in shared(policy["warnings"]))] or ["-"]


def shared(texts: Iterable[str]) -> list[str]:
    """Say once what several rules have in common, and which they are."""
    rules: dict[str, list[str]] = {}
    first: dict[str, str] = {}
    for text in texts:
        found = _RULE.match(text)
        common = text if found is None else text[found.end() :]
        first.setdefault(common, text)
        rules.setdefault(common, []).append("" if found is None else found[1])
    return [
        f"{first[common]} (the same for rule{'s' if len(which) > 2 else ''} {', '.join(which[1:])})"  # noqa: PLR2004
        if len(which) > 1
        else first[common]
        for common, which in rules.items()
    ]


def _cells(row: QosEntry) -> list[str]:
    ids, limit = row["external_ids"], row["bandwidth"]
    burst = f", burst {limit['burst']} kb" if "burst" in limit else ""
    return [
        ids.get(POLICY, "-"),
        ids.get(RULE, "-"),
        ids[NETWORK],
        ", ".join(row["switches"]),
        row["direction"],
        str(row["priority"]),
        str(row["action"].get("dscp", "-")),
        f"{limit['rate']} kbps{burst}" if limit else "-",
    ]


def _identity(row: QosEntry) -> str:
    ids = row["external_ids"]
    if POLICY not in ids:
        return f"{purpose(ids[PART])}, on {', '.join(row['switches'])}:"
    part = f" ({ids[PART]})" if PART in ids else ""
    return f"{ids[POLICY]} rule {ids[RULE]}{part} on {', '.join(row['switches'])}:"


def _about(ids: Mapping[str, str]) -> str:
    return ids["nqosd.io/selection"]


def _members(members: Sequence[str]) -> str:
    return " ".join(members) or "(none)"


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Align cells in columns; the last one is as long as it is. A cell is one line, whatever is in it."""
    lines = [header, *([visible(cell) for cell in row] for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(header))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines
    )


def _commands(compiled: CompiledDocument) -> Iterator[str]:
    """Write commands that would create the state in an empty database, in an order that works."""
    for each in compiled["address_sets"]:
        columns = {
            "name": each["name"],
            "addresses": _set(each["addresses"]),
            "external_ids": _map(each["external_ids"]),
        }
        yield f"ovn-nbctl {_create('Address_Set', columns)}"
    for group in compiled["port_groups"]:
        ports = " ".join(map(shlex.quote, group["ports"]))
        yield f"ovn-nbctl pg-add {group['name']} {ports}".rstrip()
        yield f"ovn-nbctl set Port_Group {group['name']} {_assign('external_ids', _map(group['external_ids']))}"
    for row in compiled["qos"]:
        columns = {
            "priority": str(row["priority"]),
            "direction": row["direction"],
            "match": json.dumps(row["match"]),
            "action": _map(row["action"]),
            "bandwidth": _map(row["bandwidth"]),
            "external_ids": _map(row["external_ids"]),
        }
        attach = " ".join(f"-- add Logical_Switch {shlex.quote(switch)} qos_rules @row" for switch in row["switches"])
        yield f"ovn-nbctl -- --id=@row {_create('QoS', columns)} {attach}"


def _create(table: str, columns: Mapping[str, str]) -> str:
    return f"create {table} {' '.join(_assign(column, value) for column, value in columns.items() if value)}"


def _assign(column: str, value: str) -> str:
    return shlex.quote(f"{column}={value}")


def _set(members: Iterable[str]) -> str:
    return ",".join(json.dumps(member) for member in members)


def _map(pairs: Mapping[str, str] | Mapping[str, int]) -> str:
    return ",".join(f"{json.dumps(key)}={json.dumps(value)}" for key, value in pairs.items())
