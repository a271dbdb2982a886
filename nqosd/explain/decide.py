"""The decision: from a question to an `Explanation`.

In: a question and a world. Out: for each attachment of the pod, every policy with its reason, and every rule with its
outcome. Rule: the highest priority of a row decides, as in OVN.
"""

from collections.abc import Iterator, Sequence
from ipaddress import ip_address

from msgspec.structs import replace

from nqosd.api.networkqos import BandwidthScope, NetworkQoS
from nqosd.api.objects import Attachment, NetworkRole, Pod
from nqosd.compiler.desired import Direction, Family, RowKey
from nqosd.compiler.effective_policies import EffectivePolicy
from nqosd.compiler.network_switches import Network
from nqosd.compiler.pod_addresses import logical_port
from nqosd.compiler.rows import POD_PART
from nqosd.explain.classifier import Packet, parts
from nqosd.explain.question import PodQuestion, Question, QuestionError, family_of
from nqosd.explain.senders import EntryPoint, SenderMatch, claim, refusal
from nqosd.explain.verdict import AttachmentVerdict, Explanation, PolicyReason, PolicyVerdict, RuleOutcome, RuleVerdict
from nqosd.explain.world import World


def explain(question: Question | PodQuestion, world: World) -> Explanation:
    """Explain what happens to a packet, or to packets to a pod on each network that both are on.

    Raises:
        QuestionError: a pod isn't there, or not on that network, or the question names too little.
    """
    pod = world.tables.pods.get(question.pod)
    if pod is None:
        raise QuestionError(f"pod {question.pod}: there is no such pod")
    asked = [each for each in pod.attachments if question.network in (None, _name(each, world))]
    if not asked and question.network is not None:
        there = ", ".join(dict.fromkeys(_name(each, world) for each in pod.attachments)) or "none"
        raise QuestionError(f"--network {question.network}: pod {pod.key} isn't on it; its networks are: {there}")
    verdicts = tuple(
        attachment_verdict(packet, pod, each, world) for each in asked for packet in _packets(question, each, world)
    )
    if not verdicts and asked and isinstance(question, PodQuestion) and not _pod_obstacle(pod, world):
        raise QuestionError(f"--to {question.to}: {_no_way(question, asked, world)}")
    return Explanation(question, pod.node, verdicts or (_no_network(question, pod, world),))


def _packets(question: Question | PodQuestion, attachment: Attachment, world: World) -> Iterator[Question]:
    """Give a packet for each address that the question is about, as far as the attachment can send to it."""
    if isinstance(question, Question):
        yield question
        return
    for place in world.places.get(question.target, ()):
        if place.network != _name(attachment, world) or place.family is None:
            continue
        given = question.source
        fits = _can_send(attachment, place.family) if given is None else family_of(given) is place.family
        if fits:
            yield question.about(ip_address(place.member))


def _can_send(attachment: Attachment, family: Family) -> bool:
    return not attachment.addresses or _own_address(attachment, family) is not None


def _no_way(question: PodQuestion, asked: Sequence[Attachment], world: World) -> str:
    """Say why there is no packet of the sender to that pod."""
    target = world.tables.pods.get(question.target)
    if target is None:
        return "there is no such pod"
    if target.host_network:
        return "it is on the host network; name the node's address"
    if target.ended:
        return "it has ended, and its addresses may be another pod's by now; name an address"
    if not target.attachments:
        return "it has no address on any network yet"
    ours = ", ".join(dict.fromkeys(_name(each, world) for each in asked))
    theirs = ", ".join(dict.fromkeys(_name(each, world) for each in target.attachments))
    if not any(each.addresses for each in target.attachments):
        return f"its addresses on {theirs} aren't known, so only an ipBlock can match it: name an address"
    return f"it has no address on {ours} that pod {question.pod} could send to; its networks are: {theirs}"


def attachment_verdict(question: Question, pod: Pod, attachment: Attachment, world: World) -> AttachmentVerdict:
    """Explain what happens to a packet that leaves a pod through one attachment."""
    network = world.networks.at(attachment.nad)
    obstacle = _obstacle(pod, attachment, network, world)
    source = question.source or _own_address(attachment, question.family)
    verdict = AttachmentVerdict(
        attachment=attachment.key,
        network=_name(attachment, world),
        topology="" if network is None else network.topology.value,
        switch="" if obstacle or network is None else network.switch(pod.node),
        direction=None if network is None else network.direction,
        source=None if source is None else str(source),
        destination=str(question.destination),
        obstacle=obstacle,
    )
    if obstacle or network is None:
        return replace(verdict, policies=tuple(_all_refused(world, None)))
    site = EntryPoint(
        pod=pod,
        network=network.name,
        switch=verdict.switch,
        source=verdict.source,
        port=None if attachment.addresses else logical_port(pod, attachment),
        present=world.at(network.name, verdict.switch),
    )
    policies = _settled(list(_policies(question, site, world)))
    return replace(verdict, policies=policies, notes=tuple(_notes(question, attachment, network)))


def _policies(question: Question, site: EntryPoint, world: World) -> Iterator[PolicyVerdict]:
    for namespace in sorted(world.policies, key=lambda name: (name != site.pod.namespace, name)):
        effective_policies = world.effective_policies(namespace)
        for policy in world.policies[namespace]:
            effective = effective_policies.get(policy.key)
            selects = effective is not None and effective.selects(site.network)
            claimed = claim(effective, site, world) if selects and effective is not None else None
            if effective is None or claimed is None:
                reason, detail = refusal(policy, effective, world.problems(policy.key), site)
                yield _verdict(policy, reason, detail, world)
            else:
                rules = tuple(_rules(question, effective, claimed, site, world))
                yield _verdict(policy, PolicyReason.SELECTED, _how(claimed, site), world, rules)


def _rules(
    question: Question, effective: EffectivePolicy, claimed: SenderMatch, site: EntryPoint, world: World
) -> Iterator[RuleVerdict]:
    source = None if site.source is None else ip_address(site.source)
    packet = Packet(question, source, site.network, effective.key)
    for index, rule in enumerate(effective.spec.egress):
        per_pod = effective.spec.bandwidth_scope is BandwidthScope.POD
        yield RuleVerdict(
            policy=effective.key,
            index=index,
            priority=effective.priority(index),
            dscp=rule.dscp,
            limit=rule.limit,
            parts=parts(rule.classifier, index, packet, world),
            shared_by=1 if per_pod else claimed.sources,
            row=world.desired.rows.get(_row_key(question.family, effective, index, claimed, site)),
        )


def _row_key(family: Family, effective: EffectivePolicy, index: int, claimed: SenderMatch, site: EntryPoint) -> RowKey:
    """Name the row that would treat the packet."""
    if effective.spec.egress[index].limit is None:
        part = f"port-{family}" if claimed.family is None else family.value
    elif effective.spec.bandwidth_scope is BandwidthScope.RULE:
        part = ""
    else:
        part = f"{POD_PART}{claimed.pod.partition('/')[2]}"
    return RowKey(effective.key, index, site.network, site.switch, part)


def _settled(policies: list[PolicyVerdict]) -> tuple[PolicyVerdict, ...]:
    """Give each rule that matches its outcome."""
    highest = max((rule.priority for policy in policies for rule in policy.rules if rule.matches), default=None)
    best = [rule for policy in policies for rule in policy.rules if rule.matches and rule.priority == highest]
    top = RuleOutcome.WINS if len(best) == 1 else RuleOutcome.UNDECIDED

    def settled(rule: RuleVerdict) -> RuleVerdict:
        if not rule.matches:
            return rule
        return replace(rule, outcome=top if rule.priority == highest else RuleOutcome.LOSES)

    return tuple(replace(policy, rules=tuple(map(settled, policy.rules))) for policy in policies)


def _all_refused(world: World, site: EntryPoint | None) -> Iterator[PolicyVerdict]:
    for namespace in sorted(world.policies):
        effective_policies = world.effective_policies(namespace)
        for policy in world.policies[namespace]:
            reason, detail = refusal(policy, effective_policies.get(policy.key), world.problems(policy.key), site)
            yield _verdict(policy, reason, detail, world)


def _verdict(
    policy: NetworkQoS, reason: PolicyReason, detail: str, world: World, rules: tuple[RuleVerdict, ...] = ()
) -> PolicyVerdict:
    report = world.compiler.report(policy.key)
    problems = () if report is None else tuple(map(str, report.problems))
    return PolicyVerdict(policy.key, reason, detail, rules, problems, () if report is None else report.warnings)


def _how(claimed: SenderMatch, site: EntryPoint) -> str:
    if claimed.family is None:
        return f"it knows the pod by its logical port {site.port}"
    if claimed.pod == site.pod.key:
        return f"it knows the pod by its address {site.source}"
    return f"it knows {site.source} as an address of pod {claimed.pod}"


def _notes(question: Question, attachment: Attachment, network: Network) -> Iterator[str]:
    others = _own_addresses(attachment, question.family)[1:]
    if question.source is None and others:
        yield f"the pod has other addresses of this family here; --from takes another one: {', '.join(others)}"
    if network.direction is Direction.TO_LPORT:
        yield "rows stand after load balancing: of a packet to a service, ask about the pod behind it"
    elif network.role is NetworkRole.PRIMARY:
        yield (
            "rows stand before load balancing: of the first packet of a connection to a service, ask about the "
            "service's own address"
        )


def _obstacle(pod: Pod, attachment: Attachment, network: Network | None, world: World) -> str:
    if (general := _pod_obstacle(pod, world)) or network is not None:
        return general
    return f"there is no NetworkAttachmentDefinition {attachment.nad} of ovn-kubernetes, so its network isn't known"


def _pod_obstacle(pod: Pod, world: World) -> str:
    if pod.host_network:
        return "the pod is on the host network, which OVN doesn't carry"
    if pod.ended:
        return "the pod has ended"
    if not pod.node:
        return "the pod isn't scheduled to a node yet"
    if pod.node in world.zone.hybrid:
        return f"its node {pod.node} has hybrid-overlay networking, and no logical switch that could have rows"
    if pod.node not in world.zone:
        return f"its node {pod.node} isn't in zone {world.settings.zone}: the daemon of its own zone has its rows"
    return ""


def _no_network(question: Question | PodQuestion, pod: Pod, world: World) -> AttachmentVerdict:
    return AttachmentVerdict(
        attachment="",
        network="",
        topology="",
        switch="",
        direction=None,
        source=None if question.source is None else str(question.source),
        destination=str(question.destination) if isinstance(question, Question) else None,
        obstacle=_pod_obstacle(pod, world) or _unread(pod) or "the pod has no address on any network yet",
        policies=tuple(_all_refused(world, None)),
    )


def _unread(pod: Pod) -> str:
    return "" if pod.problem is None else f"what is wrong counts for nothing: {pod.problem}"


def _name(attachment: Attachment, world: World) -> str:
    network = world.networks.at(attachment.nad)
    return attachment.nad if network is None else network.name


def _own_address(attachment: Attachment, family: Family) -> str | None:
    return next(iter(_own_addresses(attachment, family)), None)


def _own_addresses(attachment: Attachment, family: Family) -> list[str]:
    return [each for each in attachment.addresses if (":" in each) == (family is Family.IP6)]
