"""The documents that commands print keep their fields from version to version."""

import json
from typing import Any, TypeAlias

import pytest

from tests.checkout import ROOT
from tools.docs.generate import FIELDS
from tools.docs.schemas import DOCUMENTS, fields, schema

Json: TypeAlias = dict[str, Any]


def test_no_field_goes_or_changes_its_type() -> None:
    """Each field that a document ever had is there, with its type; tests/docs/fields.txt records them all."""
    now = {f"{name} {each}" for name in DOCUMENTS for each in fields(json.loads(schema(name)))}
    gone = sorted(set((ROOT / FIELDS).read_text().splitlines()) - now)
    assert gone == [], "whoever reads these documents relies on them: CHANGELOG.md must say so, and they go by hand"


INTEGER: Json = {"type": "integer"}


def document(**properties: Json) -> Json:
    """Give the schema of a list of objects."""
    types = {"Rows": {"type": "array", "items": {"$ref": "#/$defs/Row"}},
             "Row": {"type": "object", "properties": properties}}  # fmt: skip
    return {"$ref": "#/$defs/Rows", "$defs": types}


@pytest.mark.parametrize(
    "changed",
    [
        document(),
        document(a={"type": "string"}),
        document(a={"anyOf": [{"type": "null"}, INTEGER]}),
        document(a={"type": "array", "items": INTEGER}),
    ],
    ids=["gone", "of another type", "null at times", "a list"],
)
def test_what_is_no_more_the_same_is_found(changed: Json) -> None:
    """A field that is missing, or that may be of another type, is another one; one that was added isn't missed."""
    before = fields(document(a=INTEGER))
    assert before - fields(changed) == {"$[].a integer"}
    assert before < fields(document(a=INTEGER, b={"enum": ["x", "y"]}))
