"""What a person and the metrics learn about a reflector's steps.

Rule: a trouble is said once when it begins, once in each of its words, and once when it is over; what repeats them in
between is debug, and so are words after the first few. No line is written for an event.
"""

import structlog

from nqosd.informers.observer import InformerObserver
from nqosd.informers.reflector_steps import Move, Step
from nqosd.informers.resources import Resource
from nqosd.informers.transitions import Phase, RequestOutcome

MOST = 5
"""In how many different words one trouble is said: a proxy may put a number of its own into each answer."""


class Reporter:
    """The log and the metrics of one resource."""

    def __init__(self, resource: Resource, observer: InformerObserver) -> None:
        self._kind = resource.kind
        self._optional = resource.optional
        self._observer = observer
        self._log = structlog.get_logger().bind(resource=str(resource))
        self._troubles: set[str] = set()
        self._installed: bool | None = None

    def report(self, step: Step, objects: int) -> None:
        """Tell of a step; `objects` is how many are known after it."""
        if step.events:
            self._observer.events(self._kind, step.events)
            if self._troubles:
                self._log.info("the API server answers again")
                self._troubles.clear()
        for _ in range(step.undecodable):
            self._observer.undecodable(self._kind)
        for move in step.moves:
            match move.outcome:
                case RequestOutcome.PAGE:
                    pass
                case RequestOutcome.COMPLETE if move.phase is Phase.COUNT:
                    pass
                case RequestOutcome.COMPLETE:
                    self._complete(move, objects)
                case RequestOutcome.MISSING:
                    self._missing(move)
                case _:
                    self._restarted(move)

    def _complete(self, move: Move, objects: int) -> None:
        self._troubles.clear()
        self._observer.listed(self._kind, objects, move.seconds)
        self._log.info("listed", objects=objects, seconds=round(move.seconds, 3), how=move.phase.value)
        if self._optional and not self._installed:
            if self._installed is False:
                self._log.info("installed now")
            self._observer.installed(self._kind, is_installed=True)
            self._installed = True

    def _missing(self, move: Move) -> None:
        self._troubles.clear()
        if move.synced:
            self._observer.listed(self._kind, 0, move.seconds)
        if self._installed is not False:
            self._log.warning(
                "not installed: there are no objects of this resource until its CustomResourceDefinition is there",
                next_look=round(move.pause, 1),
            )
            self._observer.installed(self._kind, is_installed=False)
            self._installed = False

    def _restarted(self, move: Move) -> None:
        self._observer.watch_restarted(self._kind, move.outcome)
        words = {"reason": move.outcome.value, "error": move.detail, "pause": round(move.pause, 3)}
        if move.outcome is RequestOutcome.ENDED:
            self._log.debug("watch ended, going on", **words)
        elif move.outcome is RequestOutcome.EXPIRED:
            self._log.info("listing anew", **words)
        elif move.phase is Phase.STREAMED_LIST and move.outcome in {RequestOutcome.UNSUPPORTED, RequestOutcome.ERROR}:
            self._log.info("the server can't stream this list, asking for pages", **words)
        elif move.outcome is RequestOutcome.DOUBTED:
            self._log.warning("nothing is deleted until a second answer says the same", **words)
        else:
            trouble = move.detail or move.outcome.value
            is_new = trouble not in self._troubles and len(self._troubles) < MOST
            (self._log.warning if is_new else self._log.debug)("trying again", failures=move.failures, **words)
            if is_new:
                self._troubles.add(trouble)
