"""From the text of a manifest to objects: YAML with any number of documents, JSON, and `List` kinds in both.

In: a file's bytes and the name to call it by. Out: its objects, each with the place it stands at, and its problems,
each with file, document and line. Rule: what parses is decoded by the same functions as an API server's answer, so a
manifest means what it would mean in a cluster; times, for one, stay texts. Whatever it holds, no other thread waits.
"""

import difflib
import json
from collections.abc import Iterator

import msgspec
import structlog

from nqosd.api.changes import Object, ResourceKind
from nqosd.api.decoding import DecodeError
from nqosd.api.text import visible
from nqosd.informers.manifests.json_values import json_documents
from nqosd.informers.manifests.yaml_documents import YamlDocument, yaml_documents
from nqosd.informers.manifests.yaml_scalars import TextError
from nqosd.informers.resources import RESOURCES, Resource

_log = structlog.get_logger()

_BY_NAME: dict[str, Resource] = {resource.kind.value: resource for resource in RESOURCES}

_BY_LOWER = {name.lower(): resource for name, resource in _BY_NAME.items()}

LIST_SUFFIX = "List"
STANDARD_INPUT = "-"
CLOSE = 0.85
"""From which likeness on, up to 1, a kind may have been misspelt; `Network` is not a NetworkQoS."""
DEFAULT_NAMESPACE = "default"
LARGEST = 3 << 20
"""Characters and values of an object; an API server takes no request of more bytes."""
MOST_SHOWN = 400
"""Characters of a message."""


class ManifestProblem(msgspec.Struct, frozen=True):
    """What is wrong with a file or with an object in it; `document` and `line` count from 1, 0 where there is none."""

    path: str
    message: str
    document: int = 0
    line: int = 0
    is_warning: bool = False
    """Nothing that was meant for nqosd is left out for certain."""

    @property
    def brief(self) -> str:
        """The message as far as a person wants to read it."""
        return visible(self.message if len(self.message) <= MOST_SHOWN else f"{self.message[:MOST_SHOWN]}…")

    def __str__(self) -> str:
        place = f"{visible(self.path)}:{self.line}" if self.line else visible(self.path)
        return f"{place}: {f'document {self.document}: ' if self.document else ''}{self.brief}"


class ManifestObject(msgspec.Struct, frozen=True):
    """An object, and where it stands."""

    kind: ResourceKind
    value: Object
    path: str
    document: int
    line: int

    def problem(self, message: str) -> ManifestProblem:
        """Say something about this object."""
        return ManifestProblem(self.path, message, self.document, self.line)


class Manifest(msgspec.Struct, frozen=True):
    """What a file holds.

    `broken`: it doesn't parse to its end, so it may hold more than `objects`. `held`: it said this before, and what it
    says now doesn't count yet.
    """

    objects: tuple[ManifestObject, ...] = ()
    problems: tuple[ManifestProblem, ...] = ()
    warnings: tuple[ManifestProblem, ...] = ()
    broken: bool = False
    held: bool = False


def parse_manifest(path: str, text: bytes) -> Manifest:
    """Parse a manifest; a path that ends in `.json` is JSON, any other YAML."""
    objects: list[ManifestObject] = []
    problems: list[ManifestProblem] = []
    warnings: list[ManifestProblem] = []
    number = 0
    is_json = path.endswith(".json") or (path == STANDARD_INPUT and text.lstrip().startswith(b"{"))
    try:
        for document in (json_documents if is_json else yaml_documents)(text):
            number = document.number
            for found in _objects(path, document, may_be_large=len(text) > LARGEST):
                if isinstance(found, ManifestObject):
                    objects.append(found)
                else:
                    (warnings if found.is_warning else problems).append(found)
    except TextError as error:
        problems.append(ManifestProblem(path, str(error), number + 1, error.line))
        return Manifest(tuple(objects), tuple(problems), tuple(warnings), broken=True)
    return Manifest(tuple(objects), tuple(problems), tuple(warnings))


def _objects(path: str, document: YamlDocument, *, may_be_large: bool) -> Iterator[ManifestObject | ManifestProblem]:
    for content in _flatten(document.content):
        if may_be_large and _is_large(content):
            found: ManifestObject | str | None = f"an object of more than {LARGEST} characters; no API server takes one"
        else:
            found = _object(path, document, content)
        if isinstance(found, str):
            yield ManifestProblem(path, found, document.number, document.line)
        elif found is not None:
            yield found
        elif meant := _meant(content):
            yield ManifestProblem(path, meant, document.number, document.line, is_warning=True)


def _flatten(content: object, api_version: str = "", kind: str = "") -> Iterator[object]:
    """Give the objects of lists; an item of a typed list may leave out what the list says (PodList: Pod)."""
    if content is None:
        return
    if not isinstance(content, dict):
        yield content
        return
    filled = {**content}
    if kind:
        filled.setdefault("apiVersion", api_version)
        filled.setdefault("kind", kind)
    items, own_kind = filled.get("items"), str(filled.get("kind", ""))
    if own_kind.endswith(LIST_SUFFIX) and (items is None or isinstance(items, list)):
        for item in items or ():
            yield from _flatten(item, str(filled.get("apiVersion", "")), own_kind.removesuffix(LIST_SUFFIX))
    else:
        yield filled


def _object(path: str, document: YamlDocument, content: object) -> ManifestObject | str | None:
    """Decode one object; a text is what is wrong with it, None means that it is of no interest."""
    if not isinstance(content, dict):
        return f"an object is needed, with apiVersion, kind and metadata; this is {type(content).__name__}"
    api_version, kind = content.get("apiVersion"), content.get("kind")
    if not isinstance(kind, str) or not isinstance(api_version, str):
        return f"apiVersion is {_shown(api_version)} and kind is {_shown(kind)}: both must be texts"
    resource = _BY_NAME.get(kind)
    if resource is None or api_version.rpartition("/")[0] != resource.group:
        _log.debug("ignored in a manifest", path=path, kind=kind, api_version=api_version)
        return None
    if api_version != resource.api_version:
        return f"apiVersion of a {kind} is {api_version}: {resource.api_version} is understood"
    try:
        # not-a-number and infinity, which YAML can say, have no JSON
        raw = json.dumps(_placed(resource, content), allow_nan=False).encode()
        value = resource.decode(raw).value
    except (DecodeError, ValueError) as error:
        return str(error)
    return ManifestObject(resource.kind, value, path, document.number, document.line)


def _meant(content: object) -> str:
    """Say what an object that is of no interest may have been meant for."""
    if not isinstance(content, dict):
        return ""
    api_version, kind = str(content["apiVersion"]), str(content["kind"])
    group = api_version.rpartition("/")[0]
    close = difflib.get_close_matches(kind.lower(), _BY_LOWER, n=1, cutoff=CLOSE)
    if not close:
        return ""
    meant = _BY_LOWER[close[0]]
    if group and not difflib.get_close_matches(group, [meant.group]):  # somebody else's kind of that name
        return ""
    return f"{api_version} {kind} is left out; did you mean {meant.api_version} {meant.kind.value}?"


def _shown(value: object) -> str:
    """Show a value; what has more than one is named by its type alone."""
    return type(value).__name__ if isinstance(value, dict | list) else repr(value)


def _is_large(content: object) -> bool:
    """Say whether an object is larger than any from an API server; to write it out would hold up all threads."""
    size, left = 0, [content]
    while left and size <= LARGEST:
        each = left.pop()
        size += 1 + (len(each) if isinstance(each, str) else 0)
        if isinstance(each, dict):
            size += sum(map(len, each))
            left.extend(each.values())
        elif isinstance(each, list):
            left.extend(each)
    return size > LARGEST


def _placed(resource: Resource, content: dict[str, object]) -> dict[str, object]:
    """Put a namespaced object without a namespace into the one that kubectl would, and others into none."""
    metadata = content.get("metadata")
    if not isinstance(metadata, dict):
        return content
    if resource.namespaced:
        return {**content, "metadata": {**metadata, "namespace": metadata.get("namespace") or DEFAULT_NAMESPACE}}
    return {**content, "metadata": {key: value for key, value in metadata.items() if key != "namespace"}}
