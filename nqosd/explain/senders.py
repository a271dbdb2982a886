"""Senders: whether a policy is about packets that leave a pod through one attachment.

In: a policy, an attachment, the source address. Out: by whom the packet counts as the policy's, or the reason why it
doesn't. Rule: on the wire a sender is known by its source address on its switch (by its logical port where it has no
address), so a packet with the address of another source pod counts as that pod's.
"""

from collections.abc import Iterable, Mapping

import attrs

from nqosd.api.labels import LabelSelector
from nqosd.api.networkqos import NetworkQoS
from nqosd.api.objects import Pod
from nqosd.api.problems import Problem
from nqosd.cache.selections import PodSelection
from nqosd.compiler.contexts import Context
from nqosd.compiler.desired import Family
from nqosd.compiler.places import Place
from nqosd.compiler.precedence import WINNER
from nqosd.explain.verdict import Reason
from nqosd.explain.world import World


@attrs.frozen
class Site:
    """Where a packet enters OVN: the senders on that switch, by key, with their places there."""

    pod: Pod
    network: str
    switch: str
    source: str | None
    port: str | None
    """The logical port, where the attachment has no addresses."""
    present: Mapping[str, tuple[Place, ...]]

    def sources(self, selection: PodSelection, world: World) -> dict[str, tuple[Place, ...]]:
        """Give those of the senders that a policy selects."""
        pods, namespaces = world.tables.pods, world.tables.namespaces
        return {key: mine for key, mine in self.present.items() if selection.matches(pods[key], namespaces)}


@attrs.frozen
class Claim:
    """By whom a packet counts as a policy's; `family` None: by the logical port. `sources` counts the source pods."""

    pod: str
    family: Family | None
    sources: int


def claim(context: Context, site: Site, world: World) -> Claim | None:
    """Find by whom a packet counts as a policy's; None where it doesn't. An address counts before a port."""
    sources = site.sources(context.sources, world)
    families = {
        key: place.family
        for key, mine in sources.items()
        for place in mine
        if place.family is not None and place.member == site.source
    }
    if families:
        first = min(families)  # a limit per pod gives an address that two pods have to the first by name
        return Claim(first, families[first], len(sources))
    if any(place.family is None and place.member == site.port for place in sources.get(site.pod.key, ())):
        return Claim(site.pod.key, None, len(sources))
    return None


def refusal(
    policy: NetworkQoS, context: Context | None, problems: Iterable[Problem], site: Site | None
) -> tuple[Reason, str]:
    """Say why a packet isn't a policy's; `site` None: the pod can't send."""
    if policy.spec is None:
        return Reason.INVALID, "it is invalid and not applied"
    beyond = next((each for each in problems if each.limit), None)
    if beyond is not None:
        return Reason.TOO_LARGE, f"it is not applied: {beyond}"
    if context is None:
        return Reason.TOO_MANY_TIES, f"it is not applied: more than {WINNER + 1} policies share its priority"
    return (Reason.SILENT, "the pod sends nothing here") if site is None else _mismatch(context, site)


def _mismatch(context: Context, site: Site) -> tuple[Reason, str]:
    if site.pod.namespace != context.namespace:
        return Reason.NAMESPACE, f"it is for pods of namespace {context.namespace}"
    if not context.spec.pod_selector.matches(site.pod.labels):
        return Reason.POD_SELECTOR, _unmet(context.spec.pod_selector, site.pod)
    if not context.selects(site.network):
        selected = ", ".join(sorted(context.networks or ())) or "no network"
        return Reason.NETWORK, f"it selects {selected}, not {site.network}"
    if site.source is None:
        return Reason.SOURCE, "the pod has no address of this family here; name the source with --from"
    return Reason.SOURCE, f"{site.source} is no address of a pod that it selects on switch {site.switch}"


def _unmet(selector: LabelSelector, pod: Pod) -> str:
    """Say which requirement of a podSelector a pod's labels don't meet."""
    requirement = next(each for each in selector.requirements if not each.matches(pod.labels))
    value = pod.labels.get(requirement.key)
    has = f"no label {requirement.key}" if value is None else f"{requirement.key}={value}"
    return f"podSelector asks for {requirement}, and the pod has {has}"
