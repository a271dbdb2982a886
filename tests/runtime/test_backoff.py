"""How long to wait after failures."""

import pytest

from nqosd.runtime.backoff import CEILING, LONGEST_WAIT, Backoff

ALMOST_ONE = 1.0 - 2.0**-53


def test_the_wait_doubles_up_to_its_ceiling() -> None:
    """The longest possible wait begins at a tenth of a second, doubles, and stays at thirty seconds."""
    backoff = Backoff(lambda: ALMOST_ONE)
    waits = [backoff.failed() for _ in range(12)]
    assert waits[:4] == pytest.approx([0.1, 0.2, 0.4, 0.8])
    assert waits[-3:] == pytest.approx([CEILING] * 3)


def test_jitter_is_full() -> None:
    """The wait is anything from nothing to the limit."""
    backoff = Backoff(lambda: 0.0)
    assert [backoff.failed() for _ in range(5)] == [0.0] * 5


def test_success_begins_anew() -> None:
    """After a success, the next failure is the first one."""
    backoff = Backoff(lambda: ALMOST_ONE)
    for _ in range(8):
        backoff.failed()
    backoff.succeeded()
    assert backoff.failures == 0
    assert backoff.failed() == pytest.approx(0.1)


def test_the_server_can_ask_for_more() -> None:
    """Retry-After is waited in full, and jitter comes on top."""
    backoff = Backoff(lambda: 0.5)
    assert backoff.failed(5.0) == pytest.approx(5.05)


def test_a_wrong_retry_after_does_not_stop_the_daemon() -> None:
    """A server that asks for a day is asked again after some minutes."""
    assert Backoff(lambda: 0.0).failed(86_400.0) == LONGEST_WAIT


def test_any_number_of_failures_is_borne() -> None:
    """Nothing overflows when the server is away for days."""
    backoff = Backoff(lambda: ALMOST_ONE)
    backoff.failures = 100_000
    assert backoff.failed() == pytest.approx(CEILING)
