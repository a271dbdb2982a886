"""What the long run prints while it works."""

from tests.proof.ovn_trial import Trial

BATCHES_A_LINE = 10


def say(text: str) -> None:
    """Print lines at once, each with the name of the run."""
    for line in text.splitlines():
        print(f"[prove] {line}", flush=True)


def tell(trial: Trial) -> None:
    """Say how far a trial is, now and then; a worker process calls it."""
    if trial.batches % BATCHES_A_LINE == 0:
        say(f"OVN {trial.generation.series}: {trial.seen.rows:,} rows, {len(trial.findings)} differences")
