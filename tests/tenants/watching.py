"""What is watched of the victim while an attack goes on, and how: one run of one attack.

In: a victim, an attack. Out: `Seen`. Rules: an attack goes on from before the first new pod of the victim until after
the last one; a pod's time ends with the change of the database that an OVSDB monitor tells; /healthz is asked all the
while, on a new connection each time; the victim's statuses are watched while the attack goes on.
"""

import contextlib
import functools
import http.client
import itertools
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Self

import attrs

from tests.faults.contents import Own
from tests.services.latency import Latency
from tests.services.process import ServiceError
from tests.tenants.attack import Attack
from tests.tenants.attacker import Attacker, attacker_of
from tests.tenants.victim import DEADLINE, Victim, Witness

PROBE_INTERVAL = 0.1
STATUS_INTERVAL = 0.2
UPDATE_INTERVAL = 0.05
"""Seconds between an answer to the attacker and the next update: 10 to 20 a second."""
POD_INTERVAL = 0.05
LONGEST = 40.0
"""Seconds after which no more new pods are made, under an attack that lets each wait for long."""


@attrs.frozen
class Seen:
    """What one attack did.

    `changed`: the victim's rows that changed or went at any moment, and what is new at the end and not the attacker's.

    `statuses`: how long it took until a changed policy of the victim's had its status; `lines`: those of the
    log, in so many `seconds`.

    `meets`: what the victim's packets meet beside the attack's objects that they didn't meet before.
    """

    attack: Attack
    updates: int
    pods: Latency
    statuses: Latency
    lines: int
    seconds: float
    silence: float
    unanswered: int
    changed: int
    meets: tuple[str, ...]
    reasons: Counter[str]


class Probe(threading.Thread):
    """Asks something again and again until it is left; a context manager."""

    def __init__(self, ask: Callable[[], bool], interval: float) -> None:
        super().__init__(name="probe", daemon=True)
        self.unanswered = 0
        self.seconds: list[float] = []
        """From each question to its answer."""
        self._ask = ask
        self._interval = interval
        self._ended = threading.Event()

    def run(self) -> None:
        """Ask, and ask again."""
        while True:
            begin = time.monotonic()
            self.unanswered += not self._ask()
            self.seconds.append(time.monotonic() - begin)
            if self._ended.wait(self._interval):
                return

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self.join()


def _is_healthy(port: int) -> bool:
    """Ask /healthz."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=DEADLINE)
    with contextlib.suppress(OSError, http.client.HTTPException), contextlib.closing(connection):
        connection.request("GET", "/healthz")
        return connection.getresponse().status == http.client.OK
    return False


class Attacking:
    """The attack in a thread: it begins and is repeated until it is told to end."""

    def __init__(self, attack: Attack, attacker: Attacker) -> None:
        self._attack, self._attacker = attack, attacker
        self.updates = 0
        self._ended = threading.Event()

    def run(self) -> None:
        """Begin, and change something again and again."""
        self._attack.begin(self._attacker)
        for number in itertools.count():
            if self._ended.wait(UPDATE_INTERVAL):
                return
            # The API server may refuse or cut short what is too much for it; the attacker goes on.
            with contextlib.suppress(ServiceError, OSError, http.client.HTTPException):
                self._attack.again(self._attacker, number)
                self.updates += 1

    def end(self) -> None:
        """Change nothing more."""
        self._ended.set()


@contextlib.contextmanager
def under_attack(victim: Victim, attack: Attack, pods: int, share: float = 1.0) -> Iterator[tuple[Attacker, Seen]]:
    """Attack a victim and watch at least so many new pods of it; gives what was seen, with the attack's objects there.

    By then the new pods are gone again, and the daemon has come to rest.
    """
    before, treated = victim.rows_and_sets(), victim.treatment()
    daemon = victim.site.daemon
    logged, begin = _lines(daemon.log_file), time.monotonic()
    with (
        contextlib.closing(Witness(victim.site.nb, victim.address)) as witness,
        attacker_of(victim.site, share) as attacker,
        Probe(functools.partial(_is_healthy, daemon.port), PROBE_INTERVAL) as probe,
        ThreadPoolExecutor(1, "attacker") as pool,
    ):
        attacking = Attacking(attack, attacker)
        done = pool.submit(attacking.run)
        try:
            with Probe(victim.status_follows, STATUS_INTERVAL) as statuses:
                seconds = list(_new_pods(victim, witness, attacking, pods, done))
        finally:
            attacking.end()
        done.result()
        victim.forget_new_pods()
        with contextlib.suppress(ServiceError):  # what differs after so long is what is reported
            daemon.wait_until(lambda: not _differences(before, victim.rows_and_sets(), attacker), what="as before")
        daemon.settle(quiet=2.0, deadline=DEADLINE)
        witness.look()
        during = victim.treatment()
        yield (
            attacker,
            Seen(
                attack=attack,
                updates=attacking.updates,
                pods=Latency.of(seconds),
                statuses=Latency.of(statuses.seconds),
                lines=_lines(daemon.log_file) - logged,
                seconds=time.monotonic() - begin,
                silence=max(probe.seconds),
                unanswered=probe.unanswered,
                changed=witness.changed + len(_differences(before, victim.rows_and_sets(), attacker)),
                meets=tuple(f"{switch}: {during[switch]}" for switch in treated if during[switch] != treated[switch]),
                reasons=attacker.reasons(),
            ),
        )


def _lines(file: Path) -> int:
    return file.read_bytes().count(b"\n")


def _differences(before: Own, now: Own, attacker: Attacker) -> set[str]:
    """Say what of the victim's isn't there any more, and what is new without being the attacker's."""
    others = {row for row in now.rows if f"{attacker.namespace}/" not in row}
    return (others ^ set(before.rows)) | (set(before.sets) - set(now.sets))


def _new_pods(victim: Victim, witness: Witness, attacking: Attacking, pods: int, done: Future[None]) -> Iterator[float]:
    """Create pods while the attack begins, and some more while it goes on."""
    left, begin = pods, time.monotonic()
    while left and (left == pods or time.monotonic() < begin + LONGEST):
        if done.done():
            done.result()
        left -= attacking.updates > 0
        yield victim.new_pod(witness)
        time.sleep(POD_INTERVAL)
