"""The table of attacks in docs/security.md, between two markers.

In: what was seen. Out: text. Rule: what an attack is and what it did before comes from the attack, figures from a run.
"""

from collections import Counter
from collections.abc import Iterable, Sequence

from tests.services.latency import Latency
from tests.tenants.attack import Attack
from tests.tenants.watching import Seen

BEGIN = "<!-- make tenants writes from here -->"
END = "<!-- to here -->"
HELD = "tests/tenants/test_attacks.py::test_the_victims_rows_stay"
HEADER = (
    "attack", "may write", "before", "now", "the attacker's policies", "rows changed", "new pod, p99 (worst)",
    "status, p99 (worst)", "lines of the log",
    "/healthz silent", "tests",
)  # fmt: skip


def texts(attack: Attack) -> tuple[str, ...]:
    """Give the first cells of an attack's row."""
    return attack.what, attack.needs, attack.before, attack.now


def holders(attack: Attack) -> str:
    """Name the tests that hold it."""
    return " ".join(f"`{each}`" for each in (HELD, *attack.tests))


def row(seen: Seen) -> tuple[str, ...]:
    """Give the row of an attack, without its tests."""
    changed = "; ".join([str(seen.changed), *seen.meets])
    latencies = _of(seen.pods), _of(seen.statuses)
    silence = f"{seen.silence * 1000:.0f} ms"
    return *texts(seen.attack), _reasons(seen.reasons), changed, *latencies, f"{seen.lines:,}", silence


def markdown(found: Sequence[Seen], alone: Seen, machine: str) -> str:
    """Write the table, and what was seen without an attack."""
    lines = [HEADER, ["---"] * len(HEADER), *((*row(each), holders(each.attack)) for each in found)]
    said = (
        f"Without an attack: new pod {_of(alone.pods)}, status {_of(alone.statuses)}, {alone.lines:,} lines of the "
        f"log, /healthz silent for {alone.silence * 1000:.0f} ms. {machine}"
    )
    return "\n".join([*(f"| {' | '.join(line)} |" for line in lines), "", said])


def written(page: str, table: str) -> str:
    """Put a table into the page."""
    head, _, rest = page.partition(BEGIN)
    _, _, tail = rest.partition(END)
    return f"{head}{BEGIN}\n\n{table}\n\n{END}{tail}"


def rows(page: str) -> list[list[str]]:
    """Read the rows between the markers: texts of cells."""
    part = page.partition(BEGIN)[2].partition(END)[0]
    lines: Iterable[str] = [line for line in part.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines][2:]


def _of(latency: Latency) -> str:
    return f"{latency.p99:.0f} ms ({latency.worst:.0f} ms)"


def _reasons(reasons: Counter[str]) -> str:
    if sum(reasons.values()) == 1:
        return next(iter(reasons))
    return ", ".join(f"{number} {reason}" for reason, number in reasons.most_common()) or "none"
