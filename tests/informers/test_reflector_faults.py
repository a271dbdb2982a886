"""Whatever fails in whatever order: once it stops failing, what was told is what the server has."""

from typing import TypeAlias

from hypothesis import example, given, settings
from hypothesis import strategies as st

from nqosd.api.changes import Object
from nqosd.api.objects import UserDefinedNetwork
from nqosd.informers.reflector import Reflector
from nqosd.informers.reflector_steps import GetPage, GetStream, ReflectorOptions, Step, Wait
from nqosd.informers.stream_lines import LineSplitter
from tests.examples import examples
from tests.informers import wire
from tests.informers.fake_server import MISSING, OK, Answer, FakeServer, FakeWatch

ENOUGH = 60
WATCH_TIME = ReflectorOptions().watch_time
NAMES = st.sampled_from([f"n{number}" for number in range(6)])
COLORS = st.sampled_from(["blue", "red", "green"])
REFUSALS = ["429", "500", "401", "403", "422", "410"]
OTHERS = [
    "unreachable",
    "hangs",
    "html",
    "cut",
    "silent",
    "ended",
    "ended in time",
    "error",
    "expired",
    "garbage",
    "nameless",
    "bookmark",
]
LINES = {
    "error": [wire.error(500)],
    "500": [wire.error(500)],
    "expired": [wire.error(410)],
    "410": [wire.error(410)],
    "garbage": [b"<html>"],
    "html": [b"<html>"],
    "nameless": [wire.event("ADDED", {"metadata": {}})],
}
FAULTS = st.one_of(st.just("none"), st.just("none"), st.sampled_from(REFUSALS), st.sampled_from(OTHERS))
DRIVE = st.tuples(st.just("drive"), FAULTS, st.integers(0, 4), st.floats(0.0, 20.0))
STEPS = st.one_of(
    DRIVE,
    DRIVE,
    st.tuples(st.just("put"), NAMES, COLORS),
    st.tuples(st.just("delete"), NAMES),
    st.tuples(st.sampled_from(["compact", "uninstall", "something else", "toggle streaming", "back up", "restore"])),
)
Command: TypeAlias = tuple[str] | tuple[str, str] | tuple[str, str, str] | tuple[str, str, int, float]


class Play:
    """A reflector and its server, and everything that was told."""

    def __init__(self) -> None:
        self.server = FakeServer()
        self.now = 0.0
        self.reflector = Reflector(wire.NETWORKS, self.now, ReflectorOptions(page_size=2), uniform=lambda: 0.5)
        self.watch: FakeWatch | None = None
        self.began = 0.0
        self.splitter = LineSplitter()
        self.table: dict[str, Object] = {}
        self.synced = 0

    def play(self, command: Command) -> None:
        """Let something happen to the server, or let the reflector go on under a fault."""
        match command:
            case ("put", name, str(color)):
                self.server.put(name, color)
            case ("delete", name):
                self.server.delete(name)
            case ("compact",):
                self.server.compact()
            case ("uninstall",):
                self.server.uninstall()
            case ("something else",):
                self.server.note_something_else()
            case ("toggle streaming",):
                self.server.can_stream_lists = not self.server.can_stream_lists
            case ("back up",):
                self.server.back_up()
            case ("restore",):
                self.restart()
                self.server.restore()
            case ("drive", fault, int(number), float(seconds)):
                self.now += seconds
                self.drive(fault, number)

    def drive(self, fault: str, number: int) -> None:
        """Do what the reflector asks for, or read on, at most `number` lines; then let the fault happen."""
        if self.watch is None:
            match self.reflector.action:
                case Wait(seconds):
                    self.now += seconds
                    self.reflector.waited(self.now)
                case GetPage(query):
                    self.answer(fault, self.server.get_page(query))
                case GetStream(query):
                    found = self.server.get_stream(query)
                    if isinstance(found, Answer) or fault in {
                        "unreachable",
                        "hangs",
                        "429",
                        "500",
                        "401",
                        "403",
                        "422",
                    }:
                        self.answer(fault, found if isinstance(found, Answer) else Answer(OK))
                        return
                    self.watch, self.splitter, self.began = found, LineSplitter(), self.now
        if self.watch is not None:
            self.feed(self.server.read(self.watch, number))
            self.interrupt(fault)

    def restart(self) -> None:
        """Let the server end all streams, and not answer for a while."""
        if self.watch is not None:
            self.end(self.reflector.ended(self.now))
        if not isinstance(self.reflector.action, Wait):
            self.take(self.reflector.lost("away", self.now, answered=False))

    def answer(self, fault: str, answer: Answer) -> None:
        """Report an answer, or that there was none."""
        match fault:
            case "unreachable" | "cut":
                self.take(self.reflector.lost("away", self.now, answered=False))
            case "hangs" | "silent":
                self.take(self.reflector.lost("no answer in time", self.now, answered=False, silent=True))
            case _ if fault in REFUSALS:
                self.take(self.reflector.refused(int(fault), wire.refusal(int(fault)), self.now))
            case _ if answer.status == MISSING:
                self.take(self.reflector.missing(self.now))
            case _ if answer.status != OK:
                self.take(self.reflector.refused(answer.status, answer.body, self.now))
            case "html":
                self.take(self.reflector.page(b"<html>", self.now))
            case _:
                self.take(self.reflector.page(answer.body, self.now))

    def interrupt(self, fault: str) -> None:
        """Let something happen to an open stream."""
        if self.watch is None:
            return
        match fault:
            case "unreachable" | "cut":
                self.splitter.feed(wire.event("ADDED", wire.network("n0", 10**9, "half"))[:-5])
                self.end(self.reflector.lost("cut", self.now, answered=True))
            case "hangs" | "silent":
                self.end(self.reflector.lost("silent", self.now, answered=True, silent=True))
            case "ended":
                self.end(self.reflector.ended(self.now))
            case "ended in time":
                self.now = max(self.now, self.began + WATCH_TIME)
                self.end(self.reflector.ended(self.now))
            case "bookmark":
                self.feed(self.server.bookmark(self.watch))
            case _:
                self.feed(LINES.get(fault, []))

    def feed(self, lines: list[bytes]) -> None:
        """Report lines of the open stream."""
        whole = self.splitter.feed(b"".join(line + b"\n" for line in lines))
        if whole:
            step = self.reflector.lines(whole, self.now)
            self.take(step)
            if step.moves:
                self.watch = None

    def end(self, step: Step) -> None:
        """Take what follows from the end of the stream."""
        self.watch = None
        self.take(step)

    def take(self, step: Step) -> None:
        """Apply changes to the table; each must follow from it."""
        for change in step.changes:
            assert change.old != change.new
            assert change.old == self.table.get(change.key)
            if change.new is None:
                del self.table[change.key]
            else:
                self.table[change.key] = change.new
        self.synced += sum(move.synced for move in step.moves)

    def settle(self) -> None:
        """Let everything work for a while: watches end in their time, and when their definition has gone."""
        for _ in range(ENOUGH):
            self.drive("none", 5)
            self.drive("ended in time", 5)

    def expected(self) -> dict[str, Object]:
        """Give what the server has."""
        networks = {name: color for name, (_, color) in self.server.networks.items()}
        return {wire.key(name): UserDefinedNetwork("red", name, {"color": it}) for name, it in networks.items()}


@settings(max_examples=examples(400), deadline=None)
@given(st.booleans(), st.dictionaries(NAMES, COLORS), st.lists(STEPS, min_size=25, max_size=60) | st.lists(STEPS))
@example(streams=True, networks={}, commands=[("drive", "none", 0, 215.82)])  # the last watch takes 4.9999999999999 s
def test_whatever_fails_in_between_the_end_is_the_servers_state(
    streams: bool,  # noqa: FBT001 - hypothesis names it
    networks: dict[str, str],
    commands: list[Command],
) -> None:
    """Any interleaving of changes and faults ends in the server's objects, told as exact differences, synced once."""
    play = Play()
    play.server.can_stream_lists = streams
    for name, color in networks.items():
        play.server.put(name, color)
    for command in commands:
        play.play(command)
    play.settle()
    assert play.reflector.objects() == play.expected()
    assert play.table == play.expected()
    assert play.synced == 1
    assert not play.reflector.doubt
    assert play.reflector.number_of_objects == len(play.table)
