"""From the JSON bytes that an API server sends to slim values.

In: the bytes of one object (`decode_pod` and its siblings), of a list, or of one line of a watch. Out: frozen values
with only what a NetworkQoS can depend on, and the resource version that the reflector needs. Nothing else of an
object is ever built: a pod of 5.6 KB is decoded in a quarter of the time that the standard library takes to parse it
(`tools/bench/decoding.py`).

Rule: a `decode_*` function of one object raises `DecodeError` only if it can't tell which object that is (not JSON,
or no `metadata.name`). Whatever else is wrong becomes the value's own `problem`, so that one bad object never stops
another. Equal meaning gives equal values, so an event that changes nothing costs one comparison.
"""

from nqosd.api.decoding.attachment_definitions import decode_network_attachment, decode_user_defined_network
from nqosd.api.decoding.cluster import decode_namespace, decode_node
from nqosd.api.decoding.envelopes import (
    Bookmark,
    Failure,
    ObjectList,
    WatchEvent,
    check_type,
    decode_bookmark,
    decode_event,
    decode_failure,
    decode_list,
)
from nqosd.api.decoding.metadata import Decoded, DecodeError
from nqosd.api.decoding.pods import decode_pod
from nqosd.api.decoding.policies import decode_network_qos

__all__ = [
    "Bookmark",
    "DecodeError",
    "Decoded",
    "Failure",
    "ObjectList",
    "WatchEvent",
    "check_type",
    "decode_bookmark",
    "decode_event",
    "decode_failure",
    "decode_list",
    "decode_namespace",
    "decode_network_attachment",
    "decode_network_qos",
    "decode_node",
    "decode_pod",
    "decode_user_defined_network",
]
