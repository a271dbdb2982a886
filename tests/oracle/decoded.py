"""Reading decoded Kubernetes objects without trusting their shape.

In: a manifest as JSON or YAML decodes it. Out: the part that was asked for, as a mapping, a sequence or a text, and an
empty one where it is absent, null or of another type. The rule: nothing here raises.
"""

from collections.abc import Mapping, Sequence

Object = Mapping[str, object]
"""A decoded manifest, or an object inside one."""


def at(value: object, *path: str) -> object:
    """Follow `path` through nested mappings; None where it ends early."""
    for key in path:
        value = value.get(key) if isinstance(value, Mapping) else None
    return value


def mapping(value: object, *path: str) -> Object:
    """The mapping at `path`, or an empty one."""
    found = at(value, *path)
    return {str(key): part for key, part in found.items()} if isinstance(found, Mapping) else {}


def sequence(value: object, *path: str) -> Sequence[object]:
    """The list at `path`, or an empty one."""
    found = at(value, *path)
    return found if isinstance(found, list | tuple) else ()


def text(value: object, *path: str) -> str:
    """The string at `path`, or an empty one."""
    found = at(value, *path)
    return found if isinstance(found, str) else ""


def labels(manifest: object) -> dict[str, str]:
    """The labels of a manifest."""
    return {key: value for key, value in mapping(manifest, "metadata", "labels").items() if isinstance(value, str)}


def annotation(manifest: object, key: str) -> str | None:
    """One annotation of a manifest, None where it isn't set."""
    value = at(manifest, "metadata", "annotations", key)
    return value if isinstance(value, str) else None


def object_key(manifest: object) -> str:
    """`<namespace>/<name>`."""
    return f"{text(manifest, 'metadata', 'namespace')}/{text(manifest, 'metadata', 'name')}"
