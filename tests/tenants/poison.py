"""Manifests in which texts have been replaced by such as would be syntax if they were written down as they are.

In: the manifests of a cluster, a source of randomness. Out: copies with some texts replaced, anywhere: values and keys,
also inside of annotations and configurations that are JSON themselves. Rule: the same randomness gives the same texts.
"""

import copy
import json
from collections.abc import Iterator, Mapping, Sequence
from random import Random
from typing import Any

from tests.oracle.cluster_strategies import Manifest

HOSTILE = (
    'x" || ip4 || inport == "x',
    '" || 1 || inport == "',
    'x\\" || ip4 || inport == \\"x',
    'x" /* || ip4',
    "x\\",
    '"',
    "10.0.0.1} || ip4 || ip4.src == {0.0.0.0/0",
    'fe80::%" || ip4 || inport == "/64',
    "fe80::%} || ip4 || ip6.src == {::/64",
    "$set || ip4",
    "@group || ip4",
    "a,b) || (ip4",
    "\x00",
    "\n|| ip4",
    "\x1b[2J",
    "\u202e",
    "\u00e4/\u00e4",
    "\ud800",
)
"""Quotes, escapes, comments, brackets, references, control characters, and text that is no UTF-8."""

_DOCUMENTS = ("k8s.ovn.org/pod-networks", "k8s.ovn.org/node-subnets", "config")
"""Where a text is a JSON document of its own."""
_DOCUMENT = "document"
_STRUCTURE = frozenset({"apiVersion", "kind", "metadata", "spec", "status", _DOCUMENT})
"""Keys that stay, so that the object is still read as one of its kind."""


def poisoned(objects: Mapping[str, Sequence[Manifest]], random: Random, texts: int = 4) -> dict[str, list[Manifest]]:
    """Replace some texts; a kind's own name stays, so that the object is still read as one of its kind."""
    unpacked: dict[str, Any] = _unpacked(copy.deepcopy(dict(objects)))
    for container, key in _chosen(unpacked, random, texts):
        hostile, joint = random.choice(HOSTILE), random.choice(("", "/", ","))
        if isinstance(container, dict) and random.random() < 1 / 2:
            if key in container:  # it isn't if another place of this object had its key replaced
                container[random.choice((hostile, f"{key}{joint}{hostile}"))] = container.pop(key)
        elif isinstance(container, list) or key in container:
            before = container[key]
            container[key] = random.choice((hostile, f"{before}{joint}{hostile}", f"{hostile}{joint}{before}"))
    for manifests in unpacked.values():
        for each in manifests:
            _aim(each, random)
    packed: dict[str, list[Manifest]] = _packed(unpacked)
    return packed


def _aim(manifest: Any, random: Random) -> None:  # noqa: ANN401 - of any shape
    """Attack where users' texts come closest to a match: keys of attachments, names of networks, ranges."""
    hostile = random.choice(HOSTILE)
    for document in _documents(manifest):
        if document.get("type") == "ovn-k8s-cni-overlay" and random.random() < 1 / 3:
            field = random.choice(("name", "subnets", "role", "topology"))
            document[field] = random.choice((hostile, f"{document.get(field, '')}{hostile}"))
        elif "type" not in document and random.random() < 1 / 3:
            key = random.choice(sorted(map(str, document)) or ["red/net-a"])
            document[f"{key}/{hostile}"] = random.choice(({}, {"ip_addresses": ["10.9.9.9/24", hostile]}))


def _documents(value: Any) -> Iterator[dict[str, Any]]:  # noqa: ANN401 - of any shape
    for key, part in value.items() if isinstance(value, dict) else ():
        if key == _DOCUMENT and isinstance(part, dict):
            yield part
        else:
            yield from _documents(part)


def _chosen(unpacked: dict[str, Any], random: Random, texts: int) -> list[tuple[Any, Any]]:
    """Choose places of texts and keys, half of them inside of documents, where users' texts become names and ranges."""
    places = [place for manifests in unpacked.values() for each in manifests for place in _places(each, inside=False)]
    within = [(container, key) for container, key, inside in places if inside]
    without = [(container, key) for container, key, inside in places if not inside]
    half = texts // 2
    return [*random.sample(within, min(half, len(within))), *random.sample(without, min(texts - half, len(without)))]


def _places(value: Any, *, inside: bool) -> Iterator[tuple[Any, Any, bool]]:  # noqa: ANN401 - of any shape
    """List every place of a text and every key, and whether it is inside of a document."""
    entries = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, part in entries:
        if key not in _STRUCTURE:
            yield value, key, inside
        if isinstance(part, dict | list):
            yield from _places(part, inside=inside or key == _DOCUMENT)


def _unpacked(value: Any) -> Any:  # noqa: ANN401 - of any shape
    if isinstance(value, list):
        return [_unpacked(each) for each in value]
    if not isinstance(value, dict):
        return value
    return {key: _parsed(each) if key in _DOCUMENTS else _unpacked(each) for key, each in value.items()}


def _parsed(text: object) -> object:
    try:
        return {_DOCUMENT: json.loads(str(text))}
    except ValueError:
        return text


def _packed(value: Any) -> Any:  # noqa: ANN401 - of any shape
    if isinstance(value, list):
        return [_packed(each) for each in value]
    if not isinstance(value, dict):
        return value
    if value.keys() == {_DOCUMENT}:
        return json.dumps(value[_DOCUMENT])
    return {key: _packed(each) for key, each in value.items()}
