"""`nqosd top`: what the rules do now, on every node, in the terminal.

In: exporters (`nqosd stats`). Out: a table of rates that is drawn anew, or once, or JSON. Rule: where standard output
is no terminal, it is printed once; what an exporter doesn't tell is said below the table, and in the exit code. Where
no exporter tells anything, there is no table.
"""

import argparse
import asyncio
import shutil
import sys
from collections.abc import Awaitable, Callable, Mapping
from typing import TypeAlias

import msgspec
from msgspec.structs import replace

from nqosd.commands.colour import Hue, Painter
from nqosd.commands.compiled_text import table
from nqosd.commands.configuration import configuration
from nqosd.commands.exits import FAILED, OK, UsageError
from nqosd.commands.output import complain, show
from nqosd.config.checks import urls
from nqosd.runtime import interrupts
from nqosd.statistics.endpoints import Collected, RuleOnNode, collect
from nqosd.statistics.rates import Rate, Rates
from nqosd.statistics.stats_options import endpoint_options

HEADER = ("POLICY", "RULE", "NETWORK", "NODE", "MARKED", "PASSED", "LIMIT", "DROPPED")
TIMEOUT = 5.0
"""Seconds to wait for an exporter."""
READINGS = 60.0
"""Seconds to wait, with `--once`, for each exporter's second reading."""
POLL = 0.2
LEAST = 5
"""Rules that are shown on the lowest terminal."""
HOME = "\x1b[H\x1b[J"
THOUSAND = 1000
Look: TypeAlias = Callable[[], Awaitable[Collected]]
HIGH = 0.5
"""The share of dropped packets from which on a line is red."""


def run(options: argparse.Namespace) -> int:
    """Run the command."""
    config = configuration(options)
    found = endpoint_options(config)
    if options.endpoint:
        if problem := urls(tuple(options.endpoint)):
            raise UsageError(f"--endpoint {problem}")
        found = replace(found, urls=tuple(options.endpoint))
    return interrupts.run(follow(lambda: collect(found, TIMEOUT), options))


async def follow(look: Look, options: argparse.Namespace) -> int:
    """Print the rates between what `look` collects, again and again, or once."""
    is_live = not options.once and (options.format == "json" or sys.stdout.isatty())
    return await (_watch(look, options) if is_live else _look(look, options))


async def _watch(look: Look, options: argparse.Namespace) -> int:
    rates = Rates(options.interval)
    while True:
        collected = await look()
        rates.take(collected)
        _show(rates.all(), collected, options, before=HOME if sys.stdout.isatty() else "")
        await asyncio.sleep(options.interval)


async def _look(look: Look, options: argparse.Namespace) -> int:
    rates = Rates(options.interval)
    loop = asyncio.get_running_loop()
    end = loop.time() + READINGS
    while True:
        collected = await look()
        rates.take(collected)
        if rates.is_complete(collected) or loop.time() > end:
            break
        await asyncio.sleep(POLL)
    _show(rates.all(), collected, options)
    if options.format != "json":
        for url, why in collected.failures.items():
            complain(f"{url}: {why}")
    return FAILED if collected.failures or not rates.is_complete(collected) else OK


def _show(
    rates: Mapping[RuleOnNode, Rate], collected: Collected, options: argparse.Namespace, *, before: str = ""
) -> None:
    if options.format == "json":
        show({"rates": list(map(_entry, rates.items())), "failures": collected.failures}, one_line=True)
        return
    paint, text = Painter.of(sys.stdout), []
    if rates or not collected.failures:
        header, *lines = table(HEADER, [_cells(place, rate) for place, rate in rates.items()]).splitlines()
        hues = map(_hue, rates.values())
        text = [
            paint(header, Hue.BOLD),
            *(paint(line, hue) if hue else line for line, hue in zip(lines, hues, strict=True)),
        ]
        if before and (more := len(rates) - _room(max(map(len, (header, *lines))), len(collected.failures))) > 0:
            text[-more:] = [f"{more} more: nqosd top --once"]
    if before:
        text += [paint(f"{url}: {why}", Hue.RED) for url, why in collected.failures.items()]
    paint.say(*text, before=before)


def _room(longest: int, below: int) -> int:
    """Say how many rules a terminal shows, so that they can be drawn anew in their place: the busiest are on top."""
    size = shutil.get_terminal_size()
    for_each = -(-longest // size.columns)
    return max((size.lines - 2 - below) // for_each - 1, LEAST)


def _hue(rate: Rate) -> Hue | None:
    if rate.meter_missing or (rate.dropped_share or 0) >= HIGH:
        return Hue.RED
    return None if rate.marked_bits or rate.passed_bits else Hue.DIM


def _cells(place: RuleOnNode, rate: Rate) -> list[str]:
    share = "" if not rate.dropped_share else f" ({rate.dropped_share:.0%})"
    has_limit = rate.limit is not None
    return [
        f"{place.rule.namespace}/{place.rule.policy}",
        str(place.rule.index),
        place.rule.network,
        place.node,
        _bits(rate.marked_bits),
        _bits(rate.passed_bits) if has_limit else "-",
        "-" if rate.limit is None else _bits(rate.limit) + (" NO METER" if rate.meter_missing else ""),
        f"{_bits(rate.dropped_bits)}{share}" if has_limit else "-",
    ]


def _entry(pair: tuple[RuleOnNode, Rate]) -> dict[str, object]:
    place, rate = pair
    return {
        "namespace": place.rule.namespace,
        "policy": place.rule.policy,
        "rule": place.rule.index,
        "network": place.rule.network,
        "node": place.node,
        **msgspec.structs.asdict(rate),
    }


def _bits(number: float) -> str:
    """Write bits per second with three digits."""
    for unit in ("bit/s", "kbit/s", "Mbit/s"):
        if number < THOUSAND - 0.5:
            return f"{number:.3g} {unit}"
        number /= THOUSAND
    return f"{number:.3g} Gbit/s"
