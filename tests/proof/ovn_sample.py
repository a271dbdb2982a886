"""The cases that real OVN judges, a batch at a time.

In: a generation of OVN, how many rows, a seed. Out: a finished `Trial`. Rule: the cases of a batch stand in one
database, so their pods and sets have names of their own; the scenarios that are written by hand come first.
"""

from collections.abc import Callable, Iterator
from itertools import count

import attrs

from tests.oracle.cluster_strategies import Manifest
from tests.oracle.decoded import mapping, text
from tests.proof.agreement import Case
from tests.proof.ovn_trial import Trial
from tests.proof.rarities import rarities
from tests.proof.scenarios import Scenario, scenarios
from tests.services.generation import OvnGeneration

CLUSTERS_AT_ONCE = 80
"""Clusters to generate at once: the first few of a seed are small, and look alike."""

CASES_A_BATCH = 4
"""Cases in one database: ovn-trace reads all of it for each packet."""


def judge(generation: OvnGeneration, rows: int, seed: str, progress: Callable[[Trial], object] | None = None) -> Trial:
    """Let real OVN judge at least so many rows; `progress` is told after each batch."""
    trial = Trial(generation)
    for batch in batches(generation, seed):
        trial.run(batch, seed)
        if progress is not None:
            progress(trial)
        if trial.seen.rows >= rows:
            break
    return trial


def batches(generation: OvnGeneration, seed: str) -> Iterator[list[Case]]:
    """Give batches of cases that have rows."""
    for chosen in _scenarios(seed):
        mine = [scenario for scenario in chosen if scenario.version.startswith(generation.series)]
        found = (Case.of(_renamed(scenario, number), owner=f"case{number}") for number, scenario in enumerate(mine))
        with_rows = [case for case in found if case.compiled["qos"]]
        for first in range(0, len(with_rows), CASES_A_BATCH):
            yield with_rows[first : first + CASES_A_BATCH]


def _scenarios(seed: str) -> Iterator[list[Scenario]]:
    yield rarities()
    for number in count():
        yield [each for versions in scenarios(CLUSTERS_AT_ONCE, f"{seed}/{number}") for each in versions]


def _renamed(scenario: Scenario, number: int) -> Scenario:
    """Give pods names, and so logical ports, that no other case of the batch has."""

    def turned(pod: Manifest) -> Manifest:
        return {**pod, "metadata": {**mapping(pod, "metadata"), "name": f"{text(pod, 'metadata', 'name')}-{number}"}}

    pods = [turned(pod) for pod in scenario.objects.get("Pod", [])]
    return attrs.evolve(scenario, objects={**scenario.objects, "Pod": pods})
