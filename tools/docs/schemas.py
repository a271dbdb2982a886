"""JSON schemas of what commands print with `-o json`.

In: the types of the documents. Out: a schema for each, as text. Rule: nothing is described here that the code doesn't
have; fields may be added to a document, and none is taken away or changes its meaning.
"""

import inspect
import json
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec
from msgspec import structs

from nqosd.commands.check_config import Checked
from nqosd.commands.compiled_document import CompiledDocument
from nqosd.commands.diff import Differences
from nqosd.commands.doctor import Diagnosis
from nqosd.commands.explain_document import ExplainDocument
from nqosd.commands.kubectl.plugin_diff import ZoneDifferences
from nqosd.commands.plan_and_apply import Action
from nqosd.statistics.figures import Figures
from nqosd.statistics.rates import Rate
from nqosd.web.views import NetworkState, PolicyDetail, PolicyState, RowState, SelectionState

RULE = [("namespace", str), ("policy", str), ("rule", int), ("network", str)]
FIGURES = [(each.name, each.type) for each in structs.fields(Figures)]
Counted = msgspec.defstruct("Counted", [*RULE, *FIGURES, ("meter_missing", bool)])
Rated = msgspec.defstruct("Rated", [*RULE, ("node", str), *((each.name, each.type) for each in structs.fields(Rate))])
Look = msgspec.defstruct("Look", [("rates", list[Rated]), ("failures", dict[str, str])])  # type: ignore[valid-type]


def _zoned(entry: Any) -> Any:  # noqa: ANN401 - types are made at run time
    """Make the type of an entry of `kubectl nqos`, which names the zone too."""
    fields = [(each.name, each.type) for each in msgspec.structs.fields(entry)]
    return msgspec.defstruct(f"Zoned{entry.__name__}", [("zone", str), *fields])


DOCUMENTS: Mapping[str, Any] = {
    "check-config": Checked,
    "doctor": Diagnosis,
    "compile": CompiledDocument,
    "explain": ExplainDocument,
    "diff": Differences,
    "get-policies": list[PolicyState],
    "get-selections": list[SelectionState],
    "get-rows": list[RowState],
    "get-networks": list[NetworkState],
    "get-policy": PolicyDetail,
    "stats": list[Counted],  # type: ignore[valid-type]
    "top": Look,
    "adopt": Action,
    "takeover": Action,
    "cleanup": Action,
    "kubectl-diff": list[ZoneDifferences],
    "kubectl-get-policies": list[_zoned(PolicyState)],  # type: ignore[misc]
    "kubectl-get-selections": list[_zoned(SelectionState)],  # type: ignore[misc]
    "kubectl-get-rows": list[_zoned(RowState)],  # type: ignore[misc]
    "kubectl-get-networks": list[_zoned(NetworkState)],  # type: ignore[misc]
    "kubectl-get-policy": list[_zoned(PolicyDetail)],  # type: ignore[misc]
}


def schema(name: str) -> str:
    """Write the schema of a document."""
    head = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"{_command(name)} --format json",
    }
    return json.dumps(_unindented(head | msgspec.json.schema(DOCUMENTS[name])), indent=1) + "\n"


def recorded(before: str) -> str:
    """Add the fields that documents have now to those that they ever had; a line is taken away by hand alone."""
    now = {f"{name} {each}" for name in DOCUMENTS for each in fields(json.loads(schema(name)))}
    return "".join(f"{each}\n" for each in sorted(now | set(before.splitlines())))


def fields(document: Mapping[str, Any]) -> set[str]:
    """Name each value of a document and its type by a schema, such as `$.rows[].priority integer`."""
    return set(_fields(document, "$", document.get("$defs", {})))


def _fields(part: Mapping[str, Any], path: str, types: Mapping[str, Any]) -> Iterator[str]:
    variants = [types[each["$ref"].removeprefix("#/$defs/")] if "$ref" in each else each
                for each in part.get("anyOf", [part])]  # fmt: skip
    yield f"{path} {'|'.join(sorted(each.get('type', 'string') for each in variants))}"
    for each in variants:
        for name, inner in each.get("properties", {}).items():
            yield from _fields(inner, f"{path}.{name}", types)
        for name, suffix in (("items", "[]"), ("additionalProperties", ".*")):
            if isinstance(each.get(name), dict):
                yield from _fields(each[name], f"{path}{suffix}", types)


def _unindented(part: object) -> object:
    """Take the indentation out of every docstring, as Python 3.13 does by itself."""
    match part:
        case dict():
            return {name: _unindented(inner) for name, inner in part.items()}
        case list():
            return [_unindented(inner) for inner in part]
        case str():
            return inspect.cleandoc(part)
    return part


def _command(name: str) -> str:
    """Write the command that prints a document."""
    words = name.replace("-", " ")
    return words.replace("kubectl", "kubectl nqos", 1) if words.startswith("kubectl") else f"nqosd {words}"
