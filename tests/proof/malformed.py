"""Objects that nobody should send: valid manifests with things done to them, random JSON, and bytes that are no JSON.

In: a valid manifest, a source of randomness. Out: the bytes of an object. Rule: the same randomness gives the same
bytes.
"""

import copy
import json
from collections.abc import Callable, Iterable, Sequence
from random import Random
from typing import Any

from tests.oracle.cluster_strategies import Manifest

JSON = Any
"""A part of a manifest: any shape."""

Place = tuple[JSON, Any]
"""A container and the key or index of something in it."""

DEEP = "<deep>"
"""Stands for a list within a list, and so on, deeper than any decoder goes."""

_DEPTH = 20_000
_TEXTS = (
    "", " ", "-", "a/b/c", "10.0.0.0/8", "10.0.0.0/33", "fd00::/64", "::ffff:10.0.0.1", "10.0.0.256", "0.0.0.0/0",
    "In", "NotIn", "Exists", "TCP", "TCPfoo", "tcp", "Pod", "Node", "DefaultNetwork", "layer2", "primary", "default",
    "x" * 300, "ä", "\u2028", "\x00", "\x7f", '"', "\\", "$set", "@group", "' || 1", "{{", "\ud800", "null", "9" * 400,
    "2026-11-24T10:00:00Z", "9999-99-99", "{}", "[]", "{", '{"default": {"ip_addresses": ["10.0.0.1/24"]}}', DEEP,
)  # fmt: skip
_NUMBERS = (0, 1, -1, 63, 64, 100, 101, 65535, 65536, 4294967295, 4294967296, 2**63, 2**64, -(2**63) - 1, 10**400)
_ODD = (None, True, False, 0.5, 1.0, 1e308, float("nan"), float("inf"))
_KEYS = (
    "metadata", "spec", "status", "name", "namespace", "labels", "annotations", "egress", "classifier", "to", "from",
    "ports", "ipBlock", "cidr", "except", "podSelector", "namespaceSelector", "matchLabels", "matchExpressions", "key",
    "operator", "values", "priority", "dscp", "bandwidth", "rate", "burst", "networkSelectors", "config", "nodeName",
    "networkSelectionType", "creationTimestamp", "generation", "nqosd.io/bandwidth-scope", "k8s.ovn.org/pod-networks",
    "k8s.v1.cni.cncf.io/network-status", "phase", "podIPs", "ownerReferences", "plugins", "topology", "", "\x00",
)  # fmt: skip


def malformed(base: Manifest, random: Random) -> bytes:
    """Make an object from a valid manifest; one in eight has little of it.

    Most keep their name and namespace, since one without a name is refused before anything else is looked at.
    """
    changed: JSON = copy.deepcopy(base)
    if random.random() < 1 / 8:
        changed = _random(random, 5)
    else:
        for _ in range(random.choice((1, 1, 1, 2, 3, 8))):
            _spoil(changed, random)
    if random.random() < 7 / 8:
        changed = _named_as(base, changed)
    return _bytes(changed, random)


def _named_as(base: JSON, changed: JSON) -> JSON:
    """Give an object the name and namespace of another one."""
    spoilt = changed if isinstance(changed, dict) else {"spec": changed}
    metadata = spoilt.get("metadata")
    identity = {key: base["metadata"][key] for key in ("name", "namespace") if key in base["metadata"]}
    return {**spoilt, "metadata": {**(metadata if isinstance(metadata, dict) else {}), **identity}}


def _spoil(value: JSON, random: Random) -> None:
    """Change one place of a manifest."""
    places = list(_places(value))
    if not places:
        return
    owner, key = random.choice(places)
    changes: Sequence[Callable[[], object]] = (
        lambda: owner.pop(key),
        lambda: owner.__setitem__(key, _random(random, 2)),
        lambda: owner.__setitem__(key, _scalar(random)),
        lambda: owner.__setitem__(key, _scalar(random)),
        lambda: owner.__setitem__(key, [owner[key]]),
        lambda: owner.__setitem__(key, {random.choice(_KEYS): owner[key]}),
        lambda: owner.__setitem__(key, copy.deepcopy(random.choice(places)[0])),
        lambda: owner.update({random.choice(_KEYS): owner.pop(key)}) if isinstance(owner, dict) else owner.reverse(),
        lambda: owner.extend([owner[key]] * random.choice((1, 25))) if isinstance(owner, list) else owner.clear(),
    )
    random.choice(changes)()


def _places(value: JSON) -> Sequence[Place]:
    """List every place in a manifest, but the top level."""
    keys: Iterable[str | int] = (
        value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    )
    return [place for key in keys for place in ((value, key), *_places(value[key]))]


def _random(random: Random, depth: int) -> JSON:
    kind = random.randrange(4) if depth else 3
    if kind == 0:
        return [_random(random, depth - 1) for _ in range(random.randrange(4))]
    if kind in (1, 2):
        return {random.choice(_KEYS): _random(random, depth - 1) for _ in range(random.randrange(6))}
    return _scalar(random)


def _scalar(random: Random) -> JSON:
    return random.choice(random.choice((_TEXTS, _NUMBERS, _ODD)))


def _bytes(value: JSON, random: Random) -> bytes:
    """Write JSON, and one time in eight break it."""
    written = json.dumps(value).replace(json.dumps(DEEP), "[" * _DEPTH + "]" * _DEPTH).encode()
    if random.random() > 1 / 8:
        return written
    at = random.randrange(len(written))
    return random.choice(
        (
            written[:at],
            written[:at] + bytes((random.randrange(256),)) + written[at + 1 :],
            written[:at] + random.choice((b"\xff\xfe", b"\x00", b"}", b'"', b",")) + written[at:],
            written.replace(b'"', b"'"),
            b"\xef\xbb\xbf" + written,
        )
    )
