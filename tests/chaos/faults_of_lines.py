"""Faults of the lines: cut, cut in the middle, closed, silent, half open, slow, garbled, flapping; for all or for one.

In: a harness. Out: `FAULTS`. The rule: what was on its way when a line is harmed is lost or not, as on a real line.
"""

from collections.abc import Callable
from random import Random

from tests.chaos.fault import Begin, End, Fault, again_and_again, nothing
from tests.chaos.harness import Harness
from tests.faults.relay import Relay, Way

SLOW = {"API server": 200_000, "database": 50_000}
"""Bytes a second."""
UP_FOR = 2.0
"""Seconds for which a flapping line is up, or down, at most."""

Harm = Callable[[Relay, Random], End]


def _cut(relay: Relay, _random: Random) -> End:
    relay.cut()
    return nothing


def _cut_after(relay: Relay, random: Random) -> End:
    relay.cut_after(random.choice(tuple(Way)), random.randint(1, 3000))
    return relay.let_go


def _garble(relay: Relay, random: Random) -> End:
    relay.garble_after(random.choice(tuple(Way)), random.randint(1, 3000))
    return relay.let_go


def _refuse(relay: Relay, _random: Random) -> End:
    relay.refuse()
    return relay.let_go


def _hold(relay: Relay, random: Random) -> End:
    relay.hold(random.choice(tuple(Way)))
    return lambda: _let_go(relay, random)


def _hold_all(relay: Relay, random: Random) -> End:
    relay.hold()
    return lambda: _let_go(relay, random)


def _let_go(relay: Relay, random: Random) -> None:
    """Go on, with what was held back or without it."""
    if random.random() < 0.5:
        relay.cut()
    relay.let_go()


def _half_open(relay: Relay, _random: Random) -> End:
    """Let connections hang that nobody closes; new ones work."""
    relay.freeze()
    return nothing


def _flap(relay: Relay, random: Random) -> End:
    def turn(own: Random) -> None:
        own.choice((relay.refuse, relay.let_go, relay.let_go, relay.cut))()

    end = again_and_again(turn, random, UP_FOR)

    def let_go() -> None:
        end()
        relay.let_go()

    return let_go


def _flap_both(harness: Harness, random: Random) -> End:
    ends = [_flap(relay, random) for relay in (harness.site.api, harness.site.wire)]

    def end() -> None:
        for each in ends:
            each()

    return end


def _slow(rate: float) -> Harm:
    def harm(relay: Relay, _random: Random) -> End:
        relay.slow_down(rate)
        return relay.let_go

    return harm


def _of_all(part: str, harm: Harm) -> Begin:
    def begin(harness: Harness, random: Random) -> End:
        relay: Relay = getattr(harness.site, part)
        return harm(relay, random)

    return begin


def _of_one(part: str, number: int, harm: Harm) -> Begin:
    def begin(harness: Harness, random: Random) -> End:
        relay: Relay = getattr(harness.lines[number], part)
        return harm(relay, random)

    return begin


def _has(number: int) -> Callable[[Harness], bool]:
    return lambda harness: len(harness.lines) > number


def _out_of_touch_alone(other: int, dying: int) -> Begin:
    """Kill a daemon while another one can't reach the API server."""

    def begin(harness: Harness, _random: Random) -> End:
        line, daemon = harness.lines[other], harness.site.daemons[dying]
        line.api.refuse()
        daemon.awaits = "healthz"
        daemon.kill()

        def end() -> None:
            daemon.start()
            line.api.let_go()

        return end

    return begin


def _faults_of(part: str, server: str) -> tuple[Fault, ...]:
    harms: tuple[tuple[str, Harm, float], ...] = (
        ("line cut", _cut, 0.8),
        ("line cut in the middle", _cut_after, 0.8),
        ("line garbled", _garble, 0.8),
        ("line slow", _slow(SLOW[server]), 0.8),
        ("out of reach", _refuse, 0.7),
        ("silent", _hold, 0.7),
        ("connections hang", _half_open, 0.7),
        ("line flaps", _flap, 0.7),
    )
    alone: tuple[tuple[str, Harm], ...] = (
        ("out of reach of one daemon", _refuse), ("silent to one daemon", _hold_all),
        ("line flaps for one daemon", _flap),
    )  # fmt: skip
    return (
        *(Fault(f"{server} {name}", part, _of_all(part, harm), weight=weight) for name, harm, weight in harms),
        *(
            Fault(f"{server} {name}", f"{part}{i}", _of_one(part, i, harm), weight=0.4, is_possible=_has(i))
            for name, harm in alone
            for i in range(3)
        ),
    )


FAULTS: tuple[Fault, ...] = (
    *_faults_of("api", "API server"),
    *_faults_of("wire", "database"),
    Fault("both lines flap", "api wire", _flap_both),
    *(
        Fault("daemon killed while the other one is out of touch", f"api{other} daemon{dying}",
              _out_of_touch_alone(other, dying))
        for other, dying in ((0, 1), (1, 0))
    ),
)  # fmt: skip
