"""One run: a seed becomes a sequence of changes and faults; in the end everything is let go and compared.

In: a cluster whose API server stores JSON, a seed, a number of faults. Out: a `Result`. The rule: the same seed gives
the same sequence; only the moments at which things happen are the machine's.
"""

import contextlib
import datetime as dt
import shutil
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from random import Random

import attrs

from tests.chaos.fault import End, Fault
from tests.chaos.faults import FAULTS
from tests.chaos.harness import Harness
from tests.chaos.objects import Objects
from tests.chaos.results import Recovery, Result
from tests.chaos.truth import Sampler, Truth
from tests.faults.cluster import Cluster
from tests.faults.liar import Liar
from tests.faults.manifests import NODES
from tests.faults.site import TIMEOUT, open_site
from tests.services.generation import GENERATIONS
from tests.services.ovsdb import OvsdbServer

OPEN = (1, 1, 2, 2, 3)
"""How many faults are open at once in a bout: one of these."""
LONGEST = 0.6
"""Seconds until the next thing happens."""
LONG = 13.0
"""Seconds that a long bout lasts: beyond the ten for which a daemon may be wrong about itself."""
LONG_ONES = 0.08
DEADLINE = 120.0
DETACH_AFTER = (0, 1, 1, 3600)
DISK = "16m"


class Different(Exception):  # noqa: N818 - it is the result of a run
    """What a run was to end with, and didn't."""


@attrs.define
class Run:
    """A run on a harness that is there."""

    seed: int
    harness: Harness
    random: Random
    kinds: str = ""
    """What the name of a fault must contain; by default, nothing."""
    injected: Counter[str] = attrs.field(factory=Counter)
    recoveries: list[Recovery] = attrs.field(factory=list)
    log: list[str] = attrs.field(factory=list)
    _open: list[tuple[Fault, End]] = attrs.field(factory=list)
    _bout: tuple[str, ...] = ()

    def go(self, faults: int) -> None:
        """Let so many faults happen among changes, in bouts, and compare after each."""
        truth = Truth(self.harness.site)
        while (left := faults - self.injected.total()) > 0:
            self._bout = ()
            for _ in range(min(left, self.random.choice(OPEN))):
                self._change()
                self._begin()
            until = time.monotonic() + (LONG if self.random.random() < LONG_ONES else 0)
            for _ in range(self.random.randint(1, 3)):
                self._change()
            while time.monotonic() < until:  # what is drawn here must not depend on time
                time.sleep(LONGEST)
            self.random.shuffle(self._open)
            while self._open:
                self._end()
                if self._open:
                    self._pause()
            self._recover(truth)

    def settle(self) -> None:
        """Compare everything, statuses and rows of others too, without rows that linger; a restart writes nothing."""
        site = self.harness.site
        for daemon in site.daemons:
            daemon.configure({"northbound": {"detach_after": 0}})
            daemon.reload()
        before = site.settle(DEADLINE).versions
        for daemon in site.daemons:
            daemon.kill()
        for daemon in site.daemons:
            daemon.awaits = "readyz"
            daemon.start()
        after = site.settle(DEADLINE).versions
        written = [key for key in after.keys() | before.keys() if after.get(key) != before.get(key)]
        if written or site.operations() != 0:
            raise Different(f"a restart wrote {written}, with {site.operations():g} operations")

    def faults_now(self) -> frozenset[str]:
        """Name the faults that are open; if none is, those of this bout."""
        return frozenset(fault.name for fault, _end in tuple(self._open)) or frozenset(self._bout)

    def close(self) -> None:
        """End what is open after a failure, so that the next run finds everything in order."""
        for _fault, end in self._open:
            with contextlib.suppress(Exception):
                end()
        self._open.clear()

    def _change(self) -> None:
        """Change objects, unless the API server is down."""
        if not any("apiserver" in fault.harms for fault, _end in self._open):
            self._note("change", *(self.harness.objects.change() for _ in range(self.random.randint(1, 3))))
        self._pause()

    def _pause(self) -> None:
        time.sleep(self.random.uniform(0, LONGEST))

    def _begin(self) -> None:
        harmed = frozenset[str]().union(*(fault.harms for fault, _end in self._open))
        needed = frozenset[str]().union(*(fault.needs for fault, _end in self._open))
        able = [
            each
            for each in FAULTS
            if self.kinds in each.name
            and not each.harms & (harmed | needed)
            and not each.needs & harmed
            and each.is_possible(self.harness)
        ]
        if not able:  # what is open leaves nothing of these kinds to harm
            return
        (fault,) = self.random.choices(able, [each.weight for each in able])
        self._note(fault.name, *sorted(fault.harms))
        self._bout += (fault.name,)
        self._open.append((fault, fault.begin(self.harness, self.random)))
        self.injected[fault.name] += 1

    def _end(self) -> None:
        fault, end = self._open[-1]
        self._note("end of", fault.name)
        end()
        self._open.pop()

    def _recover(self, truth: Truth) -> None:
        """Wait until the database is what the objects mean, and an active daemon says so."""
        over = time.monotonic()
        while (look := truth.look()) is None or not look.converged:
            if time.monotonic() - over > DEADLINE:
                raise Different(f"not converged after {DEADLINE:g} s: {look}")
            time.sleep(0.05)
        self.recoveries.append(Recovery(time.monotonic() - over, self._bout))
        self._note("converged")

    def _note(self, *words: str) -> None:
        self.log.append(" ".join([f"{dt.datetime.now(dt.UTC):%H:%M:%S.%f}", *words]))


def run(cluster: Cluster, seed: int, faults: int, kinds: str = "") -> Result:
    """Do one run, with faults whose names contain `kinds`."""
    random = Random(seed)  # noqa: S311 - a seed is what it needs
    with _harness(cluster, seed, random) as harness:
        one = Run(seed, harness, random, kinds)
        sampler = Sampler(harness.site, one.faults_now)
        failure = ""
        try:
            for number in range(3 if seed % 5 == 0 else 2):
                detach_after = random.choice(DETACH_AFTER)
                harness.start_daemon(detach_after=detach_after, fake_clock=number == 1 and seed % 3 == 0)
            harness.site.settle(DEADLINE)
            sampler.start()
            one.go(faults)
            sampler.end()
            one.settle()
        except Exception as error:  # noqa: BLE001 - whatever it is, it is the result, and the next run goes on
            failure = f"{type(error).__name__}: {error}"
        finally:
            if sampler.ident is not None:
                sampler.end()
            one.close()
        result = Result(seed, one.injected, tuple(one.recoveries), tuple(sampler.lies.told), failure)
        return attrs.evolve(result, logs=_keep(one)) if result.is_remarkable else result


@contextlib.contextmanager
def _harness(cluster: Cluster, seed: int, random: Random) -> Iterator[Harness]:
    """Make what a run works with: each generation of OVN in its turn, a zone's or not, some on a small disk."""
    with contextlib.ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="nqosd-chaos-")))
        disk = stack.enter_context(_small_disk()) if seed % 4 in (0, 3) else None
        nb = stack.enter_context(OvsdbServer(GENERATIONS[seed % len(GENERATIONS)], "nb", directory=disk))
        for server in (cluster.etcd, cluster.server, nb):
            server.seconds = TIMEOUT
        site = stack.enter_context(open_site(cluster, nb))
        if seed % 2 == 0:  # then daemons hear of some pods only
            site.zone = NODES[0]
            nb.nbctl("set", "NB_Global", ".", f"name={site.zone}")
        objects = Objects(site, random)
        objects.fill()
        stack.callback(objects.close)
        harness = Harness(site, objects, stack.enter_context(Liar(cluster.server)), directory)
        stack.enter_context(harness._stack)
        yield harness


@contextlib.contextmanager
def _small_disk() -> Iterator[Path]:
    """Mount a file system that can be full without harming anybody else."""
    with tempfile.TemporaryDirectory(prefix="nqosd-disk-") as name:
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK}", "tmpfs", name], check=True)
        try:
            yield Path(name)
        finally:
            subprocess.run(["umount", "--lazy", name], check=True)


def _keep(one: Run) -> Path:
    """Keep the steps of a run and the logs of its daemons."""
    logs = Path(tempfile.mkdtemp(prefix=f"nqosd-chaos-{one.seed}-"))
    for daemon in one.harness.site.daemons:
        shutil.copy(daemon.log_file, logs)
    (logs / "steps").write_text("\n".join(one.log) + "\n")
    return logs
