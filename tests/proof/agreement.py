"""The compiler against the oracle: one cluster, many packets, two opinions.

In: manifests by kind, settings, a version of OVN. Out: the differences between what the oracle says a packet deserves
and what the compiled rows do to it. Rule: the two share nothing but the manifests; rows reach the oracle's side as the
document that `nqosd compile` prints.
"""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence

import attrs

from nqosd.cache.tables import Tables
from nqosd.compiler.compile import Compiled, compile_everything
from nqosd.compiler.document import Document, document
from nqosd.compiler.settings import Settings, parse_ovn_version
from nqosd.informers.changes import Change
from nqosd.informers.resources import RESOURCES
from tests.oracle.decoded import Object
from tests.oracle.meaning import Oracle, UndecidedError, read_meaning
from tests.oracle.packet import Packet
from tests.oracle.rows import AmbiguousError, Rows, pipeline_of, read_rows
from tests.oracle.strategies import Send
from tests.oracle.strategies import Settings as Options

OWNER = "nqosd"

Compile = Callable[[Tables, Settings], Compiled]


def tables_of(objects: Mapping[str, Iterable[Object]]) -> Tables:
    """Decode manifests into tables, through the bytes that an API server would send."""
    tables = Tables()
    for kind, manifests in objects.items():
        resource = next(each for each in RESOURCES if each.kind == kind)
        for manifest in manifests:
            value = resource.decode(json.dumps(manifest).encode()).value
            tables.apply(Change(resource.kind, value.key, None, value))
    return tables


@attrs.frozen
class Case:
    """One cluster under one version of OVN, seen from both sides."""

    oracle: Oracle
    compiled: Document
    rows: Rows

    @classmethod
    def of(
        cls,
        objects: Mapping[str, Sequence[Object]],
        options: Options,
        version: str,
        compiler: Compile = compile_everything,
    ) -> "Case":
        """Compile the manifests, and read them."""
        settings = Settings(
            owner=OWNER,
            zone=options["zone"] or "",
            ovn=parse_ovn_version(version),
            any_network=options["unselected_networks"] == "all",
        )
        compiled = compiler(tables_of(objects), settings)
        printed: Document = json.loads(json.dumps(document(compiled.desired, compiled.reports, OWNER)))
        oracle = read_meaning(objects, **options)
        return cls(oracle, printed, read_rows(printed, pipeline_of(version)))

    def readiness_differs(self) -> str | None:
        """Compare which policies are applied, and that each one that isn't says why, with a field."""
        for policy in self.compiled["policies"]:
            key = f"{policy['namespace']}/{policy['name']}"
            expected = key in self.oracle.applied
            if policy["ready"] != expected:
                return f"{key}: ready is {policy['ready']}, and should be {expected}: {policy['problems']}"
            if not policy["ready"] and not all(problem["field"] for problem in policy["problems"]):
                return f"{key}: not ready without a field: {policy['problems']}"
        return None

    def differs(self, send: Send) -> str | None:
        """Compare what a packet deserves with what it gets; None where they agree."""
        packet: Packet = send.packet
        try:
            decision = self.oracle.decide(send.sender, packet)
        except UndecidedError:
            return None
        try:
            result = self.rows.treat(send.sender.switch, packet)
        except AmbiguousError as error:
            return f"{send}: {error}"
        if decision is None or result is None:
            return None if decision is None and result is None else f"{send}: deserves {decision}, gets {result}"
        if len({each["nqosd.io/policy"].partition("/")[0] for each in result.winners}) > 1:
            # Before 24.09 a sender without addresses that takes an address of another namespace's pod meets both
            # namespaces' rows, and shields stand among the rules of one namespace only: nothing is promised for it.
            return None
        winner = {"nqosd.io/policy": decision.policy, "nqosd.io/rule": str(decision.rule)}
        if decision.treatment == result.treatment and all(winner.items() <= each.items() for each in result.winners):
            return None
        return f"{send}: deserves {decision}, gets {result}"
