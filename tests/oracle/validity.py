"""What makes a NetworkQoS valid: the bounds of the CRD, and what the CRD can't say.

In: a decoded NetworkQoS. Out: every problem at once, each with the path of its field; none means that it is valid.
The rules: null reads as absent, as the API server drops it; unknown fields don't count; one problem per fault, and a
fault hides only what stands below it.

Where Kubernetes leaves a choice: `10.0.0.1/8` is its network 10.0.0.0/8; a prefix length is digits without leading
zeros; an address without one is a network of one address; an `except` may equal its `cidr` (the block is then empty).
A number without a fraction is an integer, however it is written: 10.0 is 10.
"""

from collections.abc import Callable, Iterator, Mapping
from ipaddress import IPv4Network, IPv6Network, ip_network

from tests.oracle.decoded import Object, at, sequence
from tests.oracle.selectors import Problem, selector_problems

SELECTORS_OF_TYPE: Mapping[str, tuple[str, tuple[str, ...]] | None] = {
    "DefaultNetwork": None,
    "ClusterUserDefinedNetworks": ("clusterUserDefinedNetworkSelector", ("networkSelector",)),
    "NetworkAttachmentDefinitions": ("networkAttachmentDefinitionSelector", ("namespaceSelector", "networkSelector")),
    "PrimaryUserDefinedNetworks": ("primaryUserDefinedNetworkSelector", ("namespaceSelector",)),
    "SecondaryUserDefinedNetworks": ("secondaryUserDefinedNetworkSelector", ("namespaceSelector", "networkSelector")),
}
"""networkSelectionType → the field that goes with it, and the selectors that this field must have."""

SCOPE_ANNOTATION = "nqosd.io/bandwidth-scope"
_UINT32 = 4294967295


def problems(policy: Object) -> tuple[Problem, ...]:
    """Everything that is wrong with a NetworkQoS."""
    return tuple(_policy(policy))


def _policy(policy: Object) -> Iterator[Problem]:
    scope = at(policy, "metadata", "annotations", SCOPE_ANNOTATION)
    if scope not in (None, "Rule", "Pod"):
        yield Problem(f"metadata.annotations[{SCOPE_ANNOTATION}]", f"{scope!r} is neither Rule nor Pod")
    spec = policy.get("spec")
    if not isinstance(spec, Mapping):
        yield Problem("spec", "must be an object")
        return
    yield from _integer(spec, "priority", "spec", 0, 100, required=True)
    if spec.get("podSelector") is not None:
        yield from selector_problems(spec["podSelector"], "spec.podSelector")
    yield from _listed(spec, "networkSelectors", "spec", _network_selector, least=1, most=5)
    yield from _repeated_types(spec)
    yield from _listed(spec, "egress", "spec", _rule, most=20, required=True)


def _network_selector(entry: Object, path: str) -> Iterator[Problem]:
    kind = entry.get("networkSelectionType")
    if not isinstance(kind, str) or kind not in SELECTORS_OF_TYPE:
        yield Problem(f"{path}.networkSelectionType", f"{kind!r} is not a network selection type")
        return
    own = SELECTORS_OF_TYPE[kind]
    for field, required in filter(None, SELECTORS_OF_TYPE.values()):
        value = entry.get(field)
        if own is None or field != own[0]:
            if value is not None:
                yield Problem(f"{path}.{field}", f"doesn't belong to networkSelectionType {kind}")
        elif not isinstance(value, Mapping):
            yield Problem(f"{path}.{field}", f"networkSelectionType {kind} needs it")
        else:
            for selector in required:
                if value.get(selector) is None:
                    yield Problem(f"{path}.{field}.{selector}", "is required")
                else:
                    yield from selector_problems(value[selector], f"{path}.{field}.{selector}")


def _repeated_types(spec: Object) -> Iterator[Problem]:
    seen: set[str] = set()
    for index, entry in enumerate(sequence(spec, "networkSelectors")):
        kind = at(entry, "networkSelectionType")
        if isinstance(kind, str) and kind in seen and kind in SELECTORS_OF_TYPE:
            yield Problem(f"spec.networkSelectors[{index}].networkSelectionType", f"{kind} is there twice")
        if isinstance(kind, str):
            seen.add(kind)


def _rule(rule: Object, path: str) -> Iterator[Problem]:
    yield from _integer(rule, "dscp", path, 0, 63, required=True)
    bandwidth, classifier = rule.get("bandwidth"), rule.get("classifier")
    if isinstance(bandwidth, Mapping):
        yield from _integer(bandwidth, "rate", f"{path}.bandwidth", 1, _UINT32)
        yield from _integer(bandwidth, "burst", f"{path}.bandwidth", 1, _UINT32)
    elif bandwidth is not None:
        yield Problem(f"{path}.bandwidth", "must be an object")
    if isinstance(classifier, Mapping):
        yield from _listed(classifier, "to", f"{path}.classifier", _peer)
        yield from _listed(classifier, "from", f"{path}.classifier", _peer)
        yield from _listed(classifier, "ports", f"{path}.classifier", _port)
    elif classifier is not None:
        yield Problem(f"{path}.classifier", "must be an object")


def _peer(entry: Object, path: str) -> Iterator[Problem]:
    block = entry.get("ipBlock")
    selectors = [field for field in ("podSelector", "namespaceSelector") if entry.get(field) is not None]
    if block is not None and selectors:
        yield Problem(path, f"has both ipBlock and {selectors[0]}")
    for field in selectors:
        yield from selector_problems(entry[field], f"{path}.{field}")
    if isinstance(block, Mapping):
        yield from _block(block, f"{path}.ipBlock")
    elif block is not None:
        yield Problem(f"{path}.ipBlock", "must be an object")


def _block(block: Object, path: str) -> Iterator[Problem]:
    whole = read_cidr(block.get("cidr"))
    if whole is None:
        yield Problem(f"{path}.cidr", f"{block.get('cidr')!r} is not a CIDR")
    excepted = block.get("except")
    if excepted is not None and not isinstance(excepted, list):
        yield Problem(f"{path}.except", "must be a list")
    for index, value in enumerate(sequence(excepted)):
        part = read_cidr(value)
        if part is None:
            yield Problem(f"{path}.except[{index}]", f"{value!r} is not a CIDR")
        elif whole is not None and not is_inside(part, whole):
            yield Problem(f"{path}.except[{index}]", f"{part} is not inside {whole}")


def _port(entry: Object, path: str) -> Iterator[Problem]:
    if entry.get("protocol") not in (None, "TCP", "UDP", "SCTP"):
        yield Problem(f"{path}.protocol", f"{entry['protocol']!r} is none of TCP, UDP, SCTP")
    yield from _integer(entry, "port", path, 1, 65535)


def read_cidr(value: object) -> IPv4Network | IPv6Network | None:
    """The network that a CIDR means, host bits cleared; None where it isn't one."""
    if not isinstance(value, str):
        return None
    address, slash, length = value.partition("/")
    if "%" in address:
        return None
    if slash and not (length.isascii() and length.isdigit() and str(int(length)) == length):
        return None
    try:
        return ip_network(value, strict=False)
    except ValueError:
        return None


def is_inside(part: IPv4Network | IPv6Network, whole: IPv4Network | IPv6Network) -> bool:
    """Whether `part` lies within `whole`; a network lies within itself."""
    return part.version == whole.version and part.network_address in whole and part.prefixlen >= whole.prefixlen


def _integer(owner: Object, field: str, path: str, low: int, high: int, *, required: bool = False) -> Iterator[Problem]:
    value = owner.get(field)
    if value is None:
        if required:
            yield Problem(f"{path}.{field}", "is required")
    elif isinstance(value, bool) or not isinstance(value, int | float) or value % 1:
        yield Problem(f"{path}.{field}", f"{value!r} is not an integer")
    elif not low <= value <= high:
        yield Problem(f"{path}.{field}", f"{value} is not within {low}..{high}")


def _listed(
    owner: Object,
    field: str,
    path: str,
    check: Callable[[Object, str], Iterator[Problem]],
    *,
    least: int = 0,
    most: int | None = None,
    required: bool = False,
) -> Iterator[Problem]:
    """Check a list of objects: its length, then each of its entries."""
    value = owner.get(field)
    if value is None:
        if required:
            yield Problem(f"{path}.{field}", "is required")
        return
    if not isinstance(value, list):
        yield Problem(f"{path}.{field}", "must be a list")
        return
    if len(value) < least or (most is not None and len(value) > most):
        yield Problem(f"{path}.{field}", f"has {len(value)} entries; {least}..{most} are allowed")
    for index, entry in enumerate(value):
        if isinstance(entry, Mapping):
            yield from check(entry, f"{path}.{field}[{index}]")
        else:
            yield Problem(f"{path}.{field}[{index}]", "must be an object")
