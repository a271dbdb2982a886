"""`python -m tests.proof`: prove the compiler right, at length, and count what was compared.

In: how many policy/packet cases, a seed; or files of earlier differences. Out: the counts, by generation of OVN, and
each difference with a file that `--replay` takes. Rule: exits with 0 only if nothing differs.
"""

import argparse
import sys
import tempfile
import time
from pathlib import Path

from tests.proof.agreement import Outcome
from tests.proof.run import Finding, Tally, batches, first_difference
from tests.proof.scenarios import VERSIONS, from_text

CASES = 4_000_000
PROGRESS_SECONDS = 10


def main() -> int:
    """Run, print and return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.proof", description="Hold the compiler against the oracle.")
    parser.add_argument(
        "--cases", type=int, default=CASES, help="policy/packet cases to compare (default: %(default)s)"
    )
    parser.add_argument("--seed", type=int, default=0, help="another seed gives other cases (default: %(default)s)")
    parser.add_argument("--workers", type=int, default=2, help="processes (default: %(default)s)")
    parser.add_argument("--replay", type=Path, nargs="+", metavar="FILE", help="compare these cases and nothing else")
    arguments = parser.parse_args()
    if arguments.replay:
        return _replay(arguments.replay)
    return _prove(arguments.cases, arguments.seed, arguments.workers)


def _prove(cases: int, seed: int, workers: int) -> int:
    _say(f"[prove] at least {cases:,} policy/packet cases, seed {seed}, {workers} workers")
    tally = Tally()
    findings: list[Finding] = []
    started = shown = time.monotonic()
    for batch in batches(cases, seed, workers):
        tally = tally.plus(batch.tally)
        findings += batch.findings
        now = time.monotonic()
        if now - shown > PROGRESS_SECONDS:
            shown = now
            _say(f"[prove] {now - started:.0f} s: {tally.cases.total():,} cases, {len(findings)} differences")
    _say(f"[prove] {time.monotonic() - started:.0f} s")
    _say(_table(tally))
    return _report(findings)


def _say(line: str) -> None:
    print(line, flush=True)  # noqa: T201 - this is a command's own output


def _table(tally: Tally) -> str:
    lines = [f"  {'clusters':<42}{tally.clusters:>14,}"]
    for version in VERSIONS:
        series = ".".join(version.split(".")[:2])
        of = {outcome: tally.outcomes[series, outcome] for outcome in Outcome}
        compared = sum(of.values()) - of[Outcome.LEFT_OUT]
        counts = {
            "policies": tally.policies[series],
            "rows": tally.rows[series],
            "packets": compared,
            "packets that take a rule": of[Outcome.RULE],
            "packets that take none": of[Outcome.NO_RULE],
            "packets left out (the meaning is open)": of[Outcome.LEFT_OUT],
            "policy/packet cases": tally.cases[series],
        }
        lines += [f"  OVN {series}: {name:<31}{count:>14,}" for name, count in counts.items()]
    return "\n".join(lines)


def _report(findings: list[Finding]) -> int:
    if not findings:
        _say("[prove] no difference")
        return 0
    directory = Path(tempfile.mkdtemp(prefix="nqosd-proof-"))
    for number, finding in enumerate(findings):
        file = directory / f"difference-{number}.json"
        file.write_text(finding.text)
        _say(f"[prove] DIFFERENT: {finding.message}\n        replay: python -m tests.proof --replay {file}")
    _say(f"[prove] {len(findings)} scenarios differ")
    return 1


def _replay(files: list[Path]) -> int:
    different = 0
    for file in files:
        scenario, packet, seed = from_text(file.read_text())
        found = first_difference(scenario, seed, packet)
        different += found is not None
        _say(f"{file}: {'no difference' if found is None else found[1]}")
    return 1 if different else 0


if __name__ == "__main__":
    sys.exit(main())
