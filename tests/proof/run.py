"""The long differential run: many scenarios, many packets, on every core, and the count of what was compared.

In: how many policy/packet cases to compare, and a seed. Out: a `Tally`, and a `Finding` for each scenario in which the
compiler and the oracle differ. Rule: what a batch holds depends on the seed and its number alone, so it can be run
again; an error of the compiler is a difference too.
"""

import itertools
import multiprocessing
from collections import Counter
from collections.abc import Iterator

import attrs

from tests.oracle.decoded import Object
from tests.oracle.probes import Send
from tests.proof.agreement import Case, Outcome
from tests.proof.scenarios import NO_PACKET, Scenario, describe, find_send, packets, scenarios, smaller, to_text

CLUSTERS_A_BATCH = 200
PACKETS_A_SCENARIO = 200

Difference = tuple[Send | None, str]
"""What differs, and the packet at which it shows, if it does at one."""


@attrs.frozen
class Finding:
    """A difference: what it is, and the smallest scenario found that shows one, as a file's text."""

    message: str
    text: str


@attrs.frozen
class Tally:
    """What was compared. The counters are by series of OVN (`23.03`); `outcomes` by series and `Outcome`.

    One policy/packet case is one packet for which the oracle and the rows chose among the policies of its cluster.
    """

    clusters: int = 0
    policies: Counter[str] = attrs.field(factory=Counter)
    rows: Counter[str] = attrs.field(factory=Counter)
    cases: Counter[str] = attrs.field(factory=Counter)
    outcomes: Counter[tuple[str, Outcome]] = attrs.field(factory=Counter)

    def plus(self, other: "Tally") -> "Tally":
        """Add up two tallies."""
        return Tally(
            self.clusters + other.clusters,
            self.policies + other.policies,
            self.rows + other.rows,
            self.cases + other.cases,
            self.outcomes + other.outcomes,
        )


@attrs.frozen
class Batch:
    """The result of one batch."""

    tally: Tally
    findings: tuple[Finding, ...]


def batches(cases: int, seed: int, workers: int) -> Iterator[Batch]:
    """Run batch after batch on so many processes, until so many policy/packet cases have been compared."""
    spawn = multiprocessing.get_context("spawn")
    with spawn.Pool(workers) as pool:
        numbers = (f"{seed}/{number}" for number in itertools.count())
        running = [pool.apply_async(run_batch, (next(numbers),)) for _ in range(workers)]
        while cases > 0:
            batch = running.pop(0).get()
            cases -= batch.tally.cases.total()
            running.append(pool.apply_async(run_batch, (next(numbers),)))
            yield batch


def run_batch(seed: str) -> Batch:
    """Compare the scenarios of one batch."""
    tally, findings = Tally(), []
    for versions in scenarios(CLUSTERS_A_BATCH, seed):
        tally = tally.plus(Tally(clusters=1))
        for scenario in versions:
            counted, found = run_scenario(scenario, seed)
            tally = tally.plus(counted)
            findings += found
    return Batch(tally, tuple(findings))


def run_scenario(scenario: Scenario, seed: str) -> tuple[Tally, list[Finding]]:
    """Compare one scenario; its first difference is made small."""
    series = ".".join(scenario.version.split(".")[:2])
    policies = len(scenario.objects.get("NetworkQoS", []))
    outcomes, rows, found = _compare(scenario, seed, NO_PACKET)
    compared = outcomes.total() - outcomes[Outcome.LEFT_OUT]
    tally = Tally(
        policies=Counter({series: policies}),
        rows=Counter({series: rows}),
        cases=Counter({series: policies * compared}),
        outcomes=Counter({(series, outcome): count for outcome, count in outcomes.items()}),
    )
    return tally, [] if found is None else [_smallest(scenario, found, seed)]


def first_difference(scenario: Scenario, seed: str, packet: Object = NO_PACKET) -> Difference | None:
    """Find a difference: at a packet (as `describe` gives it), or at any of those that the seed gives."""
    return _compare(scenario, seed, packet)[2]


def _compare(scenario: Scenario, seed: str, packet: Object) -> tuple[Counter[Outcome], int, Difference | None]:
    """Compare; gives the packets' outcomes, the number of rows, and the first difference."""
    try:
        case = Case.of(scenario)
    except Exception as error:  # noqa: BLE001 - whatever the compiler raises is a difference
        return Counter(), 0, (None, repr(error))
    sends = packets(scenario, case.oracle, PACKETS_A_SCENARIO, seed)
    aimed = find_send(case.oracle, packet)
    comparison = case.compare(sends if aimed is None else [aimed, *sends])
    return comparison.outcomes, len(case.compiled["qos"]), next(iter(comparison.different), None)


def _smallest(scenario: Scenario, found: Difference, seed: str) -> Finding:
    """Leave out objects, rules and entries as long as a difference stays."""
    while True:
        packet = describe(found[0])
        for candidate in smaller(scenario):
            again = first_difference(candidate, seed, packet)
            if again is not None:
                scenario, found = candidate, again
                break
        else:
            return Finding(found[1], to_text(scenario, packet, seed))
