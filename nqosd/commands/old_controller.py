"""What ovn-kubernetes' own NetworkQoS controller has left in the status of policies, and whether it still answers.

In: all policies as the API server has them. Out: `Traces` of a zone. Rule: a controller that has nothing to do looks
like one that is off; only a policy that it would have answered, and didn't, tells them apart.

It writes the condition `Ready-In-Zone-<node>` as a field manager that is called as the node. Of a policy that nqosd has
written to, nobody knows any more what it had said there.
"""

import datetime as dt
from collections.abc import Iterator

import msgspec

from nqosd.commands.gathering import GatherError
from nqosd.kube.client import KubeConnectionError
from nqosd.kube.credentials import KubeConfigError
from nqosd.kube.writes import ApiClient
from nqosd.status.conditions import TYPE_PREFIX

PATH = "/apis/k8s.ovn.org/v1alpha1/networkqoses"
OK = 200
ANSWERS = dt.timedelta(minutes=1)
"""How long it may take to answer a new policy; it does so in seconds."""


class _Managed(msgspec.Struct, gc=False, rename={"fields": "fieldsV1"}):
    manager: str = ""
    time: str = ""
    fields: dict[str, dict[str, object]] = {}


class _Metadata(msgspec.Struct, gc=False, rename="camel"):
    name: str
    namespace: str
    creation_timestamp: str = ""
    managed_fields: list[_Managed] = []


class _Spec(msgspec.Struct, gc=False, rename="camel"):
    network_selectors: list[object] = []


class _Policy(msgspec.Struct, gc=False):
    metadata: _Metadata
    spec: _Spec

    def answers(self, zone: str) -> Iterator[str]:
        """Give when the controller of a zone, or of any if it is empty, has written to it."""
        for each in self.metadata.managed_fields:
            conditions = each.fields.get("f:status", {}).get("f:conditions")
            key = f'k:{{"type":"{TYPE_PREFIX}{each.manager}"}}'
            if each.manager == (zone or each.manager) and isinstance(conditions, dict) and key in conditions:
                yield each.time

    @property
    def is_known_to_nqosd(self) -> bool:
        """Whether nqosd has written to it."""
        return any(each.manager.startswith("nqosd") for each in self.metadata.managed_fields)


class _Policies(msgspec.Struct, gc=False):
    items: list[_Policy]


_policies = msgspec.json.Decoder(_Policies)


class Traces(msgspec.Struct, frozen=True):
    """Of the controller of one zone; times are RFC 3339.

    `wrote` is when it wrote to a status last, and `policy` to which one; both are empty if there is no trace of it.
    `unanswered` is a policy that it would have answered since, and hasn't: it is off.
    """

    wrote: str = ""
    policy: str = ""
    unanswered: str = ""

    def has_written_since(self, before: "Traces") -> bool:
        """Say whether it has written between two looks; that a policy waits for it longer shows nothing."""
        return self.wrote > before.wrote

    @property
    def warning(self) -> str:
        """Say what isn't known; empty where it is known to be off, or never was there."""
        if not self.wrote or self.unanswered:
            return ""
        return (
            f"ovn-kubernetes' own controller wrote to the status of NetworkQoS {self.policy} at {self.wrote}, and "
            "nothing shows whether it is off since, or has nothing to do: make sure that it runs with "
            "--enable-network-qos=false"
        )


async def ask_for_traces(client: ApiClient, zone: str) -> Traces:
    """Look for the controller of a zone; `zone` empty: of the whole cluster.

    Raises:
        GatherError: the policies can't be listed.
    """
    try:
        response = await client.request("GET", PATH)
        if response.status != OK:
            raise GatherError(f"NetworkQoS objects can't be listed: {response.body[:200].decode(errors='replace')}")
        return traces(response.body, zone, dt.datetime.now(dt.UTC))
    except (KubeConnectionError, KubeConfigError, ValueError) as error:
        raise GatherError(f"NetworkQoS objects can't be listed: {error}") from error


def traces(listed: bytes, zone: str, now: dt.datetime) -> Traces:
    """Read them from the list of all policies.

    Raises:
        ValueError: it is no such list.
    """
    policies = _policies.decode(listed).items
    found = [(time, _key(each)) for each in policies for time in each.answers(zone)]
    since = (now - ANSWERS).strftime("%Y-%m-%dT%H:%M:%SZ")
    silent = [each for each in policies if _is_unanswered(each, zone, since)]
    wrote, policy = max(found, default=("", ""))
    return Traces(wrote, policy, min(map(_key, silent), default="") if found else "")


def _is_unanswered(policy: _Policy, zone: str, since: str) -> bool:
    """Say whether it is a policy for the default network, there for long enough, on which it has said nothing."""
    is_asked = not policy.spec.network_selectors and not policy.is_known_to_nqosd
    return is_asked and policy.metadata.creation_timestamp < since and not [*policy.answers(zone)]


def _key(policy: _Policy) -> str:
    return f"{policy.metadata.namespace}/{policy.metadata.name}"
