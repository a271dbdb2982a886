"""Structured logs on standard error: JSON for machines, text for people, and never a secret.

In: `structlog.get_logger()` anywhere in the daemon, and the standard library's logging from the libraries it uses. Out:
one line for each entry. Rule: what looks like a credential is replaced in every entry at every level, whoever wrote it;
no text and no list is longer than somebody reads; and libraries may only warn, since their debug entries hold whole
request and response bodies.
"""

import logging
import os
import re
import sys
from collections.abc import Mapping, MutableMapping
from itertools import islice
from typing import TextIO, TypeAlias

from nqosd.runtime.log_library import structlog  # isort: skip - before anything else imports it
from structlog.typing import Processor

from nqosd.api.text import MOST, visible

EventDict: TypeAlias = MutableMapping[str, object]

REDACTED = "<redacted>"
_SECRET_KEYS = re.compile(r"token|authorization|password|passwd|secret|credential|cookie", re.IGNORECASE)
_PATH_KEYS = re.compile(r"_(file|path)$", re.IGNORECASE)
_SECRET_TEXT = re.compile(
    r"(?P<header>\bbearer\s+|\bauthorization\W{1,4}(?:[a-z]+\s+)?)[^\s@,;\"']+|(?P<user>://[^/\s:@]+:)[^\s@/]+(?=@)",
    re.IGNORECASE,
)
"""What follows a bearer's name, a header's name or a user's name in an address."""
_PRIORITIES = {"debug": 7, "info": 6, "warning": 4, "error": 3, "critical": 2}
"""The levels of syslog, which the journal understands as a prefix `<3>` of a line."""

_LINES = ("exception", "stack")
"""Keys of an entry whose text has several lines."""
LONGEST = 2_000
"""Characters of a text; a condition's message may have 32,768, and an error holds whatever a server answered."""
LONGEST_OF_LINES = 16_000
LONGEST_OF_LIST = 200
"""Characters of a text in a list."""
_OURS = "nqosd"


def configure(level: str, style: str, stream: TextIO | None = None) -> None:
    """Log at `level` (debug, info, warning, error) in `style` (auto, json, console) from now on.

    It may be called again at any time; loggers that are already in use follow.
    """
    stream = sys.stderr if stream is None else stream
    before_rendering: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        redact,
    ]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *before_rendering,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,  # a cached logger would keep to the configuration of its first entry
    )
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[_apply_arguments, *before_rendering],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, _renderer(style, stream)],
        )
    )
    root, ours = logging.getLogger(), logging.getLogger(_OURS)
    root.handlers = [handler]
    ours.setLevel(level.upper())
    root.setLevel(max(logging.WARNING, ours.level))
    logging.captureWarnings(capture=True)


def redact(_logger: object, _method: str, event: EventDict) -> EventDict:
    """Replace credentials in an entry: values of keys that name one, and in text what follows `Bearer` or `user:`.

    Of long texts, lists and mappings the beginning is kept, and it is said how much there was.
    """
    for key, value in event.items():
        event[key] = _clean(key, value, LONGEST_OF_LINES if key in _LINES else LONGEST)
    return event


def _clean(key: str, value: object, most: int) -> object:
    if isinstance(value, bool | int | float | None):
        return value
    if _SECRET_KEYS.search(key) and not _PATH_KEYS.search(key):
        return REDACTED
    if isinstance(value, str):
        return _text(value, most)
    if isinstance(value, Mapping):
        kept = {str(name): each for name, each in islice(value.items(), MOST)}
        found = {_text(name, LONGEST_OF_LIST): _clean(name, each, LONGEST_OF_LIST) for name, each in kept.items()}
        return found | ({} if len(value) <= MOST else {"…": f"and {len(value) - MOST} more"})
    if isinstance(value, list | tuple | set | frozenset):
        first = [_clean("", each, LONGEST_OF_LIST) for each in islice(value, MOST)]
        return first + ([] if len(value) <= MOST else [f"and {len(value) - MOST} more"])
    return _text(str(value), most) if isinstance(value, BaseException) else value


def _text(text: str, most: int) -> str:
    """Redact and cut a text; only what surely was redacted as a whole is shown, and no more of it is looked at."""
    shown = _SECRET_TEXT.sub(rf"\g<header>\g<user>{REDACTED}", text[: 2 * most])
    if len(text) <= most:
        return shown
    length = most if len(text) <= 2 * most else min(most, max(0, len(shown) - most))
    return f"{shown[:length]}… (cut; {len(text)} characters)"


def _apply_arguments(_logger: object, _method: str, event: EventDict) -> EventDict:
    """Keep the record of another library as text only; its arguments are already in the message."""
    event.pop("positional_args", None)
    return event


def _renderer(style: str, stream: TextIO) -> Processor:
    if style == "console" or (style == "auto" and stream.isatty()):
        render: Processor = _console(structlog.dev.ConsoleRenderer(colors=stream.isatty()))
    else:
        render = _plain(structlog.processors.JSONRenderer(ensure_ascii=False))
    return _prefixed(render) if _is_journal(stream) else render


def _console(render: Processor) -> Processor:
    """Show what an entry's texts hold before anything is coloured; a traceback keeps its lines."""

    def process(logger: object, method: str, event: EventDict) -> str:
        shown = {visible(key): _shown(value, lines=key in _LINES) for key, value in event.items()}
        return str(render(logger, method, shown))

    return process


def _shown(value: object, *, lines: bool = False) -> object:
    if isinstance(value, bool | int | float | None):
        return value
    return "\n".join(map(visible, str(value).split("\n"))) if lines else visible(str(value))


def _plain(render: Processor) -> Processor:
    """Escape what JSON doesn't and a terminal would obey; it can stand in strings only."""
    return lambda logger, method, event: visible(str(render(logger, method, event)))


def _is_journal(stream: TextIO) -> bool:
    """Say whether a stream goes to the systemd journal: $JOURNAL_STREAM then holds its device and inode."""
    try:
        stat = os.fstat(stream.fileno())
    except OSError:
        return False
    return os.environ.get("JOURNAL_STREAM") == f"{stat.st_dev}:{stat.st_ino}"


def _prefixed(render: Processor) -> Processor:
    """Put the level before each line as the journal reads it, so that `journalctl --priority` works."""

    def process(logger: object, method: str, event: EventDict) -> str:
        priority = _PRIORITIES.get(str(event.get("level")), 6)
        line = str(render(logger, method, event))
        return f"<{priority}>{line}"

    return process
