"""The scanner finds the line of each key of a TOML text."""

import json
import tomllib

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from nqosd.config import positions

TEXT = '''
title = "a [b] = c # no comment"  # a comment = 1

[daemon]
instance = "x"
 zone='y'

[ "quoted table" . plain ]
"quoted.key" = 1
'literal "key"' = 2
dotted.key . here = 1.5

[[many]]
name = """
[not.a.table]
no_key = 1
ends with quotes ""\\""""
other = \'\'\'
x = 1 \'\'\'
[[many]]
name = 1
list = [
  1, # one ]
  { in_list = [2,
    3], second = "}" },
  ["]", []],
]
inline = { a = 1, b.c = { d = 1979-05-27 07:32:00 }, e = [] }
last = -1.5e3
'''


def test_every_kind_of_key() -> None:
    """Tables, dotted and quoted keys, inline tables and keys after multi-line values are found where they stand."""
    tomllib.loads(TEXT)
    assert positions.find(TEXT) == {
        ("title",): 2,
        ("daemon",): 4,
        ("daemon", "instance"): 5,
        ("daemon", "zone"): 6,
        ("quoted table",): 8,
        ("quoted table", "plain"): 8,
        ("quoted table", "plain", "quoted.key"): 9,
        ("quoted table", "plain", 'literal "key"'): 10,
        ("quoted table", "plain", "dotted"): 11,
        ("quoted table", "plain", "dotted", "key"): 11,
        ("quoted table", "plain", "dotted", "key", "here"): 11,
        ("many",): 20,
        ("many", "name"): 21,
        ("many", "other"): 18,
        ("many", "list"): 22,
        ("many", "list", "in_list"): 24,
        ("many", "list", "second"): 25,
        ("many", "inline"): 28,
        ("many", "inline", "a"): 28,
        ("many", "inline", "b"): 28,
        ("many", "inline", "b", "c"): 28,
        ("many", "inline", "b", "c", "d"): 28,
        ("many", "inline", "e"): 28,
        ("many", "last"): 29,
    }


@pytest.mark.parametrize("end", ["", "\n", "\r\n", "  # comment"])
def test_the_end_of_the_text(end: str) -> None:
    """The last key is found however the text ends."""
    assert positions.find(f"[a]\nb = 1{end}") == {("a",): 1, ("a", "b"): 2}


def test_windows_line_ends() -> None:
    """A carriage return before the newline changes nothing."""
    assert positions.find(TEXT.replace("\n", "\r\n")) == positions.find(TEXT)


def test_deep_nesting_is_borne() -> None:
    """A text that is nested deeper than the interpreter's stack is no error."""
    assert positions.find("a = 1\nb = " + "[" * 100_000)[("a",)] == 1


@example(text='"\\1"')
@given(st.text(alphabet="[]{}=,.\"'\\# \nab1"))
def test_any_text_is_borne(text: str) -> None:
    """No text, TOML or not, is an error, and a line that is given lies within the text."""
    for line in positions.find(text).values():
        assert 1 <= line <= text.count("\n") + 1


KEYS = st.text(alphabet="ab.\"'# =[]é\n", max_size=5)
SCALARS = st.one_of(
    st.text(alphabet="a\"'#=[]{},.\n\\", max_size=8).map(json.dumps),
    st.sampled_from(["1", "-1.5", "true", "07:32:00", "'lit # ]'", '"""\nx = 1 " ]\n"""', "'''\n[t]\n'''", "[\n#]\n]"]),
)


@given(st.dictionaries(KEYS, st.dictionaries(KEYS, SCALARS, max_size=4), max_size=4))
def test_generated_documents(document: dict[str, dict[str, str]]) -> None:
    """In any document each key has the line on which it was written, whatever stands in keys and values."""
    text = ""
    expected: dict[tuple[str, ...], int] = {}
    for table, pairs in document.items():
        text += "# [x] = \n"
        expected[(table,)] = text.count("\n") + 1
        text += f"[ {json.dumps(table)} ] # = 1\n"
        for key, value in pairs.items():
            text += "\n"
            expected[table, key] = text.count("\n") + 1
            text += f"{json.dumps(key)} = {value} # {{\n"
    tomllib.loads(text)
    assert positions.find(text) == expected
