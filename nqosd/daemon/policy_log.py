"""What the log says of policies: a line whenever one stands otherwise than before.

In: a policy and its condition in this zone. Out: a line of the log. Rule: one pod that comes and goes turns as many
policies as select it, so each namespace has a budget of lines.
"""

import time

import structlog

from nqosd.api.networkqos import Condition, NetworkQoS
from nqosd.status.budgets import Budgets
from nqosd.status.conditions import TRUE

LINES = 1000
"""Lines about policies of one namespace at once: each of as many as there may be by default."""
REFILL = 0.1
"""Seconds in which it earns one more."""

_log = structlog.get_logger()


class PolicyLog:
    """Says it."""

    def __init__(self) -> None:
        self._lines = Budgets(LINES, REFILL)
        self._unsaid: set[str] = set()

    def say(self, policy: NetworkQoS, now: Condition) -> None:
        """Log how a policy stands, unless those of its namespace have turned too often of late, which is said once."""
        namespace = policy.namespace
        if self._lines.spend(namespace, time.monotonic()):
            self._unsaid.discard(namespace)
            (_log.info if now.status == TRUE else _log.warning)(
                "policy", policy=policy.key, reason=now.reason, detail=now.message, generation=policy.generation
            )
        elif namespace not in self._unsaid:
            self._unsaid.add(namespace)
            _log.warning("policies turn too often to log each time: their statuses say it", namespace=namespace)
