"""Lists of prefixes in matches as people read them: the block that they come from and its exceptions.

In: a match. Out: text. Rule: it is for the eye only, and means the same.
"""

import re
from ipaddress import IPv4Network, IPv6Network, ip_network, summarize_address_range
from typing import TypeAlias

Network: TypeAlias = IPv4Network | IPv6Network

_LIST = re.compile(r"(?<= == \{)[0-9a-f:./, ]+(?=\})")


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
