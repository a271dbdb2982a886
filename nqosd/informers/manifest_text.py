"""From the text of a manifest to objects: YAML with any number of documents, JSON, and `List` kinds in both.

In: a file's bytes and the name to call it by. Out: its objects, each with the place it stands at, and its problems,
each with file, document and line. Rule: what parses is decoded by the same functions as an API server's answer, so a
manifest means what it would mean in a cluster; times, for one, stay texts.
"""

import json
from collections.abc import Iterator

import attrs
import structlog
import yaml

from nqosd.api.decoding import DecodeError
from nqosd.informers.changes import Kind, Object
from nqosd.informers.resources import RESOURCES, Resource

_log = structlog.get_logger()

_BY_NAME: dict[str, Resource] = {resource.kind.value: resource for resource in RESOURCES}

LIST_SUFFIX = "List"
DEFAULT_NAMESPACE = "default"


@attrs.frozen
class ManifestProblem:
    """What is wrong with a file or with an object in it; `document` and `line` count from 1, 0 where there is none."""

    path: str
    message: str
    document: int = 0
    line: int = 0

    def __str__(self) -> str:
        place = f"{self.path}:{self.line}" if self.line else self.path
        return f"{place}: {f'document {self.document}: ' if self.document else ''}{self.message}"


@attrs.frozen
class ManifestObject:
    """An object, and where it stands."""

    kind: Kind
    value: Object
    path: str
    document: int
    line: int

    def problem(self, message: str) -> ManifestProblem:
        """Say something about this object."""
        return ManifestProblem(self.path, message, self.document, self.line)


@attrs.frozen
class Manifest:
    """What a file holds. `broken`: it doesn't parse to its end, so it may hold more than `objects`."""

    objects: tuple[ManifestObject, ...] = ()
    problems: tuple[ManifestProblem, ...] = ()
    broken: bool = False


@attrs.frozen
class _Document:
    number: int
    line: int
    content: object


def parse_manifest(path: str, text: bytes) -> Manifest:
    """Parse a manifest; a path that ends in `.json` is JSON, any other YAML."""
    objects: list[ManifestObject] = []
    problems: list[ManifestProblem] = []
    number = 0
    try:
        for document in _json_documents(text) if path.endswith(".json") else _yaml_documents(text):
            number = document.number
            for found in _objects(path, document):
                if isinstance(found, ManifestObject):
                    objects.append(found)
                else:
                    problems.append(found)
    except yaml.MarkedYAMLError as error:
        # the end of a file that breaks off counts as a line of its own
        line = min(error.problem_mark.line + 1, len(text.splitlines())) if error.problem_mark else 0
        problems.append(ManifestProblem(path, f"not YAML: {_describe(error)}", number + 1, line))
    except json.JSONDecodeError as error:
        problems.append(ManifestProblem(path, f"not JSON: {error.msg}", number + 1, error.lineno))
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        problems.append(ManifestProblem(path, f"can't be read: {error}", number + 1))
    else:
        return Manifest(tuple(objects), tuple(problems))
    return Manifest(tuple(objects), tuple(problems), broken=True)


def _describe(error: yaml.MarkedYAMLError) -> str:
    return ", ".join(part for part in (error.context, error.problem) if part)


def _objects(path: str, document: _Document) -> Iterator[ManifestObject | ManifestProblem]:
    for content in _flatten(document.content):
        found = _object(path, document, content)
        if isinstance(found, str):
            yield ManifestProblem(path, found, document.number, document.line)
        elif found is not None:
            yield found


def _flatten(content: object, api_version: str = "", kind: str = "") -> Iterator[dict[str, object] | object]:
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


def _object(path: str, document: _Document, content: object) -> ManifestObject | str | None:
    """Decode one object; a text is what is wrong with it, None means that it is of no interest."""
    if not isinstance(content, dict):
        return f"an object is needed, with apiVersion, kind and metadata; this is {type(content).__name__}"
    api_version, kind = content.get("apiVersion"), content.get("kind")
    if not isinstance(kind, str) or not isinstance(api_version, str):
        return f"apiVersion is {api_version!r} and kind is {kind!r}: both must be texts"
    resource = _BY_NAME.get(kind)
    if resource is None or api_version.rpartition("/")[0] != resource.group:
        _log.debug("ignored in a manifest", path=path, kind=kind, api_version=api_version)
        return None
    if api_version != resource.api_version:
        return f"apiVersion of a {kind} is {api_version}: {resource.api_version} is understood"
    try:
        # not-a-number has no JSON; neither have YAML's own times, sets and bytes, where a tag asks for them
        raw = json.dumps(_placed(resource, content), allow_nan=False).encode()
        value = resource.decode(raw).value
    except (DecodeError, ValueError, TypeError, RecursionError) as error:
        return str(error)
    return ManifestObject(resource.kind, value, path, document.number, document.line)


def _placed(resource: Resource, content: dict[str, object]) -> dict[str, object]:
    """Put a namespaced object without a namespace into the one that kubectl would, and others into none."""
    metadata = content.get("metadata")
    if not isinstance(metadata, dict):
        return content
    if resource.namespaced:
        return {**content, "metadata": {**metadata, "namespace": metadata.get("namespace") or DEFAULT_NAMESPACE}}
    return {**content, "metadata": {key: value for key, value in metadata.items() if key != "namespace"}}


def _json_documents(text: bytes) -> Iterator[_Document]:
    source = text.decode("utf-8-sig")
    decoder = json.JSONDecoder()
    position, number = _after_space(source, 0), 0
    while position < len(source):
        content, end = decoder.raw_decode(source, position)
        number += 1
        yield _Document(number, source.count("\n", 0, position) + 1, content)
        position = _after_space(source, end)


def _after_space(source: str, position: int) -> int:
    while position < len(source) and source[position].isspace():
        position += 1
    return position


def _yaml_documents(text: bytes) -> Iterator[_Document]:
    loader = _Loader(text)
    try:
        number = 0
        while loader.check_node():
            number += 1
            if (node := loader.get_node()) is not None:
                yield _Document(number, node.start_mark.line + 1, loader.construct_document(node))
    finally:
        loader.dispose()


if yaml.__with_libyaml__:
    from yaml import CSafeLoader as _SafeLoader
else:  # slower, the same result
    from yaml import SafeLoader as _SafeLoader  # type: ignore[assignment]

_TEXT = "tag:yaml.org,2002:str"
_TIME = "tag:yaml.org,2002:timestamp"
_NUMBERS = ("tag:yaml.org,2002:int", "tag:yaml.org,2002:float")


class _Loader(_SafeLoader):
    """YAML as Kubernetes reads it: neither times nor numbers to the base of sixty (`10:30`)."""

    def resolve(self, kind: type[yaml.Node], value: str, implicit: tuple[bool, bool] | bool) -> str:  # noqa: FBT001
        """Say what a scalar without a tag is."""
        tag = str(super().resolve(kind, value, implicit))  # type: ignore[no-untyped-call]
        return _TEXT if tag == _TIME or (tag in _NUMBERS and ":" in value) else tag
