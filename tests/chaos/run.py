"""One run: a seed becomes a sequence of changes and faults; then everything is let go and compared.

In: a cluster, a seed, a number of faults. Out: which faults there were, or `Failed` with the sequence. The rule: the
same seed gives the same sequence; only the moments at which things happen are the machine's.
"""

import contextlib
import shutil
import tempfile
import time
from collections import Counter
from pathlib import Path
from random import Random

import attrs

from tests.chaos.faults import FAULTS, End, Fault
from tests.chaos.objects import Objects
from tests.faults.cluster import Cluster
from tests.faults.site import Site, open_site
from tests.services.generation import GENERATIONS
from tests.services.ovsdb import OvsdbServer

OPEN = 3
"""How many faults may be open at once."""
LONGEST = 0.6
"""Seconds until the next thing happens."""
DEADLINE = 90.0


class Failed(Exception):  # noqa: N818 - it is the result of a run
    """A run that didn't end where the definition says; the message tells how to do it again."""


@attrs.define
class Run:
    """A run on a site that is there."""

    seed: int
    site: Site
    random: Random
    objects: Objects
    injected: Counter[str] = attrs.field(factory=Counter)
    log: list[str] = attrs.field(factory=list)
    _open: dict[str, tuple[Fault, End]] = attrs.field(factory=dict)

    def go(self, faults: int) -> None:
        """Let so many faults happen among changes, end them all, and compare."""
        while self.injected.total() < faults:
            if "apiserver" not in self._open:
                self._note("change", *(self.objects.change() for _ in range(self.random.randint(1, 4))))
            if len(self._open) < OPEN and self.random.random() < 0.7:
                self._begin()
            elif self._open:
                self._end(self.random.choice(sorted(self._open)))
            time.sleep(self.random.uniform(0, LONGEST))
        for part in sorted(self._open):
            self._end(part)
        self._note("let go")
        self.site.settle(DEADLINE)

    def restarted(self) -> None:
        """Restart every daemon: they find nothing to do."""
        before = self.site.read().versions
        for daemon in self.site.daemons:
            daemon.kill()
        for daemon in self.site.daemons:
            daemon.awaits = "readyz"
            daemon.start()
        after = self.site.settle(DEADLINE)
        written = [key for key in after.versions.keys() | before.keys() if after.versions.get(key) != before.get(key)]
        assert not written, f"a restart wrote {written}"
        assert self.site.operations() == 0, "a restart wrote something that it was not to"

    def _begin(self) -> None:
        harmed = set(self._open)
        able = [each for each in FAULTS if each.harms not in harmed and not each.needs & harmed]
        (fault,) = self.random.choices(able, [each.weight for each in able])
        self._note(fault.name, fault.harms)
        self._open[fault.harms] = (fault, fault.begin(self.site, self.random))
        self.injected[fault.name] += 1

    def _end(self, part: str) -> None:
        fault, end = self._open.pop(part)
        self._note("end of", fault.name)
        end()

    def _note(self, *words: str) -> None:
        self.log.append(" ".join(words))

    def close(self) -> None:
        """End what is open after a failure, so that the next run finds everything in order."""
        for _fault, end in self._open.values():
            with contextlib.suppress(Exception):
                end()
        self._open.clear()


def run(cluster: Cluster, seed: int, faults: int) -> Counter[str]:
    """Do one run and count its faults by kind.

    Raises:
        Failed: the database isn't what the objects mean, or was written to without need.
    """
    random = Random(seed)  # noqa: S311 - a seed is what it needs
    generation = GENERATIONS[seed % len(GENERATIONS)]
    with OvsdbServer(generation, "nb") as nb, open_site(cluster, nb) as site:
        objects = Objects(site, random)
        objects.fill()
        one = Run(seed, site, random, objects)
        try:
            for _ in range(2):
                site.start_daemon()
            site.settle()
            one.go(faults)
            one.restarted()
        except Exception as error:
            logs = Path(tempfile.mkdtemp(prefix=f"nqosd-chaos-{seed}-"))
            for daemon in site.daemons:
                shutil.copy(daemon.log_file, logs)
            steps = "\n".join(f"  {number}. {step}" for number, step in enumerate(one.log, 1))
            again = f"python -m tests.chaos --seed {seed} --faults {faults}"
            raise Failed(
                f"seed {seed}: {error}\n{steps}\nto do it again: {again}\nlogs of the daemons: {logs}"
            ) from error
        finally:
            one.close()
            objects.close()
    return one.injected
