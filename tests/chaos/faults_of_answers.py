"""Faults of what an API server says: answers of the wrong kind, refusals, watches that end at once or say nothing.

In: a harness. Out: `FAULTS`. The rule: a fake tells them, since no real API server does; a request that is not to be
lied about reaches the real one.
"""

import json
import re
from collections.abc import Callable
from random import Random
from urllib.parse import parse_qs, urlsplit

from nqosd.informers.resources import RESOURCES
from tests.chaos.fault import Begin, End, Fault
from tests.chaos.harness import Harness
from tests.faults.liar import Answer, Lie
from tests.faults.manifests import Json

STATUS: Json = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "reason": "InternalError",
                "message": "made up", "code": 500}  # fmt: skip
EXPIRED: Json = {"type": "ERROR", "object": {**STATUS, "reason": "Expired", "code": 410}}
FOREIGN: Json = {"kind": "ConfigMapList", "apiVersion": "v1", "metadata": {"resourceVersion": "9"}, "items": []}
HTML = b"<html><body><h1>It works!</h1></body></html>"
NAMESPACE = re.compile(r"/namespaces/[^/]+/(?=[a-z-]+$)")
"""What stands in the path of a watch of one namespace, and not in that of all."""
LATE = (("Retry-After", "86400"),)
WITHOUT_NAME: Json = {"type": "ADDED", "object": {"kind": "Pod", "apiVersion": "v1", "metadata": {}}}
OF_ANOTHER_KIND: Json = {"type": "DELETED", "object": {"kind": "ConfigMap", "apiVersion": "v1",
                         "metadata": {"name": "pod1", "namespace": "default", "resourceVersion": "9"}}}  # fmt: skip


def _json(value: object) -> Answer:
    return Answer(json.dumps(value).encode() + b"\n")


def _null_items(path: str) -> Answer:
    resource = next(each for each in RESOURCES if each.path == path)
    return _json(
        {"kind": f"{resource.kind.value}List", "apiVersion": resource.api_version,
         "metadata": {"resourceVersion": "9"}, "items": None}
    )  # fmt: skip


def _without_version(path: str) -> Answer:
    resource = next(each for each in RESOURCES if each.path == path)
    return _json(
        {"kind": f"{resource.kind.value}List", "apiVersion": resource.api_version, "metadata": {}, "items": []}
    )


LISTS: dict[str, Callable[[str], Answer]] = {
    "{}": lambda _path: _json({}),
    "a Status of failure": lambda _path: _json(STATUS),
    "another kind's empty list": lambda _path: _json(FOREIGN),
    "items: null": _null_items,
    "no items and no version": _without_version,
    "a page of HTML": lambda _path: Answer(HTML, content_type="text/html"),
    "half a body": lambda _path: Answer(b'{"kind":"PodList","apiVersion":"v1","metadata":{"resourceVersion":"9"},"it'),
    "nothing": lambda _path: Answer(),
    "nothing for a long time": lambda _path: Answer(silent=True),
    "500": lambda _path: Answer(json.dumps(STATUS).encode(), status=500),
    "401": lambda _path: Answer(HTML, status=401, content_type="text/html"),
    "404": lambda _path: Answer(b"404 page not found\n", status=404, content_type="text/plain"),
    "429, and come back tomorrow": lambda _path: Answer(json.dumps(STATUS).encode(), status=429, headers=LATE),
}
"""By what an API server says to a list, how."""
WATCHES = {
    "end at once": Answer(),
    "say nothing": Answer(silent=True),
    "say that they have expired": _json(EXPIRED),
    "tell of objects without a name": _json(WITHOUT_NAME),
    "tell of another kind's objects": _json(OF_ANOTHER_KIND),
    "give a page of HTML": Answer(HTML, content_type="text/html"),
}


def _about_lists(paths: frozenset[str], name: str) -> Lie:
    """Answer lists so, and let every watch expire, so that there are lists."""

    def lie(request: str) -> Answer | None:
        path, query = _taken_apart(request)
        if path not in paths:
            return None
        if "watch" in query and "sendInitialEvents" not in query:
            return _json(EXPIRED)
        return LISTS[name](path)

    return lie


def _about_watches(paths: frozenset[str], name: str) -> Lie:
    """Answer watches so; what begins with a list too says the truth."""

    def lie(request: str) -> Answer | None:
        path, query = _taken_apart(request)
        return WATCHES[name] if path in paths and "watch" in query and "sendInitialEvents" not in query else None

    return lie


def _taken_apart(request: str) -> tuple[str, dict[str, list[str]]]:
    parts = urlsplit(request)
    return NAMESPACE.sub("/", parts.path), parse_qs(parts.query)


def _telling(make: Callable[[frozenset[str], str], Lie], name: str) -> Begin:
    """Lie to some of the daemons, about every kind or about one."""

    def begin(harness: Harness, random: Random) -> End:
        paths = [each.path for each in RESOURCES]
        lied_about = paths if random.random() < 0.5 else [random.choice(paths)]
        harness.liar.tell(make(frozenset(lied_about), name))
        harness.lie_to(random.choice((harness.lines, harness.lines[:1], harness.lines[1:])))
        return harness.stop_lying

    return begin


FAULTS: tuple[Fault, ...] = (
    *(Fault(f"lists answered by {name}", "answers", _telling(_about_lists, name), weight=0.35) for name in LISTS),
    *(Fault(f"watches that {name}", "answers", _telling(_about_watches, name), weight=0.35) for name in WATCHES),
)
