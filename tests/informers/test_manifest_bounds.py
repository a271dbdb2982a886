"""Texts of manifests that are made to do harm, or say what no object can."""

import json

import pytest

from nqosd.api.objects import Namespace, Pod
from nqosd.informers.manifests.parsing import LARGEST, MOST_SHOWN, parse_manifest
from nqosd.informers.manifests.yaml_documents import DEEPEST, MOST_ALIASED, MOST_VALUES
from nqosd.informers.manifests.yaml_scalars import LONGEST_NUMBER
from tests.informers.test_manifest_text import keys, parse

GOOD = "{apiVersion: v1, kind: Node, metadata: {name: n}}"
LAUGHS = "a: &a0 [x]\n" + "".join(f"b{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 40))
MERGES = "".join(f"k{n}: v\n" for n in range(2000))


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        (LAUGHS, 7, f"the aliases of this document stand for more than {MOST_ALIASED} characters"),
        (f"a: &a {'x' * 1000}\nb: [{'*a, ' * 2000}]", 2, f"stand for more than {MOST_ALIASED} characters"),
        (f"base: &a {{{MERGES.replace(chr(10), ', ')}}}\n<<: [{'*a, ' * 2000}]", 2, "stand for more than"),
        ("a: 1\nb: *nowhere", 2, "*nowhere: no anchor &nowhere with a complete value stands before it"),
        ("a: 1\nb: &b {c: *b}", 2, "*b: no anchor &b with a complete value stands before it"),
        ("a:\n  b: 1\n  c: 2\n  b: 3", 4, "the key b stands twice in the map that begins at line 4"),
        ("a: 1\n1: x\n'1': y", 3, "the key 1 stands twice"),
        ("a: 1\nb: " + "[" * (DEEPEST + 1), 2, f"more than {DEEPEST} lists and maps within each other"),
        ("a: 1\nb: " + "[" * 20_000, 2, "exceeded maximum nesting depth"),
        ("a: 1\nb: " + "- " * 20_000, 2, "sequence entries are not allowed"),
        ("a: 1\nb: " + "{a: " * 20_000, 2, f"more than {DEEPEST} lists and maps within each other"),
        ("a: 1\nb: " + "9" * 5000, 2, "is a number of 5000 digits; if it is a text, quote it"),
        ("a: 1\nb: 0x" + "f" * 500, 2, "is a number of 502 digits; if it is a text, quote it"),
        ("a: 1\nb: 1." + "0" * 500, 2, "is a number of 502 digits; if it is a text, quote it"),
        ("a: 1\nb: !!int x", 2, "x can't be read as !!int; remove the tag"),
        ("a: 1\nb: !!bool x", 2, "x can't be read as !!bool; remove the tag"),
        ("a: 1\nb: !!float ''", 2, " can't be read as !!float; remove the tag"),
        ("a: 1\nb: !!timestamp 2026-01-01", 2, "the tag !!timestamp says what no object of Kubernetes can hold"),
        ("a: 1\nb: !!python/object/apply:os.system ['true']", 2, "the tag !!python/object/apply:os.system"),
        ("a: 1\nb: !secret x", 2, "the tag !secret says what no object of Kubernetes can hold; remove it"),
        ("a: 1\nb: !!set {x}", 2, "the tag !!set"),
        ("a:\n  [" + "[]," * 600_000, 2, f"more than {MOST_VALUES} keys and values; split it into several documents"),
        ("a: 1\n? [x]\n: y", 2, "a key must be a text; quote it"),
        ("a: 1\n~: y", 2, "a key must be a text; quote it"),
        ("a: 1\n<<: x", 2, "<< merges a map, or a list of maps, and this is neither"),
    ],
)
def test_what_no_object_can_hold_is_an_error_at_its_line(text: str, line: int, words: str) -> None:
    """The file is broken from there on, so that it takes nothing away; what stands before it is read."""
    manifest = parse(f"{GOOD}\n---\n{text}\n")
    assert manifest.broken
    assert keys(manifest) == [("Node", "n")]
    (problem,) = manifest.problems
    assert (problem.line, problem.document) == (line + 2, 2)
    assert words in str(problem)


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ('{"a": [{"b": 1}],\n "b": "a: }",\n "a": 2}', 3, "the key a stands twice in the map that begins at line 1"),
        (
            '{"c": "{",\n "a": {"b": 1, "c": 2,\n "\\u0062": 3}}',
            3,
            "the key b stands twice in the map that begins at 2",
        ),
        ("[" * 200_000, 0, f"more than {DEEPEST} lists and objects within each other"),
        (f"[{'[],' * 600_000}", 0, f"more than {MOST_VALUES} keys and values; split it into several files"),
        ('{"a": "NaN",\n "b": NaN}', 2, "NaN is no number in JSON; if it is a text, quote it"),
        ('{"a":\n -Infinity}', 2, "-Infinity is no number in JSON"),
        (f'{{"a":\n {"9" * 5000}}}', 2, "is a number of 5000 digits; if it is a text, quote it"),
        (f'{{"a":\n 1.{"0" * LONGEST_NUMBER}}}', 2, f"is a number of {LONGEST_NUMBER + 2} digits"),
    ],
)
def test_json_has_the_same_bounds(text: str, line: int, words: str) -> None:
    """The line is that of the key or the number."""
    manifest = parse(text, "a.json")
    assert manifest.broken
    (problem,) = manifest.problems
    assert problem.line == line
    assert words.replace("at 2", "at line 2") in str(problem)


def test_aliases_and_merges_within_the_bounds_mean_what_they_say() -> None:
    """What a map says itself goes before what it merges, and of two that are merged the first one counts."""
    text = """
apiVersion: v1
kind: Namespace
metadata:
  name: &name a
  labels:
    <<: [{x: one, name: merged}, {x: two, y: two}]
    name: *name
    "<<": text
"""
    assert parse(text).objects[0].value == Namespace("a", {"name": "a", "<<": "text", "x": "one", "y": "two"})


def test_keys_are_texts_as_in_json() -> None:
    """A number or a truth value as a key is what it is called in JSON."""
    text = "{apiVersion: v1, kind: Pod, metadata: {name: p, labels: {1: a, true: b, 1.5: c}}}"
    assert parse(text).objects[0].value == Pod("default", "p", {"1": "a", "true": "b", "1.5": "c"})


@pytest.mark.parametrize("path", ["a.yaml", "a.json"])
def test_an_object_that_no_api_server_takes_is_left_out(path: str) -> None:
    """It is named with the bound; other objects of the same list count, however many there are."""

    def pod(name: str, annotation: str) -> dict[str, object]:
        return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "annotations": {"a": annotation}}}

    items = [pod("huge", "x" * LARGEST), *(pod(f"p{number}", "x" * (LARGEST // 4)) for number in range(5))]
    manifest = parse_manifest(path, json.dumps({"apiVersion": "v1", "kind": "List", "items": items}).encode())
    assert len(manifest.objects) == 5
    (problem,) = manifest.problems
    assert f"an object of more than {LARGEST} characters" in str(problem)


def test_a_message_is_short_and_does_nothing_to_a_terminal() -> None:
    """Neither the name of a file nor what stands in it can send a control character, or fill a log."""
    shouting = json.dumps("\x1b[2J" + "x" * 100_000)
    text = f"apiVersion: {shouting}\nkind: 3"
    (problem,) = parse(text, "/a\n\x1b]0;b\udcff.yaml").problems
    assert str(problem).isprintable()
    assert len(str(problem)) < 2 * MOST_SHOWN
    assert str(problem).startswith("/a\\u000a\\u001b]0;b\\udcff.yaml:1: document 1: apiVersion is ")
