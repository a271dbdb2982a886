"""NetworkQoS objects, checked: what they ask for, or why they are refused.

Rule: whatever `metadata`, `spec` and `status` contain, the policy is there under its name with its problems. A status
that doesn't decode is no problem: it is this daemon's to write.
"""

from collections.abc import Mapping
from sys import intern

import attrs
import msgspec

from nqosd.api.decoding.metadata import MALFORMED, NOTHING, Decoded, identify, locate, read_time
from nqosd.api.networkqos import Condition, NetworkQoS, NetworkQoSStatus
from nqosd.api.problems import Problem, first_of
from nqosd.api.text import shortened
from nqosd.api.validation import Validated, validate
from nqosd.api.validation.fields import Field, Findings, shown

_MAX_GENERATION = 2**63 - 1

LARGEST = 131_072
"""Bytes of a spec, in JSON: reading it happens between other things to do, and takes well below a tenth of a second."""


COLUMNS = ("observedGeneration", "ready", "zones")


class _PolicyMetadata(msgspec.Struct, gc=False, rename="camel"):
    """Everything but managedFields, each part undecoded: one that doesn't decode leaves the others to be checked."""

    creation_timestamp: msgspec.Raw = NOTHING
    uid: msgspec.Raw = NOTHING
    generation: msgspec.Raw = NOTHING
    annotations: msgspec.Raw = NOTHING


class _Policy(msgspec.Struct, gc=False):
    metadata: msgspec.Raw
    spec: msgspec.Raw = NOTHING
    status: msgspec.Raw = NOTHING


class _Condition(msgspec.Struct, gc=False, rename="camel"):
    type: str
    status: str = ""
    reason: str = ""
    message: str = ""
    observed_generation: int = 0
    last_transition_time: str = ""


_policy = msgspec.json.Decoder(_Policy)
_metadata = msgspec.json.Decoder(_PolicyMetadata)
_anything = msgspec.json.Decoder(object)


def decode_network_qos(raw: bytes) -> Decoded[NetworkQoS]:
    """Decode and validate a NetworkQoS.

    Raises:
        DecodeError: it isn't JSON, or has no `metadata.name`.
    """
    known = identify("NetworkQoS", raw)
    policy = _policy.decode(raw)  # what identify could take apart, these can
    meta = _metadata.decode(policy.metadata)
    findings = Findings()
    created = _part("metadata.creationTimestamp", meta.creation_timestamp, findings)
    uid = _part("metadata.uid", meta.uid, findings)
    generation = _part("metadata.generation", meta.generation, findings)
    annotations = _part("metadata.annotations", meta.annotations, findings)
    size = memoryview(policy.spec).nbytes
    if size > LARGEST:
        message = f"{size} bytes are more than the {LARGEST} of which nqosd reads a policy: split it into several"
        findings.problems.append(Problem("spec", message, limit="size"))
    spec = _part("spec", policy.spec if size <= LARGEST else NOTHING, findings)
    verdict = Validated(None) if findings.problems else validate(annotations.value, spec.value)
    if not known.namespace:
        Field("metadata.namespace", None, findings).problem("required: a text")
    value = NetworkQoS(
        known.namespace,
        known.name,
        created=_read_time(created),
        uid=_text(uid),
        generation=(generation.integer(0, _MAX_GENERATION) if generation.present else None) or 0,
        warnings=shortened(verdict.warnings),
        status=_read_status(_part("status", policy.status, Findings()).value),
        resource_version=known.resource_version,
    )
    problems = first_of((*findings.problems, *verdict.problems))
    return Decoded(
        known.resource_version, attrs.evolve(value, spec=None if problems else verdict.spec, problems=problems)
    )


def decode_written(raw: bytes) -> NetworkQoSStatus:
    """Decode the status of a NetworkQoS, and leave its spec alone.

    Raises:
        DecodeError: it isn't JSON, or has no `metadata.name`.
    """
    identify("NetworkQoS", raw)
    return _read_status(_part("status", _policy.decode(raw).status, Findings()).value)


def columns_of(status: Mapping[str, object]) -> tuple[tuple[str, str], ...]:
    """Give what the columns of kubectl show besides the summary, by name, of a status in JSON."""
    return tuple((name, _column(status[name])) for name in COLUMNS if name in status)


def _column(value: object) -> str:
    try:
        return intern(msgspec.json.encode(value, order="sorted").decode())
    except MALFORMED:
        return ""


def _part(path: str, raw: msgspec.Raw, findings: Findings) -> Field:
    """Decode one part; one that doesn't decode (bytes that are no UTF-8, numbers out of range) is a problem."""
    try:
        return Field(path, _anything.decode(raw), findings)
    except MALFORMED as error:
        place, message = locate(error)
        dot = "." if place and not place.startswith("[") else ""
        Field(f"{path}{dot}{place}", None, findings).problem(message)
        return Field(path, None, findings)


def _text(field: Field) -> str:
    return (field.text() if field.present else None) or ""


def _read_time(field: Field) -> str:
    text = field.text() if field.present else None
    time = read_time(text)
    if text is not None and not time:
        field.problem(f"{shown(text)} is not a time such as 2026-11-24T10:00:00Z")
    return time


def _read_status(value: object) -> NetworkQoSStatus:
    if not isinstance(value, dict):
        return NetworkQoSStatus()
    summary = value.get("status")
    conditions = value.get("conditions")
    read = [_read_condition(each) for each in conditions] if isinstance(conditions, list) else []
    reported = value.get("reportedAt")
    return NetworkQoSStatus(
        summary if isinstance(summary, str) else "",
        tuple(condition for condition in read if condition is not None),
        columns_of(value),
        reported if isinstance(reported, str) else "",
    )


def _read_condition(value: object) -> Condition | None:
    try:
        wire = msgspec.convert(value, _Condition)
    except MALFORMED:
        return None
    return Condition(  # most policies' are the same
        intern(wire.type),
        intern(wire.status),
        intern(wire.reason),
        intern(wire.message),
        wire.observed_generation,
        wire.last_transition_time,
    )
