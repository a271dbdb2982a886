"""Matches as people read them: prefixes as the block that they come from and its exceptions, and no line too long.

In: a match, and whether `--wide` asks for it as it is. Out: text. Rule: it is for the eye only; JSON and commands have
the match that OVN gets.
"""

import argparse
import re
import shutil
import sys
from collections.abc import Callable
from ipaddress import IPv4Network, IPv6Network, ip_network, summarize_address_range
from typing import TypeAlias

Network: TypeAlias = IPv4Network | IPv6Network

_LIST = re.compile(r"(?<= == \{)[0-9a-f:./, ]+(?=\})")
LEAST = 20
"""Characters of a match that are shown on the narrowest terminal."""


def width(options: argparse.Namespace) -> int | None:
    """Give how long a line may be; None for as long as it is."""
    return None if options.wide or not sys.stdout.isatty() else shutil.get_terminal_size().columns


def shown(options: argparse.Namespace, before: int = 0) -> Callable[[str], str]:
    """Give what shows a match after so many characters of its line."""
    if options.wide:
        return str
    room = width(options)
    return lambda match: cut(folded(match), None if room is None else max(room - before, LEAST))


def cut(line: str, room: int | None) -> str:
    """Cut a line to so many characters."""
    return line if room is None or len(line) <= room else f"{line[: room - 1]}…"


def folded(match: str) -> str:
    """Write each list of prefixes as one prefix and its exceptions where that is shorter."""
    return _LIST.sub(lambda found: _folded(found[0]), match)


def _folded(text: str) -> str:
    try:
        parts = sorted(map(ip_network, text.split(", ")), key=_first)
    except ValueError:  # not addresses alone
        return text
    whole = parts[0]
    while _last(whole) < _last(parts[-1]):
        whole = whole.supernet()
    exceptions: list[Network] = []
    free, address = _first(whole), type(whole.network_address)
    for first, last in [*((_first(each), _last(each)) for each in parts), (_last(whole) + 1, 0)]:
        if free < first:
            exceptions += summarize_address_range(address(free), address(first - 1))
        free = last + 1
    if len(exceptions) + 1 >= len(parts):
        return text
    left = ", ".join(str(each if each.num_addresses > 1 else each.network_address) for each in exceptions)
    return f"{whole} except {left}" if left else str(whole)


def _first(network: Network) -> int:
    return int(network.network_address)


def _last(network: Network) -> int:
    return int(network.broadcast_address)
