"""`config/nqosd.toml` is the operator's reference: complete, and true."""

import re
from pathlib import Path

import attrs
import pytest

from nqosd.config import Config, parse
from nqosd.config.options import RELOADABLE, SECTIONS

EXAMPLE = Path(__file__).parents[2] / "config" / "nqosd.toml"
OPTION = re.compile(r"^#(?=[a-z_]+ = )", re.MULTILINE)
ALL_OPTIONS = [(section, field) for section, kind in SECTIONS.items() for field in attrs.fields(kind)]


def paragraphs() -> dict[tuple[str, str], str]:
    """Give the paragraph in which each option stands, by section and option."""
    found = {}
    for section in re.split(r"^\[", EXAMPLE.read_text(), flags=re.MULTILINE)[1:]:
        name, _, body = section.partition("]\n")
        for paragraph in body.split("\n\n"):
            for option in re.findall(r"^#([a-z_]+) = ", paragraph, flags=re.MULTILINE):
                assert (name, option) not in found, f"[{name}] documents {option} twice"
                found[name, option] = paragraph
    return found


def test_as_shipped_it_sets_nothing() -> None:
    """The shipped file is the default configuration, since every option in it is commented out."""
    assert not re.search(r"^[a-z_]+ *=", EXAMPLE.read_text(), flags=re.MULTILINE)
    assert parse(EXAMPLE.read_text()) == Config()


def test_uncommented_it_states_the_defaults() -> None:
    """Each option's documented value is its real default, of the same type."""
    config = parse(OPTION.sub("", EXAMPLE.read_text()))
    assert config == Config()
    assert repr(config) == repr(Config())


@pytest.mark.parametrize(("section", "field"), ALL_OPTIONS, ids=lambda each: getattr(each, "name", each))
def test_each_option_is_explained(section: str, field: "attrs.Attribute[object]") -> None:
    """Every option stands in its section with prose before it, and is marked [reload] exactly if it can be."""
    paragraph = paragraphs()[section, field.name]
    assert paragraph.startswith("# ")
    assert ("[reload]" in paragraph) == field.metadata[RELOADABLE]


def test_nothing_else_is_documented() -> None:
    """The file documents no option that doesn't exist."""
    assert set(paragraphs()) == {(section, field.name) for section, field in ALL_OPTIONS}
