"""The names in `nqosd`: each class and each file stands for one thing."""

import ast
from collections import defaultdict
from pathlib import Path

import nqosd

ROOT = Path(nqosd.__file__).parent


def test_a_public_class_has_a_name_of_its_own() -> None:
    """No two modules define a public class of one name."""
    places = defaultdict(list)
    for path in ROOT.rglob("*.py"):
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                places[node.name].append(str(path.relative_to(ROOT)))
    assert {name: found for name, found in places.items() if len(found) > 1} == {}


def test_a_file_has_a_name_of_its_own() -> None:
    """No two modules have one name, but for those of a package and of the one thing in it."""
    places = defaultdict(list)
    for path in ROOT.rglob("*.py"):
        if path.stem not in ("__init__", path.parent.name):
            places[path.stem].append(str(path.relative_to(ROOT)))
    assert {name: found for name, found in places.items() if len(found) > 1} == {}
