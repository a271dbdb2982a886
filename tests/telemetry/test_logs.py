"""Logs are one entry a line, in the asked form, and never hold a secret."""

import io
import json
import logging
import os
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from nqosd.telemetry import logs


@pytest.fixture(autouse=True)
def _restored_logging() -> Iterator[None]:
    """Leave the logging of the test run as it was."""
    root, ours = logging.getLogger(), logging.getLogger("nqosd")
    before = (list(root.handlers), root.level, ours.level)
    yield
    root.handlers[:], level, our_level = before
    root.setLevel(level)
    ours.setLevel(our_level)
    logging.captureWarnings(capture=False)
    structlog.reset_defaults()


def entries(stream: io.StringIO) -> list[dict[str, object]]:
    """Decode what was logged as JSON."""
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def logger(name: str = "nqosd.tests") -> structlog.stdlib.BoundLogger:
    """Give a logger as the daemon's modules have them, under a name of the daemon's."""
    return structlog.stdlib.get_logger(name)


def test_json_has_one_object_a_line() -> None:
    """An entry is a JSON object with its event, values, level, logger and time in UTC."""
    stream = io.StringIO()
    logs.configure("info", "json", stream)
    logger().info("policy applied", policy="a/b", rows=3, zone="ü\n")
    (entry,) = entries(stream)
    assert str(entry.pop("timestamp")).endswith("Z")
    assert entry == {
        "event": "policy applied",
        "policy": "a/b",
        "rows": 3,
        "zone": "ü\n",
        "level": "info",
        "logger": "nqosd.tests",
    }


def test_console_is_text() -> None:
    """The style for people is a line of text, without colours where there is no terminal."""
    stream = io.StringIO()
    logs.configure("info", "console", stream)
    logger().warning("policy refused", policy="a/b")
    assert "policy refused" in stream.getvalue()
    assert "policy=a/b" in stream.getvalue()
    assert "\x1b" not in stream.getvalue()


def test_auto_is_json_without_a_terminal_and_text_on_one() -> None:
    """The style "auto" asks the stream."""

    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    plain, terminal = io.StringIO(), Terminal()
    logs.configure("info", "auto", plain)
    logger().info("one")
    logs.configure("info", "auto", terminal)
    logger().info("two")
    assert [entry["event"] for entry in entries(plain)] == ["one"]
    assert "two" in terminal.getvalue()
    assert not terminal.getvalue().startswith("{")


def test_a_reload_changes_loggers_in_use() -> None:
    """Level and style change for loggers that have logged before, as a reload needs."""
    first, second = io.StringIO(), io.StringIO()
    logs.configure("warning", "json", first)
    used = logger()
    used.info("hidden")
    used.warning("shown")
    logs.configure("debug", "console", second)
    used.debug("shown too")
    assert [entry["event"] for entry in entries(first)] == ["shown"]
    assert "shown too" in second.getvalue()


def test_libraries_may_only_warn() -> None:
    """Entries of libraries below warning stay out even at level debug: they hold whole bodies."""
    stream = io.StringIO()
    logs.configure("debug", "json", stream)
    library = logging.getLogger("kubernetes_asyncio.client.rest")
    library.debug("response body: %s", "kind: Secret")
    library.info("connected")
    library.warning("retrying %s", "soon")
    assert [(entry["event"], entry["logger"]) for entry in entries(stream)] == [("retrying soon", library.name)]


def test_a_higher_level_holds_for_libraries_too() -> None:
    """At level error a library's warning stays out."""
    stream = io.StringIO()
    logs.configure("error", "json", stream)
    logging.getLogger("aiohttp").warning("hidden")
    logging.getLogger("aiohttp").error("shown")
    assert [entry["event"] for entry in entries(stream)] == ["shown"]


def test_a_port_is_no_password() -> None:
    """An address without a user keeps its port."""
    stream = io.StringIO()
    logs.configure("info", "json", stream)
    logger().info("serving", url="http://127.0.0.1:17476/metrics")
    assert [entry["url"] for entry in entries(stream)] == ["http://127.0.0.1:17476/metrics"]


def test_python_warnings_are_logged() -> None:
    """A warning of the interpreter becomes an entry instead of bare text."""
    stream = io.StringIO()
    logs.configure("info", "json", stream)
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        logging.captureWarnings(capture=True)
        warnings.warn("something is odd", RuntimeWarning, stacklevel=1)
        logging.captureWarnings(capture=False)
    assert any("something is odd" in str(entry["event"]) for entry in entries(stream))


def test_an_exception_is_one_entry() -> None:
    """A traceback stands inside its entry."""
    stream = io.StringIO()
    logs.configure("info", "json", stream)
    try:
        int("Bearer abc.def")
    except ValueError:
        logger().exception("it failed")
    (entry,) = entries(stream)
    assert "ValueError" in str(entry["exception"])
    assert "abc.def" not in stream.getvalue()


SECRET = "s3cr3t-value"  # noqa: S105 - what must not be seen


@pytest.mark.parametrize("level", ["debug", "info", "warning", "error"])
@pytest.mark.parametrize("style", ["json", "console"])
def test_no_secret_is_logged(level: str, style: str) -> None:
    """A credential is replaced at every level and style, by its key or by how it stands in text, however deep."""
    stream = io.StringIO()
    logs.configure("debug", style, stream)
    write = getattr(logger(), level)
    write("by key", token=SECRET, Authorization=f"Basic {SECRET}", client_secret=SECRET, passwd=SECRET)
    write("nested", request={"headers": {"Authorization": SECRET, "Accept": "yes"}}, parts=[f"Bearer {SECRET}"])
    write(f"in the event: Authorization: Bearer {SECRET}")
    write(f"in a header: {{'Authorization': 'Basic {SECRET}'}} and a basic idea")
    write("in a url", url=f"https://user:{SECRET}@api.example:6443/x")
    write("in an error", error=ValueError(f"refused: bearer {SECRET}"))
    logging.getLogger("aiohttp").error("library said bearer %s", SECRET)
    assert SECRET not in stream.getvalue()
    assert stream.getvalue().count(logs.REDACTED) == 11
    for kept in ("by key", "Accept", "yes", "in the event", "api.example:6443", "user", "refused", "basic idea"):
        assert kept in stream.getvalue()


def test_what_is_no_secret_stays() -> None:
    """Paths of secret files and numbers about tokens are what an operator needs to see."""
    stream = io.StringIO()
    logs.configure("info", "json", stream)
    logger().info("x", bearer_token_file="/etc/nqosd/token", tokens=3, tokens_known=True, token=None)  # noqa: S106 - paths
    (entry,) = entries(stream)
    assert entry["bearer_token_file"] == "/etc/nqosd/token"  # noqa: S105 - a path
    assert (entry["tokens"], entry["tokens_known"], entry["token"]) == (3, True, None)


@pytest.mark.parametrize("style", ["json", "console"])
def test_an_entry_is_never_long(style: str) -> None:
    """Long texts, lists and mappings are cut, and it is said how much there was; what they begin with is kept."""
    stream = io.StringIO()
    logs.configure("info", style, stream)
    long = "0123456789" * 10_000
    by_name = {f"{each}{long}": long for each in range(100)}
    logger().warning("beyond", detail=long, names=[long] * 100, by_name=by_name)
    logging.getLogger("aiohttp").error("answered %s", long)
    lines = stream.getvalue().splitlines()
    assert [len(line) < 20_000 for line in lines] == [True, True]
    for said in ("0123456789", "(cut; 100000 characters)", "and 80 more"):
        assert said in lines[0]
    assert "answered 0123" in lines[1]


@pytest.mark.parametrize("before", [0, 1_900, 2_000, 3_990, 4_000])
def test_no_secret_is_seen_where_a_text_is_cut(before: int) -> None:
    """Wherever a credential stands in a long text, beside the cut too, nothing of it is shown."""
    stream = io.StringIO()
    logs.configure("info", "json", stream)
    secret = "s3cr3t" * 20
    logger().warning("long", text=f"{'x' * before} https://user:{secret}@host bearer {secret}{' y' * 4_000}")
    logger().warning("many", text=f"bearer {secret} " * 30 + f"https://user:{secret}@host" + " y" * 4_000)
    assert "s3cr3t" not in stream.getvalue()


def test_the_journal_gets_priorities(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where standard error is the systemd journal, each line begins with its priority, and nowhere else."""
    path = tmp_path / "journal"
    with path.open("w") as stream:
        stat = os.fstat(stream.fileno())
        monkeypatch.setenv("JOURNAL_STREAM", f"{stat.st_dev}:{stat.st_ino}")
        logs.configure("debug", "auto", stream)
        for level in ("debug", "info", "warning", "error", "critical"):
            getattr(logger(), level)("x")
        monkeypatch.setenv("JOURNAL_STREAM", "1:2")
        logs.configure("debug", "auto", stream)
        logger().info("x")
    assert [line[:4] for line in path.read_text().splitlines()] == ["<7>{", "<6>{", "<4>{", "<3>{", "<2>{", '{"ev']


@pytest.mark.parametrize("style", ["console", "json"])
def test_hostile_texts_are_shown_as_what_they_are(style: str) -> None:
    """No text of an object acts on the terminal of who reads the log, or makes a line of its own."""
    stream = io.StringIO()
    logs.configure("info", style, stream)
    hostile = "\x1b[2J\x9b31m\u202e\u2028\n{}"
    try:
        raise ValueError(hostile)  # noqa: TRY301 - it is raised to be logged
    except ValueError:
        logger().exception(f"refused {hostile}", policy=hostile, **{"a\x1b": [hostile]})
    lines = stream.getvalue().splitlines()
    assert all(line.isprintable() for line in lines)
    assert r"\u202e\u2028" in lines[0]
    assert sum("refused" in line for line in lines) == 1
