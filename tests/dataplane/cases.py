"""The cases of the matrix: policies, and the datagrams that show what they do.

In: nothing. Out: for each case the specs of its policies, the ports to send to, and whether to look at a limit. The
rule: nothing here says what is expected; the oracle does.
"""

from typing import TypeAlias

import attrs

RATE, BURST = 2000, 200
"""kbps and kilobits of every limit here."""

Rule: TypeAlias = dict[str, object]

LIMIT = {"rate": RATE, "burst": BURST}

EVERYWHERE: list[Rule] = [
    {"ipBlock": {"cidr": "0.0.0.0/0", "except": ["10.11.12.13/32", "172.16.0.0/12", "192.168.0.0/16"]}},
    {"ipBlock": {"cidr": "::/0", "except": ["2001:db8:bad::/48"]}},
]
"""The guide's classifier, and the same for IPv6."""


@attrs.frozen
class Policy:
    """What differs from case to case in a policy."""

    priority: int
    egress: tuple[Rule, ...]


@attrs.frozen
class Probe:
    """A datagram to a port. `limited`: send a burst, too. `service`: to the service in front of the receiver."""

    port: int
    limited: bool = False
    service: bool = False

    def __str__(self) -> str:
        return "service" if self.service else f"UDP {self.port}"


@attrs.frozen
class Case:
    """Policies, most important first, and what to send."""

    title: str
    policies: tuple[Policy, ...]
    probes: tuple[Probe, ...]


def _udp(*ports: int) -> list[Rule]:
    return [{"protocol": "UDP", "port": port} for port in ports]


def _all_but(*prefixes: str) -> list[Rule]:
    families = {"0.0.0.0/0": [each for each in prefixes if ":" not in each], "::/0": [p for p in prefixes if ":" in p]}
    return [{"ipBlock": {"cidr": cidr, "except": excepts}} for cidr, excepts in families.items()]


SERVICE_PORT, BACKEND_PORT = 80, 8080
SERVICE_PREFIXES = ("10.96.0.0/16", "fd00:10:96::/48")

TRAFFIC = ("same chassis", "other chassis", "external")
ITSELF, BACK = "itself", "back from the other chassis"
"""Further traffic: to a service whose backend is the sender, and from the pod on the other chassis where it sends."""
_EXCEPT_PORTS = (7001, 7002, 7003)


def cases(source: tuple[str, ...], receivers: tuple[tuple[str, ...], ...]) -> tuple[Case, ...]:
    """Give all cases, for a source and receivers, whose addresses are given as prefixes, in the order of `TRAFFIC`."""
    everywhere: Rule = {"classifier": {"to": EVERYWHERE}}
    voice: Rule = {"dscp": 46, "classifier": {"ports": _udp(7001)}}
    excepts = tuple(
        {"dscp": 20 + index, "classifier": {"to": _all_but(*receiver), "ports": _udp(port)}}
        for index, (port, receiver) in enumerate(zip(_EXCEPT_PORTS, receivers, strict=True))
    )
    backends = [{"ipBlock": {"cidr": prefix}} for pod in (source, *receivers) for prefix in pod]
    services = [{"ipBlock": {"cidr": prefix}} for prefix in SERVICE_PREFIXES]
    both = (Probe(7001, limited=True), Probe(7000, limited=True))
    return (
        Case("mark", (Policy(10, ({"dscp": 20} | everywhere,)),), (Probe(7000),)),
        Case("limit", (Policy(10, ({"dscp": 0, "bandwidth": LIMIT} | everywhere,)),), (Probe(7000, limited=True),)),
        Case(
            "mark and limit",
            (Policy(10, ({"dscp": 20, "bandwidth": LIMIT} | everywhere,)),),
            (Probe(7000, limited=True),),
        ),
        Case(
            "two policies, the higher marks UDP 7001, the lower limits everything",
            (Policy(50, (voice,)), Policy(10, ({"dscp": 20, "bandwidth": LIMIT},))),
            both,
        ),
        Case(
            "two policies, the higher limits UDP 7001, the lower marks everything",
            (Policy(50, (voice | {"bandwidth": LIMIT},)), Policy(10, ({"dscp": 20},))),
            both,
        ),
        Case(
            "two rules of one policy: the first limits everything, the second marks UDP 7001",
            (Policy(10, ({"dscp": 20, "bandwidth": LIMIT}, voice)),),
            both,
        ),
        Case(
            "except: one rule spares the receiver on the same chassis, one that on the other, one the external one",
            (Policy(10, excepts),),
            tuple(map(Probe, _EXCEPT_PORTS)),
        ),
        Case(
            "port: a rule for UDP 7001, and one for 7000 without a protocol, which means TCP",
            (Policy(10, (voice, {"dscp": 20, "classifier": {"ports": [{"port": 7000}]}})),),
            (Probe(7001), Probe(7000)),
        ),
        Case(
            "service: one rule marks and limits what goes to its pods, one marks what goes to its own address",
            (
                Policy(
                    10,
                    (
                        {"dscp": 30, "bandwidth": LIMIT, "classifier": {"to": backends, "ports": _udp(BACKEND_PORT)}},
                        {"dscp": 40, "classifier": {"to": services, "ports": _udp(SERVICE_PORT)}},
                    ),
                ),
            ),
            (Probe(SERVICE_PORT, limited=True, service=True),),
        ),
    )


PORTS = (7000, *_EXCEPT_PORTS, BACKEND_PORT)
"""Where receivers listen."""
