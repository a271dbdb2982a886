"""What is wrong with manifests, each with the file and the line of the field: as text, for GitHub, or as SARIF.

In: manifests and what the compiler says of them. Out: `Finding`s, and their texts. Rule: the line is that of the field,
as far as its path leads into the file, and else that of the object.
"""

import contextlib
import json
import re
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from urllib.parse import quote

import msgspec
import yaml

from nqosd import __version__
from nqosd.api.changes import ResourceKind
from nqosd.api.networkqos import NetworkQoS
from nqosd.api.text import visible
from nqosd.cache.tables import Tables
from nqosd.commands.compiled_text import shared
from nqosd.compiler.definition import Compiled
from nqosd.compiler.network_switches import Networks
from nqosd.compiler.oldest_definitions import oldest_definitions, too_many_definitions
from nqosd.config.options import Limits
from nqosd.informers.manifests.parsing import (
    DEFAULT_NAMESPACE,
    LIST_SUFFIX,
    STANDARD_INPUT,
    ManifestObject,
    ManifestProblem,
)
from nqosd.informers.manifests.paths import Manifests, standard_input

_FIELD = re.compile(r"((?:spec|metadata|status)\b[^:]*): ")
_STEP = re.compile(r"\[([^\]]*)\]|([^.\[\]]+)")
_GITHUB = str.maketrans({"%": "%25", "\r": "%0D", "\n": "%0A"})
_GITHUB_PROPERTY = _GITHUB | str.maketrans({":": "%3A", ",": "%2C"})

if yaml.__with_libyaml__:
    from yaml import CSafeLoader as _Loader
else:  # slower, the same result
    from yaml import SafeLoader as _Loader  # type: ignore[assignment]


class Finding(msgspec.Struct, frozen=True):
    """One thing that is wrong (`is_error`), or to be warned of; `line` is 0 where there is none."""

    is_error: bool
    path: str
    line: int
    message: str
    is_about_policy: bool = False

    @property
    def level(self) -> str:
        """`error` or `warning`, as everybody calls it."""
        return "error" if self.is_error else "warning"

    def __str__(self) -> str:
        return f"{self.level}: {self.path}{f':{self.line}' if self.line else ''}: {self.message}"


def findings(manifests: Manifests, tables: Tables, compiled: Compiled) -> list[Finding]:
    """Give all that there is to say."""
    lines = _Lines()
    found = [_of_file(each, is_error=True) for each in manifests.problems]
    found += [_of_file(each, is_error=False) for each in manifests.warnings]
    for is_error, kind, key, message in _of_objects(manifests, tables, compiled):
        origin = manifests.origins[kind, key]
        field = _FIELD.match(message)
        is_policy = kind is ResourceKind.NETWORK_QOS
        line = lines.find(origin, field[1] if field else "")
        found.append(Finding(is_error, origin.path, line, f"{kind} {key}: {message}", is_policy))
    return found


def nothing(manifests: Manifests, paths: Iterable[Path]) -> list[Finding]:
    """Warn where there is nothing to say, because nothing was there to read."""
    if manifests.origins:
        return []
    message = "nothing that nqosd reads is there: no NetworkQoS, and no object that one depends on"
    return [Finding(is_error=False, path=str(path), line=0, message=message) for path in paths]


def _of_file(problem: ManifestProblem, *, is_error: bool) -> Finding:
    number = f"document {problem.document}: " if problem.document else ""
    return Finding(is_error, problem.path, problem.line, f"{number}{problem.brief}")


def _of_objects(
    manifests: Manifests, tables: Tables, compiled: Compiled
) -> Iterator[tuple[bool, ResourceKind, str, str]]:
    for (kind, key), value in manifests.objects.items():
        if not isinstance(value, NetworkQoS) and value.problem is not None:
            yield False, kind, key, f"{value.problem}; what can't be read counts for nothing"
    looked_at = oldest_definitions(tables.attachments, Limits())
    ignored: dict[str, object] = dict(Networks.of(looked_at).ignored)
    for nad in tables.attachments.values():
        if nad.network and nad.key not in looked_at:
            ignored[nad.key] = too_many_definitions(nad.namespace, Limits())
    for key, why in ignored.items():
        yield False, ResourceKind.NETWORK_ATTACHMENT_DEFINITION, key, f"it is ignored: {why}"
    for key, refused in compiled.refused.items():
        yield from ((False, ResourceKind.POD, key, f"{each}, so it doesn't count") for each in refused)
    for report in compiled.reports:
        texts = (True, shared(map(str, report.problems))), (False, shared(report.warnings))
        for is_error, messages in texts:
            yield from ((is_error, ResourceKind.NETWORK_QOS, report.key, message) for message in messages)
        if report.ready and not report.rows and tables.pods and not _selects(tables, report.key):
            yield False, ResourceKind.NETWORK_QOS, report.key, "spec.podSelector: selects no pod of these manifests"


def _selects(tables: Tables, key: str) -> bool:
    """Say whether a policy selects a pod, be it one that has no address, as in a repository."""
    policy = tables.policies[key]
    pods = (each for each in tables.pods.values() if each.namespace == policy.namespace)
    return policy.spec is not None and any(policy.spec.pod_selector.matches(each.labels) for each in pods)


class _Lines:
    """Finds fields in files, each of which is read once."""

    def __init__(self) -> None:
        self._documents: dict[str, list[yaml.Node]] = {}

    def find(self, origin: ManifestObject, field: str) -> int:
        """Give the line of a field of an object, or of what is around it."""
        documents = self._read(origin.path)
        nodes = islice(documents, origin.document - 1, origin.document)
        node = next((each for top in nodes for each in _flat(top) if _is(each, origin)), None)
        line = origin.line if node is None else node.start_mark.line + 1
        for key, name in _STEP.findall(field):
            node, line = _step(node, key or name, line)
        return line

    def _read(self, path: str) -> list[yaml.Node]:
        if path not in self._documents:
            self._documents[path] = []
            with contextlib.suppress(OSError, yaml.YAMLError):  # what follows is no YAML, and was said to be none
                text = standard_input() if path == STANDARD_INPUT else Path(path).read_bytes()
                for node in yaml.compose_all(text, _Loader):
                    self._documents[path].append(node)
        return self._documents[path]


def _flat(node: yaml.Node) -> Iterator[yaml.Node]:
    """Give the objects of lists."""
    kind, items = _step(node, "kind", 0)[0], _step(node, "items", 0)[0]
    if isinstance(items, yaml.SequenceNode) and isinstance(kind, yaml.ScalarNode) and kind.value.endswith(LIST_SUFFIX):
        for item in items.value:
            yield from _flat(item)
    else:
        yield node


def _is(node: yaml.Node, origin: ManifestObject) -> bool:
    metadata, kind = _step(node, "metadata", 0)[0], _step(node, "kind", 0)[0]
    name, namespace = _step(metadata, "name", 0)[0], _step(metadata, "namespace", 0)[0]
    is_kind = kind is None or kind.value == origin.kind
    of, _slash, called = origin.value.key.rpartition("/")
    is_there = not of or of == (namespace.value if namespace and namespace.value else DEFAULT_NAMESPACE)
    return is_kind and is_there and name is not None and name.value == called


def _step(node: yaml.Node | None, name: str, line: int) -> tuple[yaml.Node | None, int]:
    """Go to a field of an object, or to an item of a list, and its line; where there is none, stay on the line."""
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if key.value == name:
                return value, key.start_mark.line + 1
    if isinstance(node, yaml.SequenceNode) and name.isdecimal() and int(name) < len(node.value):
        item = node.value[int(name)]
        return item, item.start_mark.line + 1
    return None, line


def github(found: Iterable[Finding]) -> str:
    """Write findings as commands of a workflow of GitHub's, which shows them beside the lines."""
    return "".join(
        f"::{each.level} file={visible(each.path).translate(_GITHUB_PROPERTY)},line={each.line or 1}::"
        f"{visible(each.message).translate(_GITHUB)}\n"
        for each in found
    )


def sarif(found: Iterable[Finding]) -> str:
    """Write findings as SARIF 2.1.0, which code scanning takes."""
    rules = {"policy": "A NetworkQoS is as it should be.", "manifest": "An object or file can be used as it is."}
    results = [
        {
            "ruleId": "policy" if each.is_about_policy else "manifest",
            "level": each.level,
            "message": {"text": each.message},
            "locations": [
                {
                    "physicalLocation": {
                        "artifactLocation": {"uri": quote(each.path)},
                        "region": {"startLine": each.line or 1},
                    }
                }
            ],
        }
        for each in found
    ]
    driver = {
        "name": "nqosd",
        "version": __version__,
        "rules": [{"id": name, "shortDescription": {"text": text}} for name, text in rules.items()],
    }
    document = {"version": "2.1.0", "runs": [{"tool": {"driver": driver}, "results": results}]}
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"
