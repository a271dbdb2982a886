"""One process of the fuzzer: `python -m tools.fuzz.worker TARGET RUNS SEED DIRECTORY`.

At its end it leaves `figures.json` in the directory: inputs, what they came to, and the longest time that one took. An
input that was a find is left there, as libFuzzer names it (`crash-…`, `timeout-…`). It says every minute how far it is.
"""

import json
import sys
import time
from pathlib import Path
from random import Random

import atheris

with atheris.instrument_imports(include=["nqosd", "ovs"]):
    from tools.fuzz.targets import TARGETS

from tools.fuzz.mutation import mutate

LONGEST_INPUT = 8192
"""Bytes; sizes are another matter, that of the benchmark."""
PROGRESS = 60.0
"""Seconds between two lines about how far it is; `tools.fuzz` passes on lines that begin with `[fuzz]`."""
SECONDS = 20
"""An input that takes longer than so long is a find; the slowest takes a hundredth of it on an idle machine."""


def main() -> None:
    """Run."""
    name, runs, seed, directory = sys.argv[1], int(sys.argv[2]), sys.argv[3], Path(sys.argv[4])
    target = TARGETS[name]()
    corpus = directory / "corpus"
    corpus.mkdir(parents=True)
    for place, text in enumerate(target.seeds):
        (corpus / f"seed-{place:03}").write_bytes(text)
    taken, longest, began = 0, 0.0, time.monotonic()
    told = began

    def take(data: bytes) -> None:
        nonlocal taken, longest, told
        before = time.process_time()
        target.take(data)
        longest = max(longest, time.process_time() - before)
        taken += 1
        if time.monotonic() - told >= PROGRESS:
            told = time.monotonic()
            print(f"[fuzz] {name}, seed {seed}: {taken:,} of {runs:,} inputs after {told - began:.0f} s", flush=True)
        if taken == runs:
            seconds = time.monotonic() - began
            found = {"inputs": taken, "seconds": seconds, "longest": longest, "came to": dict(target.seen)}
            (directory / "figures.json").write_text(json.dumps(found))

    def change(data: bytes, size: int, seed: int) -> bytes:
        alter = lambda text: bytes(atheris.Mutate(text, max(1, size - 1)))  # noqa: E731
        return mutate(data, Random(seed), alter)[:size]  # noqa: S311 (not a secret)

    options = [
        *(f"-runs={runs}", f"-seed={seed}", f"-max_len={LONGEST_INPUT}", f"-timeout={SECONDS}"),
        *("-len_control=0", "-rss_limit_mb=4096", f"-artifact_prefix={directory}/", "-print_final_stats=1"),
    ]
    atheris.Setup([sys.argv[0], *options, str(corpus)], take, custom_mutator=change)
    atheris.Fuzz()


main()
