"""Who shares a limit with whom, as packets show it.

In: packets that took a limited rule, and the row whose meter they met. Out: what differs from the definition: a limit
is shared by a rule's source pods on one switch, both families together; with bandwidth-scope Pod each has its own.
Rule: only packets that tell their pod count, so not those with an address that several source pods have.
"""

from collections.abc import Iterator

import attrs

from tests.oracle.meaning import Decision, Oracle
from tests.oracle.probes import Send
from tests.oracle.rows import Result

Limited = tuple[str, int, str, str]
"""Policy, rule, network and switch."""

Identity = frozenset[tuple[str, str]]
"""The external_ids of a row."""


@attrs.frozen
class Meters:
    """The rows that limited packets, by what they limit and the pod that sent them."""

    _rows: dict[Limited, dict[str, set[Identity]]] = attrs.field(factory=dict)

    def note(self, oracle: Oracle, send: Send, decision: Decision, result: Result) -> None:
        """Take note of a packet that took a rule; one without a limit tells nothing."""
        if decision.treatment.rate is None or not _tells_its_pod(oracle, send):
            return
        limited = (decision.policy, decision.rule, send.sender.network, send.sender.switch)
        row = frozenset(result.winners[-1].items())
        self._rows.setdefault(limited, {}).setdefault(send.sender.pod, set()).add(row)

    def differences(self, oracle: Oracle) -> Iterator[str]:
        """Say where pods share a meter and shouldn't, or have several where one is meant."""
        for (policy, rule, network, switch), by_pod in self._rows.items():
            rows = [row for found in by_pod.values() for row in found]
            wanted = len(by_pod) if oracle.applied[policy].limit_per_pod else 1
            if len(set(rows)) != wanted or (wanted > 1 and len(rows) != wanted):
                yield (
                    f"{policy} rule {rule} on network {network}, switch {switch}: pods {sorted(by_pod)} meet "
                    f"{len(set(rows))} meters, and should meet {wanted}"
                )


def _tells_its_pod(oracle: Oracle, send: Send) -> bool:
    """Say whether a packet's source is its sender's alone; a sender without addresses must use nobody's."""
    sender, source = send.sender, send.packet.source
    place = (sender.network, sender.switch)
    owners = {each.pod for each in oracle.senders if place == (each.network, each.switch) and source in each.addresses}
    return owners == ({sender.pod} if sender.addresses else set())
