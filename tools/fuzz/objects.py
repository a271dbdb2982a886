"""Objects of one tenant, mutated: decoded, put beside another tenant's, compiled.

What must never be: an exception but `DecodeError`; a token in a match that the compiler didn't mean; another row, or
another address, for the other tenant.
"""

from collections import Counter

from msgspec.structs import replace

from nqosd.api.changes import Change, Object, ResourceKind
from nqosd.api.decoding import DecodeError
from nqosd.api.objects import NetworkAttachment, Pod
from nqosd.commands.compiled_document import document
from nqosd.commands.compiled_text import Format, render
from nqosd.compiler.definition import compile_everything
from nqosd.compiler.desired import Desired
from nqosd.compiler.settings import Settings
from nqosd.informers.resources import RESOURCES
from tests.tenants.tokens import check_tokens
from tools.fuzz import world

SETTINGS = Settings(ovn=(25, 3))
LATER = "2026-11-25T00:00:00Z"
"""When the tenant's objects came, by the server's clock: after the other one's."""


class Objects:
    """The first byte of an input is the place of its resource in `RESOURCES`."""

    def __init__(self) -> None:
        self.seen: Counter[str] = Counter()
        self.seeds = [bytes([place]) + text for place, text in world.seeds()]
        self._world = world.victim()
        self._before = _of_victim(compile_everything(self._world, SETTINGS).desired)
        if not self._before:
            raise RuntimeError("the other tenant has no row, so that nothing could be taken from it")

    def take(self, data: bytes) -> None:
        """Compile the two tenants' objects together."""
        resource = RESOURCES[data[0] % len(RESOURCES)] if data else RESOURCES[0]
        try:
            value: Object = resource.decode(data[1:]).value
        except DecodeError:
            self.seen["no object"] += 1
            return
        if not resource.namespaced or getattr(value, "namespace", "") == world.VICTIM:
            self.seen["not for a tenant to write"] += 1
            self._compile(resource.kind, value)
            return
        if isinstance(value, Pod):
            value = replace(value, created=LATER)
        if isinstance(value, NetworkAttachment):  # that one is accepted is for ovn-kubernetes to say
            value = replace(value, created=LATER, accepted=False)
        found = _of_victim(self._compile(resource.kind, value))
        if found != self._before:
            raise AssertionError(f"the other tenant has {found} instead of {self._before}")
        self.seen["compiled"] += 1

    def _compile(self, kind: ResourceKind, value: Object) -> Desired:
        tables = world.copy(self._world)
        tables.apply(Change(kind, value.key, None, value))
        compiled = compile_everything(tables, SETTINGS)
        for row in compiled.desired.rows.values():
            check_tokens(row, compiled.desired)
            self.seen["rows"] += 1
        render(document(compiled.desired, compiled.reports, "nqosd"), Format.TABLE).encode()
        return compiled.desired


def _of_victim(desired: Desired) -> dict[str, object]:
    """Return the rows of the other tenant, and the members of the sets that they name."""
    rows = {key: row for key, row in desired.rows.items() if key.policy.startswith(f"{world.VICTIM}/")}
    members = desired.members()
    return {str(key): (row, {name: sorted(members[name]) for name in row.sets}) for key, row in rows.items()}
