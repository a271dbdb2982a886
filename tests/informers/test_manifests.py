"""Which files are read, and what they say together."""

from pathlib import Path

from nqosd.api.changes import Change, ResourceKind
from nqosd.api.objects import Namespace
from nqosd.informers.manifests.file_system import list_files
from nqosd.informers.manifests.paths import read_manifests


def namespace(name: str, color: str = "blue") -> str:
    """Give a manifest."""
    return f"{{apiVersion: v1, kind: Namespace, metadata: {{name: {name}, labels: {{color: {color}}}}}}}\n"


def value(name: str, color: str = "blue") -> Namespace:
    """Give what it decodes to."""
    return Namespace(name, {"color": color})


def test_files_and_folders_are_read(tmp_path: Path) -> None:
    """A path is a file of any name, or a folder with everything below it that looks like a manifest."""
    (tmp_path / "deep" / "er").mkdir(parents=True)
    (tmp_path / "deep" / "b.yml").write_text(namespace("b"))
    (tmp_path / "deep" / "er" / "c.json").write_text('{"apiVersion":"v1","kind":"Namespace","metadata":{"name":"c"}}')
    (tmp_path / "deep" / "notes.txt").write_text("not: [a manifest")
    (tmp_path / "one").write_text(namespace("a"))
    found = read_manifests([tmp_path / "one", str(tmp_path / "deep")])
    assert list(found.objects) == [(ResourceKind.NAMESPACE, name) for name in "abc"]
    assert found.problems == found.warnings == ()


def test_changes_are_what_an_empty_cache_needs() -> None:
    """Every object appears, in the order of the files."""
    assert read_manifests([]).changes() == []


def test_every_object_appears(tmp_path: Path) -> None:
    """`changes` tells each object as new."""
    (tmp_path / "a.yaml").write_text(namespace("b") + "---\n" + namespace("a"))
    assert read_manifests([tmp_path]).changes() == [
        Change(ResourceKind.NAMESPACE, "b", None, value("b")),
        Change(ResourceKind.NAMESPACE, "a", None, value("a")),
    ]


def test_hidden_files_and_folders_are_left_out(tmp_path: Path) -> None:
    """A mounted ConfigMap, whose files are links into a hidden folder, is read once; an editor's copy is not read."""
    (tmp_path / "..2026").mkdir()
    (tmp_path / "..2026" / "a.yaml").write_text(namespace("a"))
    (tmp_path / "..data").symlink_to("..2026")
    (tmp_path / "a.yaml").symlink_to("..data/a.yaml")
    (tmp_path / ".a.yaml.swp").write_text("b0VIM")
    assert list_files(str(tmp_path)).files == (f"{tmp_path}/a.yaml",)
    found = read_manifests([tmp_path])
    assert list(found.objects) == [(ResourceKind.NAMESPACE, "a")]
    assert found.warnings == ()


def test_the_later_of_two_counts_with_a_warning(tmp_path: Path) -> None:
    """Later means later in the file, in the alphabet, in the arguments; the warning names both places."""
    (tmp_path / "a.yaml").write_text(namespace("x", "red"))
    (tmp_path / "b.yaml").write_text(namespace("x", "green"))
    found = read_manifests([tmp_path])
    assert found.objects == {(ResourceKind.NAMESPACE, "x"): value("x", "green")}
    assert [str(warning) for warning in found.warnings] == [
        f"{tmp_path}/a.yaml:1: document 1: Namespace x stands again at {tmp_path}/b.yaml:1, which counts"
    ]
    turned = read_manifests([tmp_path / "b.yaml", tmp_path / "a.yaml"])
    assert turned.objects == {(ResourceKind.NAMESPACE, "x"): value("x", "red")}


def test_what_can_not_be_read_is_a_problem_and_the_rest_counts(tmp_path: Path) -> None:
    """A missing path, a dangling link and a broken file are reported; other files and the whole documents count."""
    (tmp_path / "good.yaml").write_text(namespace("a"))
    (tmp_path / "half.yaml").write_text(namespace("b") + "---\nkind: [")
    (tmp_path / "lost.yaml").symlink_to("nowhere")
    found = read_manifests([tmp_path, tmp_path / "missing"])
    assert list(found.objects) == [(ResourceKind.NAMESPACE, "a"), (ResourceKind.NAMESPACE, "b")]
    assert [str(problem) for problem in found.problems] == [
        f"{tmp_path}/half.yaml:3: document 2: not YAML: while parsing a flow node, did not find expected node content",
        f"{tmp_path}/lost.yaml: can't be read: No such file or directory",
        f"{tmp_path}/missing: can't be read: No such file or directory",
    ]
