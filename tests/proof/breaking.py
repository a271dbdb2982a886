"""How to break the compiler: in which parts, and by what.

In: a mutation, as `tests.proof.mutations` lists them. Out: a patched `nqosd`, until the test ends. Rule: no source is
edited; each part is replaced by a function of what is there.
"""

import pkgutil
from collections.abc import Callable, Mapping
from typing import Any

import attrs
import pytest
from msgspec.structs import replace

from nqosd.api.networkqos import AnyAddress, BandwidthScope, PodPeer
from nqosd.compiler.effective_policies import EffectivePolicy
from nqosd.compiler.pod_addresses import PodAddress
from nqosd.compiler.precedence import Rank

Replace = Callable[[Any], object]
"""From a part as it is (a function, a method or a property) to what stands in its place."""

Mutation = Mapping[str, Replace]
"""Where a part is (`module:name` within `nqosd`), and what becomes of it."""


def break_by(mutation: Mutation, patch: pytest.MonkeyPatch) -> None:
    """Replace the parts that a mutation names."""
    for place, change in mutation.items():
        module, _, path = f"nqosd.{place}".partition(":")
        owner, _, name = path.rpartition(".")
        target = pkgutil.resolve_name(f"{module}:{owner}" if owner else module)
        patch.setattr(target, name, change(vars(target)[name]))


def in_places(change: Callable[[PodAddress], PodAddress | None]) -> Mutation:
    """Change or leave out the places of pods."""
    return {
        "compiler.definition:places": lambda real: (
            lambda *arguments: tuple(turned for place in real(*arguments) if (turned := change(place)) is not None)
        )
    }


def in_definitions(change: Callable[[tuple[str, str, str]], tuple[str, str, str]]) -> Mutation:
    """Change the order of definitions, of which the first one counts: whether it was accepted, age, key."""
    return {"compiler.network_switches:seniority": lambda real: lambda nad: change(real(nad))}


def in_peers(change: Callable[[PodPeer], PodPeer | AnyAddress]) -> Mutation:
    """Change every entry that selects pods, wherever a classifier is read."""

    def changed(real: Callable[..., object]) -> Callable[..., object]:
        return lambda peers, *rest: real(
            tuple(change(peer) if isinstance(peer, PodPeer) else peer for peer in peers), *rest
        )

    return {"compiler.matching:_side": changed, "compiler.matching:_pods": changed}


def always_on_side(side: str) -> Mutation:
    """Let one side of a packet always match."""
    return {
        "compiler.matching:_side": lambda real: (
            lambda peers, which, *rest: real(() if which == side else peers, which, *rest)
        )
    }


def in_ports(change: Callable[[Any], object]) -> Mutation:
    """Change the list of a classifier's ports."""
    return {"compiler.matching:tests_of": lambda real: lambda ports: real(change(ports))}


def in_ranks(change: Callable[[Rank], int | None]) -> Mutation:
    """Change the rank of every policy among those of its priority."""
    return {
        "compiler.effective_policies:standings": lambda real: (
            lambda policies: {key: replace(found, rank=change(found)) for key, found in real(policies).items()}
        )
    }


def on_policies(change: Callable[[EffectivePolicy], EffectivePolicy]) -> Mutation:
    """Change a policy before its rows are built."""
    return {
        "compiler.definition:build_unit": lambda real: (
            lambda effective, site, scope: real(change(effective), site, scope)
        ),
    }


def with_scope(scope: BandwidthScope) -> Mutation:
    """Take one bandwidth scope for every policy."""
    return on_policies(lambda effective: attrs.evolve(effective, spec=replace(effective.spec, bandwidth_scope=scope)))


def with_members(change: Callable[[Any, PodAddress], bool]) -> Mutation:
    """Say anew which places make a member of a set."""
    return {"compiler.set_ids:SetId.holds": lambda _: change}
