"""`make fuzz`: mutated objects, watch streams and OVSDB messages, guided by coverage; it prints how many, and finds.

Exit codes: 0: no find. 1: a find; the input is named, and `python -m tools.fuzz --again FILE` takes it once more.
"""

import argparse
import json
import re
import subprocess
import sys
import tempfile
import time
from collections import Counter, deque
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tools.fuzz.targets import TARGETS

COVERAGE = re.compile(r"cov: (\d+) ft: (\d+)")
LAST_LINES = 40
PASSED_ON = "[fuzz] "
"""Lines of a process that are about how far it is begin so."""


def main() -> int:
    """Run the command."""
    options = _parse()
    if options.again is not None:
        TARGETS[options.target]().take(options.again.read_bytes())
        print(f"[fuzz] {options.again}: no find")
        return 0
    watches = options.messages // 2
    runs = {"objects": options.objects, "watches": watches, "messages": options.messages - watches}
    directory = Path(tempfile.mkdtemp(prefix="nqosd-fuzz-"))
    shares = [
        (name, number // options.lanes + (lane < number % options.lanes), options.seed * 100 + lane)
        for name, number in runs.items()
        for lane in range(options.lanes)
    ]
    with ThreadPoolExecutor(options.lanes) as pool:
        results = list(
            pool.map(
                lambda share: _run(share[0], share[1], share[2], directory), [share for share in shares if share[1]]
            )
        )
    total = sum((Counter(each) for each in results if each is not None), Counter[str]())
    inputs = ", ".join(f"{total[name]:,} {name}" for name in runs)
    print(f"[fuzz] {f'finds in {directory}' if None in results else 'no find'} in {inputs}, seed {options.seed}")
    return 1 if None in results else 0


def _run(name: str, runs: int, seed: int, directory: Path) -> Mapping[str, int] | None:
    """Run one process to its end, print what came of it, and give how many inputs were taken; None: a find."""
    place = directory / f"{name}-{seed}"
    began = time.monotonic()
    command = [sys.executable, "-m", "tools.fuzz.worker", name, str(runs), str(seed), str(place)]
    lines: deque[str] = deque(maxlen=LAST_LINES)
    coverage: Sequence[str] = ("0", "0")
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:
        for line in process.stdout or ():
            lines.append(line.decode(errors="backslashreplace").rstrip("\n"))
            if found := COVERAGE.search(lines[-1]):
                coverage = found.groups()
            if lines[-1].startswith(PASSED_ON):
                print(lines[-1], flush=True)
    figures = place / "figures.json"
    if process.returncode != 0 or not figures.exists():
        tail = "\n".join(lines)
        print(f"[fuzz] {name}, seed {seed}: a find (exit code {process.returncode})\n{tail}", flush=True)
        return None
    found = json.loads(figures.read_text())
    came_to = ", ".join(f"{number:,} {word}" for word, number in sorted(found["came to"].items()))
    print(
        f"[fuzz] {name}, seed {seed}: {found['inputs']:,} inputs in {time.monotonic() - began:.0f} s"
        f" ({found['inputs'] / found['seconds']:,.0f} a second), longest {found['longest'] * 1000:.0f} ms of CPU,"
        f" coverage {coverage[0]} edges, {coverage[1]} features; {came_to}",
        flush=True,
    )
    return {name: found["inputs"]}


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="tools.fuzz", description="Fuzz what comes from outside, guided by coverage.")
    parser.add_argument("--objects", type=int, default=1_000_000, help="mutated objects (default: 1,000,000)")
    parser.add_argument(
        "--messages", type=int, default=200_000, help="mutated watch and OVSDB messages, half each (default: 200,000)"
    )
    parser.add_argument("--seed", type=int, default=1, help="(default: 1)")
    parser.add_argument("--lanes", type=int, default=2, help="processes side by side (default: 2)")
    parser.add_argument("--again", type=Path, metavar="FILE", help="take one input once more, and show what it raises")
    parser.add_argument("--target", choices=sorted(TARGETS), default="objects", help="of --again (default: objects)")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
