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
    "commands/table.py": "a table: what each command takes; it is read by looking one up",
    "config/options.py": "a table: each option with its unit, default and bounds; it is read by looking one up",
    "config/reading.py": "all that a configuration file can have wrong, each in words of its own",
    "compiler/incremental.py": "the one way of a change through the compiler, whose steps share what is kept between "
    "batches; policies, sets, room and rows of switches stand in files of their own",
    "compiler/set_members.py": "the one index of who is in which set: each way in has its way out beside it",
    "daemon/daemon.py": "puts the parts together, each by name, and does nothing else",
    "daemon/inspection.py": "one view of the daemon for the pages, a method for each of them",
    "daemon/rounds.py": "the one loop, from what changed to what is told; the steps share its state",
    "explain/decide.py": "the verdicts in the order in which a packet meets them",
    "informers/reflector.py": "the states of one watch, and what leads from one to another",
    "kube/client.py": "one client: requests, streams, and credentials that turn old meanwhile",
    "kube/credentials.py": "where credentials can come from, and what each source can have wrong",
    "northbound/reconciler.py": "what is dirty belongs to one object, from a change to the proof that it is right; "
    "plans, shares, repairs and refusals stand in files of their own",
    "web/page.py": "one page, from its head to its foot",
    "web/server.py": "one server: its start, its certificate and its paths",
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
    """No file is longer than 250 lines but those named above, and those are."""
    found = {
        str(path.relative_to(ROOT)) for path in ROOT.rglob("*.py") if len(path.read_text().splitlines()) > MOST_OF_FILE
    }
    assert found == LONG_FILES.keys()
