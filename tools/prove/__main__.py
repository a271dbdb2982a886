"""`python -m tools.prove`: prove the compiler right, at length, and count what was compared.

In: how many policy/packet cases and rows, a seed; or files of earlier differences. Out: the counts, by generation of
OVN, and each difference; those from the oracle with a file that `--replay` takes. Rule: exits with 0 only if nothing
differs.
"""

import argparse
import multiprocessing
import sys
import tempfile
import time
from functools import partial
from pathlib import Path

from tests.proof.agreement import Outcome
from tests.proof.ovn_sample import judge
from tests.proof.run import Finding, Tally, batches, first_difference
from tests.proof.scenarios import VERSIONS, from_text
from tests.services.generation import GENERATIONS
from tools.prove.progress import say, tell

CASES = 3_000_000
ROWS = 1_000
PROGRESS_SECONDS = 10


def main() -> int:
    """Run, print and return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tools.prove", description="Prove that compiled rows are right.")
    parser.add_argument("--cases", type=int, default=CASES, help="policy/packet cases to compare (%(default)s)")
    parser.add_argument("--rows", type=int, default=ROWS, help="rows that each real OVN judges (%(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="another seed gives other cases (%(default)s)")
    parser.add_argument("--workers", type=int, default=2, help="processes (%(default)s)")
    parser.add_argument("--replay", type=Path, nargs="+", metavar="FILE", help="compare these cases and nothing else")
    chosen = parser.parse_args()
    if chosen.replay:
        return _replay(chosen.replay)
    differences = _ask_the_oracle(chosen.cases, chosen.seed, chosen.workers)
    differences += _ask_real_ovn(chosen.rows, chosen.seed, chosen.workers) if chosen.rows else 0
    say(f"{differences} differences" if differences else "no difference")
    return 1 if differences else 0


def _ask_the_oracle(cases: int, seed: int, workers: int) -> int:
    say(f"compiler and oracle: at least {cases:,} policy/packet cases, seed {seed}, {workers} workers")
    tally = Tally()
    findings: list[Finding] = []
    started = shown = time.monotonic()
    for batch in batches(cases, seed, workers):
        tally = tally.plus(batch.tally)
        findings += batch.findings
        now = time.monotonic()
        if now - shown > PROGRESS_SECONDS:
            shown = now
            say(f"{now - started:4.0f} s: {tally.cases.total():,} cases, {len(findings)} differences")
    say(f"{time.monotonic() - started:4.0f} s: done")
    say(_table(tally))
    _write(findings)
    return len(findings)


def _table(tally: Tally) -> str:
    lines = [f"{tally.cases.total():,} policy/packet cases in {tally.clusters:,} clusters, each for both generations:"]
    for version in VERSIONS:
        series = ".".join(version.split(".")[:2])
        of = {outcome: tally.outcomes[series, outcome] for outcome in Outcome}
        counts = {
            "policies": tally.policies[series],
            "rows": tally.rows[series],
            "packets that take a rule": of[Outcome.RULE],
            "packets that take none": of[Outcome.NO_RULE],
            "packets left out, the meaning is open": of[Outcome.LEFT_OUT],
            "policy/packet cases": tally.cases[series],
        }
        lines += [f"  OVN {series}  {name:<40}{count:>12,}" for name, count in counts.items()]
    return "\n".join(lines)


def _write(findings: list[Finding]) -> None:
    directory = Path(tempfile.mkdtemp(prefix="nqosd-proof-")) if findings else Path()
    for number, finding in enumerate(findings):
        file = directory / f"difference-{number}.json"
        file.write_text(finding.text)
        say(f"DIFFERENT: {finding.message}\n  again: python -m tools.prove --replay {file}")


def _ask_real_ovn(rows: int, seed: int, workers: int) -> int:
    say(f"rows and real OVN: at least {rows:,} rows for each generation, seed {seed}")
    started = time.monotonic()
    with multiprocessing.get_context("spawn").Pool(min(workers, len(GENERATIONS))) as pool:
        ask = partial(judge, rows=rows, seed=str(seed), progress=tell)
        trials = pool.map(ask, GENERATIONS)
    say(f"{time.monotonic() - started:4.0f} s: done")
    for trial in trials:
        seen = trial.seen
        counts = {
            "rows that became flows": seen.rows_with_flows,
            "rows that no packet can meet": seen.rows_without_packets,
            "packets traced": seen.packets,
            "packets traced that take a rule": seen.packets_with_a_rule,
            "limited packets traced that come back from a router": seen.returned_packets,
        }
        for name, count in counts.items():
            say(f"  OVN {trial.generation.series}  {name:<40}{count:>12,}")
        for finding in trial.findings:
            say(f"DIFFERENT on OVN {trial.generation.series}: {finding}")
    return sum(len(trial.findings) for trial in trials)


def _replay(files: list[Path]) -> int:
    different = 0
    for file in files:
        scenario, packet, seed = from_text(file.read_text())
        found = first_difference(scenario, seed, packet)
        different += found is not None
        say(f"{file}: {'no difference' if found is None else found[1]}")
    return 1 if different else 0


if __name__ == "__main__":
    sys.exit(main())
