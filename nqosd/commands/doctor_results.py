"""What a check of `nqosd doctor` gives: one line of ticks and crosses, or several.

In: what was looked at and found. Out: `CheckResult`s. Rules: what isn't well names the thing and the way out; a check
that hangs or breaks gives a cross of its own, and keeps no other one from its answer.
"""

import asyncio
from collections.abc import Awaitable
from enum import StrEnum
from typing import TypeVar

import msgspec

T = TypeVar("T")


class Verdict(StrEnum):
    """How it stands with one thing."""

    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"
    SKIPPED = "skipped"


class CheckResult(msgspec.Struct, frozen=True):
    """One thing: which `check` looked at it, what it is (`about`), what was found; `way_out` where it isn't well."""

    check: str
    verdict: Verdict
    about: str
    found: str
    way_out: str = ""


def ok(check: str, about: str, found: str) -> CheckResult:
    """Say that a thing is as it should be."""
    return CheckResult(check, Verdict.OK, about, found)


def warning(check: str, about: str, found: str, way_out: str) -> CheckResult:
    """Say that the daemon works, but somebody should look at this."""
    return CheckResult(check, Verdict.WARNING, about, found, way_out)


def failed(check: str, about: str, found: str, way_out: str) -> CheckResult:
    """Say that the daemon can't work as it should."""
    return CheckResult(check, Verdict.FAILED, about, found, way_out)


def skipped(check: str, about: str, why: str) -> CheckResult:
    """Say that there was nothing to look at, or no way to."""
    return CheckResult(check, Verdict.SKIPPED, about, why)


async def within(seconds: float, check: str, about: str, work: Awaitable[T], way_out: str) -> T | CheckResult:
    """Give what a look gives, or a cross if it takes too long or breaks."""
    try:
        async with asyncio.timeout(seconds):
            return await work
    except TimeoutError:
        return failed(check, about, f"no answer within {seconds:g} s", way_out)
    except Exception as error:  # noqa: BLE001 - whatever a server answers, the other checks go on
        return failed(check, about, f"what came can't be understood: {type(error).__name__}: {error!s:.200}", way_out)
