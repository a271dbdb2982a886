"""Reads what exporters serve: the figures of each rule on each node.

In: addresses, the token, the authority of their certificates. Out: `Collected`, with a reason for each exporter that
gave none. Rule: one that is slow or away costs its own figures only, and no more time than `seconds`.
"""

import asyncio
import ssl
from collections.abc import Mapping, Sequence
from http import HTTPStatus

import msgspec
from prometheus_client.parser import text_string_to_metric_families

from nqosd.runtime.http_library import aiohttp
from nqosd.runtime.small_files import read_small
from nqosd.runtime.system_errors import in_words
from nqosd.statistics.figures import Figures
from nqosd.statistics.rules import Rule

PREFIX = "nqosd_rule_"
LIMIT = "nqosd_rule_limit_bytes_per_second"
METER_MISSING = "nqosd_rule_meter_missing"
READ_AT = "nqosd_stats_last_reading_timestamp_seconds"
_FIGURES = {f"{PREFIX}{name}_total": name for name in Figures.__struct_fields__}


class EndpointOptions(msgspec.Struct, frozen=True):
    """Where exporters are, and how to ask: `token_file` and `authority` are paths, empty for none and the system's."""

    urls: tuple[str, ...]
    token_file: str = ""
    authority: str = ""


class RuleOnNode(msgspec.Struct, frozen=True, order=True):
    """A rule on a node."""

    rule: Rule
    node: str


class Counts(msgspec.Struct, frozen=True):
    """What a rule did on a node since its exporter began to count; `limit` in bytes per second, None without one.

    `meter_missing`: the bridge has no meter for the limit, which isn't enforced there.
    """

    figures: Figures
    limit: int | None
    meter_missing: bool = False


class Snapshot(msgspec.Struct, frozen=True):
    """What an exporter served; `read_at`: Unix time of its reading of the bridge, 0 before the first."""

    read_at: float
    counts: Mapping[RuleOnNode, Counts]


class Collected(msgspec.Struct, frozen=True):
    """What was served by address, and why others gave nothing."""

    snapshots: Mapping[str, Snapshot]
    failures: Mapping[str, str]

    @classmethod
    def of(cls, answers: Mapping[str, Snapshot | str]) -> "Collected":
        """Tell what was served from why nothing was."""
        return cls(
            {where: answer for where, answer in answers.items() if isinstance(answer, Snapshot)},
            {where: answer for where, answer in answers.items() if isinstance(answer, str)},
        )

    def counts(self) -> dict[RuleOnNode, Counts]:
        """Give the counts of all exporters together."""
        return {place: counts for snapshot in self.snapshots.values() for place, counts in snapshot.counts.items()}


async def collect(options: EndpointOptions, seconds: float) -> Collected:
    """Ask all exporters at once."""
    try:
        token = (await asyncio.to_thread(read_small, options.token_file)).decode() if options.token_file else ""
        context = ssl.create_default_context(cafile=options.authority or None)
    except UnicodeDecodeError as error:
        return Collected({}, dict.fromkeys(options.urls, f"{options.token_file}: is not UTF-8: {error.reason}"))
    except OSError as error:
        return Collected({}, dict.fromkeys(options.urls, f"{error.filename or options.authority}: {error.strerror}"))
    headers = {"Authorization": f"Bearer {token.strip()}"} if token else {}
    timeout = aiohttp.ClientTimeout(total=seconds)
    async with aiohttp.ClientSession(headers=headers, timeout=timeout) as session:
        answers = await asyncio.gather(*(_ask(session, url, context) for url in options.urls))
    return Collected.of(dict(zip(options.urls, answers, strict=True)))


async def _ask(session: aiohttp.ClientSession, url: str, context: ssl.SSLContext) -> Snapshot | str:
    """Give what an exporter serves, or why it doesn't."""
    try:
        async with session.get(f"{url.rstrip('/')}/metrics", ssl=context, allow_redirects=False) as answer:
            text = await answer.text()
            if answer.status != HTTPStatus.OK:
                return f"{answer.status} {text.strip()[:200]}"
        return await asyncio.to_thread(read, text)  # the library reads a line in some ten microseconds
    except TimeoutError:
        return "no answer in time"
    except (aiohttp.ClientError, ValueError) as error:
        return _words(error)


def _words(error: Exception) -> str:
    match error:
        case aiohttp.ClientConnectorCertificateError(certificate_error=ssl.SSLCertVerificationError() as why):
            return f"certificate verify failed: {why.verify_message}; stats.ca_certificate names its authority"
        case aiohttp.ClientSSLError():
            return "no TLS is spoken there; write http:// in place of https://"
        case aiohttp.ClientConnectorError(os_error=why):
            reason = in_words(why) if str(why) else "the connection was closed"
            return f"{reason}; does `nqosd stats` listen there?"
        case aiohttp.ServerDisconnectedError() | aiohttp.ClientOSError():
            return "the connection was closed without an answer; is it TLS, https://, that is spoken there?"
        case aiohttp.ClientResponseError():
            return "no HTTP is spoken there; does `nqosd stats` listen there?"
        case _:
            return str(error) or type(error).__name__


def read(text: str) -> Snapshot:
    """Read an exporter's metrics.

    Raises:
        ValueError: it isn't an exporter of statistics, or its text isn't Prometheus's.
    """
    figures: dict[RuleOnNode, dict[str, int]] = {}
    limits: dict[RuleOnNode, int] = {}
    missing: set[RuleOnNode] = set()
    read_at = None
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            if sample.name == READ_AT:
                read_at = sample.value
            elif sample.name.startswith(PREFIX):
                place = _place(sample.labels)
                if sample.name == LIMIT:
                    limits[place] = round(sample.value)
                elif sample.name == METER_MISSING and sample.value:
                    missing.add(place)
                elif sample.name in _FIGURES:
                    figures.setdefault(place, {})[_FIGURES[sample.name]] = round(sample.value)
    if read_at is None:
        raise ValueError("serves no statistics: `nqosd stats` must listen there")
    counts = {
        place: Counts(Figures(**values), limits.get(place), place in missing) for place, values in figures.items()
    }
    return Snapshot(read_at, counts)


def _place(labels: Mapping[str, str]) -> RuleOnNode:
    rule = Rule(labels["namespace"], labels["policy"], int(labels["rule"]), labels["network"])
    return RuleOnNode(rule, labels["node"])


def total(counts: Sequence[Counts]) -> Figures:
    """Add up the figures of several nodes."""
    return sum((each.figures for each in counts), Figures())
