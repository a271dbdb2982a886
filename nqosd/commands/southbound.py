"""Finds the logical flows that northd made from a row: one question to the Southbound database.

In: a remote, the row's uuid and match. Out: `LogicalFlow`s. Rule: northd names a row in `external_ids:stage-hint` by
the first eight digits of its uuid (measured on OVN 23.03 and 25.03); equal rows on several switches become one flow
with the hint of one of them, so flows with the same match in a QoS stage count too, and say so.
"""

import asyncio
from collections.abc import Mapping
from typing import cast

import msgspec

from nqosd.ovsdb import wire
from nqosd.ovsdb.connection_options import TlsFiles
from nqosd.ovsdb.framing import FramingError
from nqosd.ovsdb.plain_client import Call, ask
from nqosd.ovsdb.remotes import Remote
from nqosd.runtime.system_errors import in_words

DATABASE = "OVN_Southbound"
HINT_DIGITS = 8
TIMEOUT = 10.0
"""Seconds to wait for the answer."""

_COLUMNS = ["_uuid", "pipeline", "table_id", "priority", "match", "external_ids"]


class SouthboundError(Exception):
    """The Southbound database can't be asked; the message names the remote and says why."""


class LogicalFlow(msgspec.Struct, frozen=True):
    """A logical flow; `stage` is such as `ls_out_qos`; `hinted`: it names the row, else only its match is the same."""

    uuid: str
    pipeline: str
    table: int
    stage: str
    priority: int
    hinted: bool


async def find_flows(
    remote: Remote, row: str, match: str, *, tls: TlsFiles | None = None, seconds: float = TIMEOUT
) -> tuple[LogicalFlow, ...]:
    """Find the flows of a row, by stage.

    Raises:
        SouthboundError: no connection, no answer in time, or a refusal.
    """
    conditions: list[list[object]] = [
        [["external_ids", "includes", ["map", [["stage-hint", row[:HINT_DIGITS]]]]]],
        [["match", "==", match]],
    ]
    selects = [{"op": "select", "table": "Logical_Flow", "where": where, "columns": _COLUMNS} for where in conditions]
    try:
        async with asyncio.timeout(seconds):
            (answer,) = await ask(remote, tls, [Call("transact", [DATABASE, *selects])])
    except TimeoutError:
        raise SouthboundError(f"{remote}: no answer within {seconds:g} s") from None
    except (OSError, FramingError) as error:
        raise SouthboundError(f"{remote}: {in_words(error)}") from error
    answers = _rows(remote, answer, len(selects))
    hinted = [_flow(each, hinted=True) for each in answers[0]]
    known = {flow.uuid for flow in hinted}
    alike = [_flow(each, hinted=False) for each in answers[1]]
    flows = [*hinted, *(flow for flow in alike if flow.uuid not in known and "_qos" in flow.stage)]
    return tuple(sorted(flows, key=lambda flow: (not flow.hinted, flow.pipeline, flow.table, flow.uuid)))


def _rows(remote: Remote, answer: Mapping[str, object], expected: int) -> list[list[Mapping[str, object]]]:
    results = answer.get("result")
    found = [each.get("rows") for each in results if isinstance(each, dict)] if isinstance(results, list) else []
    if len(found) != expected or any(rows is None for rows in found):
        raise SouthboundError(f"{remote}: it refused the question: {answer.get('error') or results}")
    return cast("list[list[Mapping[str, object]]]", found)


def _flow(row: Mapping[str, object], *, hinted: bool) -> LogicalFlow:
    return LogicalFlow(
        uuid=cast("list[str]", row["_uuid"])[1],
        pipeline=str(row["pipeline"]),
        table=cast("int", row["table_id"]),
        stage=wire.mapping(row["external_ids"]).get("stage-name", ""),
        priority=cast("int", row["priority"]),
        hinted=hinted,
    )
