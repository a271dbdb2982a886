"""Texts for people."""

import json
import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from nqosd.api.text import visible

ANY_TEXT = st.text(st.characters(categories=None))


@given(ANY_TEXT)
def test_what_is_visible_can_be_printed_and_says_what_it_was(text: str) -> None:
    """Nothing acts on a terminal, a line stays one, and what was escaped can be read back as JSON reads it."""
    shown = visible(text)
    assert shown.isprintable()
    assert all(unicodedata.category(each)[0] not in "CZ" or each == " " for each in shown)
    if "\\" not in text and '"' not in text:
        assert json.loads(f'"{shown}"').encode("utf-16", "surrogatepass") == text.encode("utf-16", "surrogatepass")


def test_words_stay_as_they_are() -> None:
    """Letters of any script, and what programs write, need no escape."""
    for text in ("", "ip4.src == $set", 'inport == "a"', "Größe", "мир", "平和", "é"):
        assert visible(text) == text
