"""Holds what commands print against the published schemas."""

import json
from typing import Any

from jsonschema import Draft202012Validator

from tests.checkout import ROOT


def conforming(name: str, text: str) -> Any:  # noqa: ANN401 - whatever JSON holds
    """Read a document that a command has printed; it has all fields of docs/schemas/NAME.json and no others."""
    schema = json.loads((ROOT / "docs" / "schemas" / f"{name}.json").read_text(), object_hook=_closed)
    document = json.loads(text)
    Draft202012Validator(schema).validate(document)
    return document


def _closed(value: dict[str, Any]) -> dict[str, Any]:
    return {"additionalProperties": False, **value} if isinstance(value.get("properties"), dict) else value
