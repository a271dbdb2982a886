"""Whether daemons tell the truth: what /readyz says, beside what is in the database and what the objects mean.

In: a harness whose servers may be down, frozen or lied about. Out: looks, one a second while a run goes on. The rules:
the stores themselves are read, never the servers; a row that waits for `detach_after` and whose senders have gone
counts for nothing, since it matches no packet.
"""

import contextlib
import http.client
import json
import re
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor

import attrs

from nqosd.compiler.definition import Compiled
from nqosd.compiler.desired import NETWORK, POLICY, RULE, SWITCH
from tests.chaos.lies import ACTIVE, Lies
from tests.chaos.stores import DatabaseFile, stored_objects
from tests.faults import contents
from tests.faults.contents import Own
from tests.faults.manifests import Json
from tests.faults.site import Site
from tests.services.daemon import Nqosd
from tests.services.process import ServiceError

INTERVAL = 1.0
TIMEOUT = 1.0
"""Seconds that a probe may take; who answers later has said nothing."""
SHOWN = 6
"""Differences that are written out."""
SETS = re.compile(r"[$@](nqosd\w*)")


@attrs.frozen
class Look:
    """One moment. `roles`: those that daemons say they have; `ready`: the daemons that say that they are."""

    roles: Mapping[str, str]
    ready: frozenset[str]
    differences: Mapping[str, str]
    """By what differs (a rule's row, a set), in which way."""

    @property
    def converged(self) -> bool:
        """Whether nothing differs, and an active daemon is ready."""
        return not self.differences and any(self.roles[name] == ACTIVE for name in self.ready)

    def __str__(self) -> str:
        some = list(self.differences.values())[:SHOWN]
        return "\n".join(
            [f"{dict(self.roles)}, ready: {sorted(self.ready)}; {len(self.differences)} differences", *some]
        )


class Truth:
    """Looks at a site; from one thread at a time."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._file = DatabaseFile(site.nb)
        self._objects: dict[str, list[Json]] = {}

    def look(self) -> Look | None:
        """Look once; None where a store can't be read at this moment."""
        before = _answers(self._site.daemons)
        with contextlib.suppress(OSError, http.client.HTTPException):  # etcd is down: the objects are what they were
            self._objects = stored_objects(self._site.cluster.etcd)
        try:
            now = contents.read(self._file)
        except ServiceError:
            return None
        compiled = self._site.cluster.compiled(
            self._objects, zone=self._site.zone, northd=now.northd, around=now.around
        )
        should = contents.wanted(compiled.desired, "nqosd", now.switches, now.ports)
        lines = set(should.differences(now.own)) - _waiting(should, now.own, compiled)
        after = _answers(self._site.daemons)
        roles = {name: role for name, (role, _ready) in after.items() if role}
        ready = frozenset(name for name in roles if before[name] == after[name] == (roles[name], True))
        return Look(roles, ready, {_subject(line): line for line in sorted(lines)})


class Sampler(threading.Thread):
    """Looks every second until it is ended; `lies` says what it saw."""

    def __init__(self, site: Site, faults: Callable[[], frozenset[str]]) -> None:
        super().__init__(name="truth", daemon=True)
        self.lies = Lies()
        self._truth = Truth(site)
        self._faults = faults
        self._ended = threading.Event()

    def run(self) -> None:
        """Look, and look again."""
        while not self._ended.wait(INTERVAL):
            if (look := self._truth.look()) is not None:
                self.lies.take(time.monotonic(), look.roles, look.ready, look.differences, self._faults())

    def end(self) -> None:
        """Look no more; a lie that goes on counts until now."""
        self._ended.set()
        self.join()
        self.lies.end(time.monotonic())


def _answers(daemons: list[Nqosd]) -> dict[str, tuple[str, bool]]:
    """Ask all at once which role they have and whether they are ready."""
    with ThreadPoolExecutor(len(daemons)) as pool:
        return {each.name: answer for each, answer in zip(daemons, pool.map(_answer, daemons), strict=True)}


def _answer(daemon: Nqosd) -> tuple[str, bool]:
    connection = http.client.HTTPConnection("127.0.0.1", daemon.port, timeout=TIMEOUT)
    try:
        connection.request("GET", "/readyz")
        answer = connection.getresponse()
        return str(json.load(answer)["role"]), answer.status == http.client.OK
    except (OSError, http.client.HTTPException, ValueError):
        return "", False
    finally:
        connection.close()


def _waiting(should: Own, now: Own, compiled: Compiled) -> set[str]:
    """Find the rows of rules that are still there, but have no senders any more, and the empty sets of such rows."""
    wanted = {_name(each) for each in should.sets}
    empty = {_name(each) for each in now.sets if "[[], " in each} - wanted  # fmt: skip
    rules = {f"{each.namespace}/{each.name}" for each in compiled.reports}
    found, sets, switches = set(), set(), set()
    returning = []
    for row in set(now.rows) - set(should.rows):
        columns = json.loads(row.partition(": ")[2])
        ids, used = columns["external_ids"], set(SETS.findall(columns["match"])) - wanted
        if POLICY not in ids:
            returning.append((row, ids[SWITCH], used & empty))
        elif ids[POLICY] in rules and used and used <= empty:
            found.add(f"+ {row}")
            sets |= used
            switches.add(ids[SWITCH])
    found |= {f"+ {row}" for row, switch, _used in returning if switch in switches}
    sets |= {name for _row, switch, used in returning if switch in switches for name in used}
    return found | {f"+ {each}" for each in now.sets if _name(each) in sets}


def _name(text: str) -> str:
    """Take the name of a set or group from its text."""
    return text.partition(": ")[0].rpartition(" ")[2]


def _subject(line: str) -> str:
    """Say what a difference is about; the same for a row that differs in another way a second later."""
    head, _colon, rest = line[2:].partition(": ")
    if not head.startswith("QoS "):
        return head
    ids: dict[str, str] = json.loads(rest)["external_ids"]
    return " ".join(["QoS", *(ids.get(key, "") for key in (POLICY, RULE, NETWORK, SWITCH))])
