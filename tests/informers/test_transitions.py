"""Every transition of a reflector, by what it asks for next and how long it pauses first."""

from collections.abc import Callable

import pytest

from nqosd.informers.pacing import CONFIRM
from nqosd.informers.reflector import Reflector
from nqosd.informers.reflector_steps import Action, GetPage, GetStream, ReflectorOptions, Step, Wait
from nqosd.informers.transitions import TRANSITIONS, Phase, RequestOutcome
from tests.informers import wire

HALF = 0.5
AT_ONCE = None
FIRST_BACK_OFF = 0.05  # half of the tenth of a second that the first failure may cost
ABSENCE = 30.0


LISTS = (Phase.STREAMED_LIST, Phase.PAGED_LIST)
PAGES = (Phase.PAGED_LIST, Phase.COUNT)


def test_every_phase_has_an_answer_to_every_outcome_that_can_happen_in_it() -> None:
    """What only streams do can't come of a page, nor what only pages are of a stream; only what goes on can go back."""
    of_streams = (
        RequestOutcome.ENDED,
        RequestOutcome.EARLY,
        RequestOutcome.BROKEN,
        RequestOutcome.SILENT,
        RequestOutcome.ERROR,
    )
    impossible = {
        *((phase, outcome) for phase in PAGES for outcome in of_streams),
        (Phase.STREAMED_LIST, RequestOutcome.ENDED),
        (Phase.WATCH, RequestOutcome.COMPLETE),
        *((phase, RequestOutcome.PAGE) for phase in Phase if phase is not Phase.PAGED_LIST),
        *((phase, RequestOutcome.WRONG) for phase in Phase if phase not in PAGES),
        *((phase, RequestOutcome.BEHIND) for phase in LISTS),
        *((phase, RequestOutcome.DIFFERS) for phase in Phase if phase is not Phase.COUNT),
    }
    possible = {(phase, outcome) for phase in Phase for outcome in RequestOutcome} - impossible
    assert set(TRANSITIONS) == possible


def reflector_in(phase: Phase, *, knows_an_object: bool = False) -> Reflector:
    """Give a reflector that is about to ask for the first request of a phase, or was told of an object by one."""
    reflector = Reflector(wire.NETWORKS, 0.0, ReflectorOptions(absence=ABSENCE), uniform=lambda: HALF)
    if phase is Phase.PAGED_LIST:
        reflector.refused(422, wire.refusal(422), 0.0)
        reflector.waited(0.0)
        if knows_an_object:
            page_of_several(reflector)
    elif knows_an_object:
        reflector.lines([wire.event("ADDED", wire.network("a", 1))], 0.0)
    if phase in {Phase.WATCH, Phase.COUNT}:
        reflector.lines([wire.bookmark(5, end=True)], 0.0)
    if phase is Phase.COUNT:
        reflector.ended(100.0)
    assert asks_for(reflector.action) == phase
    return reflector


def asks_for(action: Action) -> str:
    """Name the request that an action is."""
    match action:
        case GetPage(query):
            return "count" if query["limit"] == "1" else "paged list"
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


CAUSES: dict[RequestOutcome, list[Callable[[Reflector], Step]]] = {
    RequestOutcome.PAGE: [page_of_several],
    RequestOutcome.COMPLETE: [],  # by phase, below
    RequestOutcome.ENDED: [lambda it: it.ended(5.0)],
    RequestOutcome.EARLY: [lambda it: it.ended(0.0)],
    RequestOutcome.BROKEN: [
        lambda it: it.lost("cut", 0.0, answered=True),
        lambda it: it.lines([b'{"type":"ADDED","obj'], 0.0),
    ],
    RequestOutcome.SILENT: [lambda it: it.lost("", 0.0, answered=True, silent=True)],
    RequestOutcome.UNREACHABLE: [lambda it: it.lost("refused", 0.0, answered=False)],
    RequestOutcome.REFUSED: [
        *(
            (lambda it, code=code: it.refused(code, wire.refusal(code), 0.0))
            for code in (401, 403, 404, 408, 409, 429, 500, 502, 503, 504)
        ),
    ],
    RequestOutcome.UNSUPPORTED: [
        *((lambda it, code=code: it.refused(code, wire.refusal(code), 0.0)) for code in (400, 405, 406, 415, 422)),
    ],
    RequestOutcome.ERROR: [
        *((lambda it, code=code: it.lines([wire.error(code)], 0.0)) for code in (500, 504)),
        lambda it: it.lines([b'{"type":"ERROR","object":"what?"}'], 0.0),
    ],
    RequestOutcome.EXPIRED: [lambda it: it.refused(410, wire.refusal(410), 0.0)],
    RequestOutcome.MISSING: [lambda it: it.missing(0.0)],
    RequestOutcome.WRONG: [lambda it: it.page(b"{}", 0.0)],
    RequestOutcome.DOUBTED: [lambda it: it.missing(0.0)],
    RequestOutcome.BEHIND: [],  # by phase, below
    RequestOutcome.DIFFERS: [lambda it: it.page(wire.page([wire.network("a", 1)], 9), 100.0)],
}
BY_PHASE = {
    (Phase.PAGED_LIST, RequestOutcome.COMPLETE): [last_page],
    (Phase.STREAMED_LIST, RequestOutcome.COMPLETE): [whole_stream],
    (Phase.COUNT, RequestOutcome.COMPLETE): [lambda it: it.page(wire.page([], 9), 100.0)],
    (Phase.WATCH, RequestOutcome.BEHIND): [lambda it: it.lines([wire.bookmark(4)], 0.0)],
    (Phase.COUNT, RequestOutcome.BEHIND): [lambda it: it.page(wire.page([], 4), 100.0)],
}
EXPIRED_IN_STREAM: list[Callable[[Reflector], Step]] = [
    lambda it: it.lines([wire.error(410)], 0.0),
    lambda it: it.lines([wire.error(500, reason="Expired")], 0.0),
]

EXPECTED: dict[tuple[str, str], tuple[str, float | None]] = {
    ("streamed list", "complete"): ("watch", AT_ONCE),
    ("streamed list", "ended early"): ("paged list", FIRST_BACK_OFF),
    ("streamed list", "broken"): ("paged list", FIRST_BACK_OFF),
    ("streamed list", "silent"): ("paged list", FIRST_BACK_OFF),
    ("streamed list", "unsupported"): ("paged list", FIRST_BACK_OFF),
    ("streamed list", "error"): ("paged list", FIRST_BACK_OFF),
    ("streamed list", "unreachable"): ("streamed list", FIRST_BACK_OFF),
    ("streamed list", "refused"): ("streamed list", FIRST_BACK_OFF),
    ("streamed list", "expired"): ("streamed list", FIRST_BACK_OFF),
    ("streamed list", "missing"): ("streamed list", CONFIRM),
    ("streamed list", "doubted"): ("streamed list", CONFIRM),
    ("paged list", "page"): ("paged list", AT_ONCE),
    ("paged list", "complete"): ("watch", AT_ONCE),
    # the refused streamed list was the first failure in a row, so this is the second
    ("paged list", "unreachable"): ("paged list", 2 * FIRST_BACK_OFF),
    ("paged list", "refused"): ("paged list", 2 * FIRST_BACK_OFF),
    ("paged list", "wrong answer"): ("paged list", FIRST_BACK_OFF),
    ("paged list", "unsupported"): ("paged list", FIRST_BACK_OFF),
    ("paged list", "expired"): ("paged list", FIRST_BACK_OFF),
    ("paged list", "missing"): ("paged list", CONFIRM),
    ("paged list", "doubted"): ("paged list", CONFIRM),
    ("watch", "ended"): ("watch", AT_ONCE),
    ("watch", "ended early"): ("watch", FIRST_BACK_OFF),
    ("watch", "broken"): ("watch", FIRST_BACK_OFF),
    ("watch", "silent"): ("watch", FIRST_BACK_OFF),
    ("watch", "unreachable"): ("watch", FIRST_BACK_OFF),
    ("watch", "refused"): ("watch", FIRST_BACK_OFF),
    ("watch", "unsupported"): ("streamed list", FIRST_BACK_OFF),
    ("watch", "error"): ("streamed list", FIRST_BACK_OFF),
    ("watch", "expired"): ("streamed list", FIRST_BACK_OFF),
    ("watch", "behind"): ("streamed list", FIRST_BACK_OFF),
    ("watch", "missing"): ("streamed list", CONFIRM),
    ("watch", "doubted"): ("streamed list", CONFIRM),
    ("count", "complete"): ("watch", AT_ONCE),
    ("count", "unreachable"): ("watch", FIRST_BACK_OFF),
    ("count", "refused"): ("watch", FIRST_BACK_OFF),
    ("count", "wrong answer"): ("watch", FIRST_BACK_OFF),
    ("count", "unsupported"): ("streamed list", FIRST_BACK_OFF),
    ("count", "expired"): ("streamed list", FIRST_BACK_OFF),
    ("count", "behind"): ("streamed list", FIRST_BACK_OFF),
    ("count", "differs"): ("streamed list", FIRST_BACK_OFF),
    ("count", "missing"): ("streamed list", CONFIRM),
    ("count", "doubted"): ("streamed list", CONFIRM),
}


def cases() -> list[tuple[Phase, RequestOutcome, Callable[[Reflector], Step]]]:
    """Give every transition with every way to bring it about."""
    found = []
    for phase, outcome in TRANSITIONS:
        causes = CAUSES[outcome] or BY_PHASE[phase, outcome]
        if outcome is RequestOutcome.EXPIRED and phase not in PAGES:
            causes = causes + EXPIRED_IN_STREAM
        found += [(phase, outcome, cause) for cause in causes]
    return found


@pytest.mark.parametrize(("phase", "outcome", "cause"), cases())
def test_a_transition_leads_where_the_table_says(
    phase: Phase, outcome: RequestOutcome, cause: Callable[[Reflector], Step]
) -> None:
    """Each outcome in each phase is followed by the expected pause and request."""
    reflector = reflector_in(phase, knows_an_object=outcome is RequestOutcome.DOUBTED)
    moves = cause(reflector).moves
    request, pause = EXPECTED[phase, outcome]
    assert [(move.phase, move.outcome) for move in moves] == [(phase, outcome)]
    assert moves[0].pause == pytest.approx(pause or 0.0)
    if pause is not AT_ONCE:
        assert reflector.action == Wait(moves[0].pause, unreachable=outcome is RequestOutcome.UNREACHABLE)
        reflector.waited(1.0)
    assert asks_for(reflector.action) == request


def test_every_transition_is_expected_somewhere() -> None:
    """The expectations above cover the table, and nothing else."""
    assert {(phase.value, outcome.value) for phase, outcome in TRANSITIONS} == set(EXPECTED)
