"""The sizes in `nqosd`: a function is read at a glance, a file in one go; what is longer has its reason here."""

import ast
from collections.abc import Iterator
from pathlib import Path

import nqosd

ROOT = Path(nqosd.__file__).parent
MOST_OF_FUNCTION, MOST_OF_FILE = 40, 250
"""Lines."""

_DECLARES = "declares its metrics, a name and a sentence for each, and does nothing else"
LONG_FUNCTIONS = {
    "telemetry/northbound_metrics.py NorthboundMetrics.__init__": _DECLARES,
    "telemetry/round_metrics.py RoundMetrics.__init__": _DECLARES,
    "telemetry/status_metrics.py StatusMetrics.__init__": _DECLARES,
}
LONG_FILES = {
    "commands/table.py": (310, "a table: what each command takes; it is read by looking one up"),
    "config/options.py": (270, "a table: each option with its unit, default and bounds; it is read by looking one up"),
    "config/reading.py": (270, "all that a configuration file can have wrong, each in words of its own"),
    "compiler/incremental.py": (400, "the one way of a change through the compiler, and what may be asked of it"),
    "daemon/daemon.py": (280, "puts the parts together, each by name, and does nothing else"),
    "daemon/inspection.py": (280, "one view of the daemon for the pages, a method for each of them"),
    "daemon/rounds.py": (400, "the one loop, from what changed to what is told; the steps share its state"),
    "explain/decide.py": (260, "the verdicts in the order in which a packet meets them"),
    "informers/reflector.py": (340, "the states of one watch, and what leads from one to another"),
    "kube/client.py": (280, "one client: requests, streams, and credentials that turn old meanwhile"),
    "kube/credentials.py": (260, "where credentials can come from, and what each source can have wrong"),
    "northbound/reconciler.py": (
        480,
        "what is dirty belongs to one object, from a change to the proof that it is right",
    ),
    "web/page.py": (260, "one page, from its head to its foot"),
}


def _lengths(path: Path) -> Iterator[tuple[str, int]]:
    """Give the name, with its class's, and the lines of each function of a file."""
    tree = ast.parse(path.read_text())
    for parent in ast.walk(tree):
        for node in ast.iter_child_nodes(parent):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                prefix = f"{parent.name}." if isinstance(parent, ast.ClassDef) else ""
                yield prefix + node.name, (node.end_lineno or node.lineno) - node.lineno + 1


def test_a_long_function_has_its_reason() -> None:
    """No function is longer than 40 lines but those named above, and those are."""
    found = {
        f"{path.relative_to(ROOT)} {name}"
        for path in ROOT.rglob("*.py")
        for name, lines in _lengths(path)
        if lines > MOST_OF_FUNCTION
    }
    assert found == LONG_FUNCTIONS.keys()


def test_a_long_file_has_its_reason() -> None:
    """No file is longer than 250 lines but those named above, and those are, up to the lines that are named there."""
    lengths = {str(path.relative_to(ROOT)): len(path.read_text().splitlines()) for path in ROOT.rglob("*.py")}
    found = {name: lines for name, lines in lengths.items() if lines > MOST_OF_FILE}
    assert found.keys() == LONG_FILES.keys()
    assert {name: lines for name, lines in found.items() if lines > LONG_FILES[name][0]} == {}
