"""The forms of names that become part of switches, ports and matches.

In: a text of an object. Out: whether it has the form that Kubernetes or ovn-kubernetes gives to such a name. Rule: what
isn't of its form names nothing, so it never becomes part of anything that is written to the database.
"""

import re
from functools import lru_cache
from sys import intern

from nqosd.api.objects import DEFAULT_NETWORK

MAX_LABEL = 63
MAX_NAME = 253

_DNS_LABEL = r"[a-z0-9](?:[-a-z0-9]*[a-z0-9])?"
_label = re.compile(_DNS_LABEL)
_subdomain = re.compile(rf"{_DNS_LABEL}(?:\.{_DNS_LABEL})*")
_index = re.compile(r"[1-9][0-9]{0,4}")
_network = re.compile(r"[A-Za-z0-9][-A-Za-z0-9_./]*")


def is_namespace(text: str) -> bool:
    """Say whether a text can name a namespace: a DNS label."""
    return len(text) <= MAX_LABEL and _is_label(text)


@lru_cache(maxsize=4096)  # each pod has one, and they are few
def _is_label(text: str) -> bool:
    return _label.fullmatch(text) is not None


def is_object(text: str) -> bool:
    """Say whether a text can name a pod or a definition: a DNS subdomain."""
    return len(text) <= MAX_NAME and _subdomain.fullmatch(text) is not None


def is_node(text: str) -> bool:
    """Say whether a text can name a node: as an object."""
    return len(text) <= MAX_NAME and _is_node(text)


@lru_cache(maxsize=4096)
def _is_node(text: str) -> bool:
    return is_object(text)


def is_network(text: str) -> bool:
    """Say whether a text can name a network in OVN: letters, digits, `-`, `_`, `.` and `/`."""
    return len(text) <= MAX_NAME and _network.fullmatch(text) is not None


@lru_cache(maxsize=4096)  # the pods of a cluster share a few keys
def attachment_key(text: str) -> str:
    """Check the key of an attachment, and give it interned: `default`, `namespace/name` or `namespace/name/index`.

    Raises:
        ValueError: it isn't one.
    """
    namespace, _, rest = text.partition("/")
    name, slash, index = rest.partition("/")
    is_indexed = not slash or _index.fullmatch(index) is not None
    if text == DEFAULT_NETWORK or (is_namespace(namespace) and is_object(name) and is_indexed):
        return intern(text)
    raise ValueError("not a key of an attachment such as default, namespace/name or namespace/name/1")
