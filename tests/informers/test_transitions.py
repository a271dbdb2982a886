"""Every transition of a reflector, by what it asks for next and how long it pauses first."""

from collections.abc import Callable

import pytest

from nqosd.informers.reflector import Reflector
from nqosd.informers.steps import Action, GetPage, GetStream, ReflectorOptions, Step, Wait
from nqosd.informers.transitions import TRANSITIONS, Outcome, Phase
from tests.informers import wire

HALF = 0.5
AT_ONCE = None
FIRST_BACK_OFF = 0.05  # half of the tenth of a second that the first failure may cost
ABSENCE = 30.0


def test_every_phase_has_an_answer_to_every_outcome_that_can_happen_in_it() -> None:
    """Only a page can't come of a stream, and what only streams do can't come of a page."""
    impossible = {
        *((phase, Outcome.PAGE) for phase in (Phase.STREAMED_LIST, Phase.WATCH)),
        (Phase.WATCH, Outcome.COMPLETE),
        *(
            (Phase.PAGED_LIST, outcome)
            for outcome in (Outcome.ENDED, Outcome.BROKEN, Outcome.SILENT, Outcome.MUTE, Outcome.ERROR)
        ),
    }
    possible = {(phase, outcome) for phase in Phase for outcome in Outcome} - impossible
    assert set(TRANSITIONS) == possible


def reflector_in(phase: Phase) -> Reflector:
    """Give a reflector that is about to ask for the first request of a phase, at time 0."""
    reflector = Reflector(wire.NETWORKS, 0.0, ReflectorOptions(absence=ABSENCE), uniform=lambda: HALF)
    if phase is Phase.PAGED_LIST:
        reflector.refused(422, wire.refusal(422), 0.0)
        reflector.waited(0.0)
    if phase is Phase.WATCH:
        reflector.lines([wire.bookmark(5, end=True)], 0.0)
        reflector.lost("restart", 0.0, answered=True)
        reflector.waited(0.0)
        reflector.lines([wire.bookmark(5)], 0.0)  # the request is no failure any more
        reflector.lost("restart", 0.0, answered=True)
        reflector.waited(0.0)
    assert asks_for(reflector.action) == phase
    return reflector


def asks_for(action: Action) -> str:
    """Name the request that an action is."""
    match action:
        case GetPage():
            return "paged list"
        case GetStream(query):
            return "streamed list" if "sendInitialEvents" in query else "watch"
        case Wait():
            return "wait"


def page_of_several(reflector: Reflector) -> Step:
    """Report a page with more to come."""
    return reflector.page(wire.page([wire.network("a", 1)], 9, "more"), 0.0)


def last_page(reflector: Reflector) -> Step:
    """Report a whole list."""
    return reflector.page(wire.page([wire.network("a", 1)], 9), 0.0)


def whole_stream(reflector: Reflector) -> Step:
    """Report the first part of a streamed list to its end."""
    return reflector.lines([wire.event("ADDED", wire.network("a", 1)), wire.bookmark(9, end=True)], 0.0)


def silence_after_a_word(reflector: Reflector) -> Step:
    """Report a bookmark and then nothing."""
    reflector.lines([wire.bookmark(6)], 0.0)
    return reflector.lost("", 0.0, answered=True, silent=True)


CAUSES: dict[Outcome, list[Callable[[Reflector], Step]]] = {
    Outcome.PAGE: [page_of_several],
    Outcome.COMPLETE: [],  # by phase, below
    Outcome.ENDED: [lambda it: it.ended(0.0)],
    Outcome.BROKEN: [
        lambda it: it.lost("cut", 0.0, answered=True),
        lambda it: it.lines([b'{"type":"ADDED","obj'], 0.0),
    ],
    Outcome.SILENT: [silence_after_a_word],
    Outcome.MUTE: [lambda it: it.lost("", 0.0, answered=True, silent=True)],
    Outcome.UNREACHABLE: [lambda it: it.lost("refused", 0.0, answered=False)],
    Outcome.REFUSED: [
        *(
            (lambda it, code=code: it.refused(code, wire.refusal(code), 0.0))
            for code in (401, 403, 404, 408, 409, 429, 500, 502, 503, 504)
        ),
    ],
    Outcome.UNSUPPORTED: [
        *((lambda it, code=code: it.refused(code, wire.refusal(code), 0.0)) for code in (400, 405, 406, 415, 422)),
    ],
    Outcome.ERROR: [
        *((lambda it, code=code: it.lines([wire.error(code)], 0.0)) for code in (500, 504)),
        lambda it: it.lines([b'{"type":"ERROR","object":"what?"}'], 0.0),
    ],
    Outcome.EXPIRED: [lambda it: it.refused(410, wire.refusal(410), 0.0)],
    Outcome.MISSING: [lambda it: it.missing(0.0)],
}
COMPLETIONS = {Phase.PAGED_LIST: [last_page], Phase.STREAMED_LIST: [whole_stream]}
EXPIRED_IN_STREAM: list[Callable[[Reflector], Step]] = [
    lambda it: it.lines([wire.error(410)], 0.0),
    lambda it: it.lines([wire.error(500, reason="Expired")], 0.0),
]

EXPECTED: dict[tuple[str, str], tuple[str, float | None]] = {
    ("streamed list", "complete"): ("watch", AT_ONCE),
    ("streamed list", "ended"): ("paged list", FIRST_BACK_OFF),
    ("streamed list", "broken"): ("paged list", FIRST_BACK_OFF),
    ("streamed list", "silent"): ("paged list", FIRST_BACK_OFF),
    ("streamed list", "mute"): ("paged list", FIRST_BACK_OFF),
    ("streamed list", "unsupported"): ("paged list", FIRST_BACK_OFF),
    ("streamed list", "error"): ("paged list", FIRST_BACK_OFF),
    ("streamed list", "unreachable"): ("streamed list", FIRST_BACK_OFF),
    ("streamed list", "refused"): ("streamed list", FIRST_BACK_OFF),
    ("streamed list", "expired"): ("streamed list", FIRST_BACK_OFF),
    ("streamed list", "missing"): ("streamed list", ABSENCE),
    ("paged list", "page"): ("paged list", AT_ONCE),
    ("paged list", "complete"): ("watch", AT_ONCE),
    # the refused streamed list was the first failure in a row, so this is the second
    ("paged list", "unreachable"): ("paged list", 2 * FIRST_BACK_OFF),
    ("paged list", "refused"): ("paged list", 2 * FIRST_BACK_OFF),
    ("paged list", "unsupported"): ("paged list", FIRST_BACK_OFF),
    ("paged list", "expired"): ("paged list", FIRST_BACK_OFF),
    ("paged list", "missing"): ("paged list", ABSENCE),
    ("watch", "ended"): ("watch", 2 * FIRST_BACK_OFF),
    ("watch", "broken"): ("watch", 2 * FIRST_BACK_OFF),
    ("watch", "silent"): ("watch", FIRST_BACK_OFF),  # it had said something
    ("watch", "unreachable"): ("watch", 2 * FIRST_BACK_OFF),
    ("watch", "refused"): ("watch", 2 * FIRST_BACK_OFF),
    ("watch", "mute"): ("streamed list", FIRST_BACK_OFF),
    ("watch", "unsupported"): ("streamed list", FIRST_BACK_OFF),
    ("watch", "error"): ("streamed list", FIRST_BACK_OFF),
    ("watch", "expired"): ("streamed list", FIRST_BACK_OFF),
    ("watch", "missing"): ("streamed list", ABSENCE),
}


def cases() -> list[tuple[Phase, Outcome, Callable[[Reflector], Step]]]:
    """Give every transition with every way to bring it about."""
    found = []
    for phase, outcome in TRANSITIONS:
        causes = CAUSES[outcome] or COMPLETIONS[phase]
        if outcome is Outcome.EXPIRED and phase is not Phase.PAGED_LIST:
            causes = causes + EXPIRED_IN_STREAM
        found += [(phase, outcome, cause) for cause in causes]
    return found


@pytest.mark.parametrize(("phase", "outcome", "cause"), cases())
def test_a_transition_leads_where_the_table_says(
    phase: Phase, outcome: Outcome, cause: Callable[[Reflector], Step]
) -> None:
    """Each outcome in each phase is followed by the expected pause and request."""
    reflector = reflector_in(phase)
    moves = cause(reflector).moves
    request, pause = EXPECTED[phase, outcome]
    assert [(move.phase, move.outcome) for move in moves] == [(phase, outcome)]
    assert moves[0].pause == pytest.approx(pause or 0.0)
    if pause is not AT_ONCE:
        assert reflector.action == Wait(moves[0].pause)
        reflector.waited(1.0)
    assert asks_for(reflector.action) == request


def test_every_transition_is_expected_somewhere() -> None:
    """The expectations above cover the table, and nothing else."""
    assert {(phase.value, outcome.value) for phase, outcome in TRANSITIONS} == set(EXPECTED)
