"""Senders: whether a policy is about packets that leave a pod through one attachment.

In: a policy, an attachment, the source address. Out: by whom the packet counts as the policy's, or the reason why it
doesn't. Rule: on the wire a sender is known by its source address on its switch (by its logical port where it has no
address), so a packet with the address of another source pod counts as that pod's.
"""

from collections.abc import Iterable, Mapping

import msgspec

from nqosd.api.labels import LabelSelector
from nqosd.api.networkqos import NetworkQoS
from nqosd.api.objects import Pod
from nqosd.api.problems import Problem
from nqosd.cache.selections import PodSelection
from nqosd.compiler.desired import Family
from nqosd.compiler.effective_policies import EffectivePolicy
from nqosd.compiler.pod_addresses import PodAddress
from nqosd.compiler.precedence import WINNER
from nqosd.explain.verdict import PolicyReason
from nqosd.explain.world import World


class EntryPoint(msgspec.Struct, frozen=True):
    """Where a packet enters OVN: the senders on that switch, by key, with their places there."""

    pod: Pod
    network: str
    switch: str
    source: str | None
    port: str | None
    """The logical port, where the attachment has no addresses."""
    present: Mapping[str, tuple[PodAddress, ...]]

    def sources(self, selection: PodSelection, world: World) -> dict[str, tuple[PodAddress, ...]]:
        """Give those of the senders that a policy selects."""
        pods, namespaces = world.tables.pods, world.tables.namespaces
        selected = {key: mine for key, mine in self.present.items() if selection.matches(pods[key], namespaces)}
        found = {key: tuple(each for each in mine if each.is_of(selection)) for key, mine in selected.items()}
        return {key: mine for key, mine in found.items() if mine}


class SenderMatch(msgspec.Struct, frozen=True):
    """By whom a packet counts as a policy's; `family` None: by the logical port. `sources` counts the source pods."""

    pod: str
    family: Family | None
    sources: int


def claim(effective: EffectivePolicy, site: EntryPoint, world: World) -> SenderMatch | None:
    """Find by whom a packet counts as a policy's; None where it doesn't. An address counts before a port."""
    sources = site.sources(effective.sources, world)
    families = {
        key: place.family
        for key, mine in sources.items()
        for place in mine
        if place.family is not None and place.member == site.source
    }
    if families:
        first = min(families)  # a limit per pod gives an address that two pods have to the first by name
        return SenderMatch(first, families[first], len(sources))
    if any(place.family is None and place.member == site.port for place in sources.get(site.pod.key, ())):
        return SenderMatch(site.pod.key, None, len(sources))
    return None


def refusal(
    policy: NetworkQoS, effective: EffectivePolicy | None, problems: Iterable[Problem], site: EntryPoint | None
) -> tuple[PolicyReason, str]:
    """Say why a packet isn't a policy's; `site` None: the pod can't send."""
    if policy.spec is None:
        return PolicyReason.INVALID, "it is invalid and not applied"
    beyond = next((each for each in problems if each.limit), None)
    if beyond is not None:
        return PolicyReason.TOO_LARGE, f"it is not applied: {beyond}"
    if effective is None:
        return PolicyReason.TOO_MANY_TIES, f"it is not applied: more than {WINNER + 1} policies share its priority"
    return (PolicyReason.SILENT, "the pod sends nothing here") if site is None else _mismatch(effective, site)


def _mismatch(effective: EffectivePolicy, site: EntryPoint) -> tuple[PolicyReason, str]:
    if site.pod.namespace != effective.namespace:
        return PolicyReason.NAMESPACE, f"it is for pods of namespace {effective.namespace}"
    if not effective.spec.pod_selector.matches(site.pod.labels):
        return PolicyReason.POD_SELECTOR, _unmet(effective.spec.pod_selector, site.pod)
    if not effective.selects(site.network):
        selected = ", ".join(sorted(effective.networks or ())) or "no network"
        return PolicyReason.NETWORK, f"it selects {selected}, not {site.network}"
    if not all(each.is_of(effective.sources) for each in site.present.get(site.pod.key, ())):
        return PolicyReason.NETWORK, (
            f"the pod has its address on {site.network} for the kubelet alone (role infrastructure-locked): only a "
            "policy that names DefaultNetwork in networkSelectors is for it"
        )
    if site.source is None:
        return PolicyReason.SOURCE, "the pod has no address of this family here; name the source with --from"
    return PolicyReason.SOURCE, f"{site.source} is no address of a pod that it selects on switch {site.switch}"


def _unmet(selector: LabelSelector, pod: Pod) -> str:
    """Say which requirement of a podSelector a pod's labels don't meet."""
    requirement = next(each for each in selector.requirements if not each.matches(pod.labels))
    value = pod.labels.get(requirement.key)
    has = f"no label {requirement.key}" if value is None else f"{requirement.key}={value}"
    return f"podSelector asks for {requirement}, and the pod has {has}"
