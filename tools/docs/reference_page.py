"""`docs/networkqos.md`: the reference of the object, field by field.

In: the CustomResourceDefinition in `config/crd`. Out: the page, with a table for the spec, one for the status and one
for what stands in each list. Rule: the page says what the schema says; docs/meaning.md says how fields work together.
"""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

FILE = Path(__file__).parents[2] / "config/crd/networkqoses.k8s.ovn.org.yaml"
LABELS = "matchExpressions"
"""A field that only label selectors have; their own fields are shown once."""
TOP = """\
# NetworkQoS, field by field

Made from the definition in `config/crd`: `{group}/{version}`, kind `{kind}`, short name `{short}`. [What a NetworkQoS
means](meaning.md) says how the parts work together; `kubectl explain networkqos.spec --recursive` shows the same on a
cluster.

Fields in **bold** must be there where the object around them is; `[]` stands behind a list. The API server refuses what
is beyond the bounds given here. What a schema can't see, such as an exception outside of its block, is refused by the
daemon, in the object's status.
"""
ANNOTATIONS = """\
## Annotations

| annotation | value | meaning |
|---|---|---|
| `nqosd.io/bandwidth-scope` | `Pod` | Each source pod has each limit of this object for itself, and shares none. |
"""

Schema = Mapping[str, Any]


def page() -> str:
    """Write the page."""
    spec = yaml.safe_load(FILE.read_text())["spec"]
    (version,) = spec["versions"]
    top = version["schema"]["openAPIV3Schema"]["properties"]
    selector = top["spec"]["properties"]["podSelector"]
    parts = [
        TOP.format(group=spec["group"], version=version["name"], short=spec["names"]["shortNames"][0], **spec["names"]),
        *_sections("spec", top["spec"]),
        "## Label selectors\n\nWhat they mean is the same everywhere in Kubernetes.\n",
        _table(list(_fields(selector, inside=True))),
        ANNOTATIONS,
        *_sections("status", top["status"]),
    ]
    return "\n".join(parts).replace("<zone>", "ZONE")


def _sections(title: str, schema: Schema) -> Iterator[str]:
    """Give the section of an object, then those of the objects in its lists."""
    yield f"## {title}\n"
    yield f"{schema['description']}\n"
    fields = list(_fields(schema))
    yield _table(fields)
    if checks := schema.get("x-kubernetes-validations"):
        yield "\n".join(["The server also checks:\n", *(f"- {check['message']}" for check in checks), ""])
    for path, each, _must in fields:
        if "properties" in (inner := each.get("items", {})):
            yield from _sections(f"{title}.{path}", {"description": each["description"], **inner})


def _fields(schema: Schema, prefix: str = "", *, inside: bool = False) -> Iterator[tuple[str, Schema, bool]]:
    """Give the fields of an object and of objects in it, but not of those in lists; the third says if it must be there.

    Label selectors stay closed, unless `inside` asks for theirs.
    """
    for name, each in schema["properties"].items():
        path = f"{prefix}{name}{'[]' if 'items' in each else ''}"
        yield path, each, name in schema.get("required", ())
        if "properties" in each and LABELS not in each["properties"]:
            yield from _fields(each, f"{path}.")
        if inside and "properties" in each.get("items", {}):
            yield from _fields(each["items"], f"{path}.")


def _table(fields: Iterable[tuple[str, Schema, bool]]) -> str:
    rows = [
        f"| {f'**`{path}`**' if must else f'`{path}`'} | {_type(each)} | {each.get('description', '')} |"
        for path, each, must in fields
    ]
    return "\n".join(["| field | type | meaning |", "|---|---|---|", *rows, ""])


def _type(schema: Schema) -> str:
    if "items" in schema:
        most = f", at most {schema['maxItems']}" if "maxItems" in schema else ""
        return f"list of {_type(schema['items'])}s{most}"
    if "enum" in schema:
        return ", ".join(f"`{each}`" for each in schema["enum"])
    if "additionalProperties" in schema:
        return f"map of {schema['additionalProperties']['type']}s"
    if LABELS in schema.get("properties", {}):
        return "label selector"
    bounds = f", {schema['minimum']} to {schema['maximum']}" if "maximum" in schema else ""
    return f"{schema['type']}{bounds}"
