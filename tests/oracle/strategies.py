"""Hypothesis strategies of whole cases: a cluster with policies, the settings, and packets at every boundary.

In: nothing; for packets, what the cluster means. Out: `clusters()` (manifests by kind), `settings()` (keyword arguments
of `read_meaning`), `sends(oracle, around)` (a sender and its packet). The rule: a failing example shrinks to few
objects; where many packets matter more than that, `probes.probes` makes the same packets in far less time.
"""

from collections.abc import Sequence
from typing import TypedDict, TypeVar

from hypothesis import strategies as st

from tests.oracle.cluster_strategies import ZONES, Manifest, one_in, pods, surroundings
from tests.oracle.meaning import Oracle
from tests.oracle.policy_strategies import crowds, policies
from tests.oracle.probes import Boundaries, Send, boundaries, probe

__all__ = ["Boundaries", "Send", "Settings", "boundaries", "clusters", "sends", "settings"]

T = TypeVar("T")


class Settings(TypedDict):
    """The keyword arguments of `read_meaning`."""

    zone: str | None
    unselected_networks: str


@st.composite
def clusters(draw: st.DrawFn) -> dict[str, list[Manifest]]:
    """A cluster with policies: decoded manifests by kind. One in twenty has a crowd of tied policies."""
    objects = draw(surroundings())
    objects["Pod"] = draw(pods(objects["NetworkAttachmentDefinition"]))
    if one_in(draw, 20):
        objects["NetworkQoS"] = draw(crowds())
    else:
        objects["NetworkQoS"] = [draw(policies(f"q{number}")) for number in range(draw(st.integers(1, 4)))]
    return objects


def settings() -> st.SearchStrategy[Settings]:
    """Zones that are there and zones that aren't, and both ways to read a policy without network selectors."""
    unselected = st.sampled_from(("all", "all", "default"))
    return st.builds(Settings, zone=st.sampled_from(ZONES), unselected_networks=unselected)


@st.composite
def sends(draw: st.DrawFn, oracle: Oracle, around: Boundaries) -> Send:
    """A packet of one of the senders, of which there must be one (see `probes`)."""

    def pick(options: Sequence[T]) -> T:
        return draw(st.sampled_from(options))

    return probe(oracle, around, pick)
