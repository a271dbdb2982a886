"""Asks br-int for its counters over the socket that ovs-vswitchd opens for management.

In: the socket's path and the cookies to ask about. Out: a `SwitchReading`. Rule: a connection serves one reading, so
that a restarted ovs-vswitchd needs no care; nothing is changed in the bridge.
"""

import asyncio
import time
from collections.abc import Collection

import msgspec

from nqosd.runtime.system_errors import in_words
from nqosd.statistics import openflow
from nqosd.statistics.openflow import FlowCounts, Message, MeterCounts, OpenFlowError

_CHUNK = 1 << 16
_METERS, _FEATURES, _FLOWS = 1, 2, 3
"""The transactions that ask for meters and for how many there can be, and the first of those that ask for flows."""


class SwitchError(Exception):
    """The bridge can't be asked; the message names the socket and says why."""


class SwitchReading(msgspec.Struct, frozen=True):
    """The flows of the cookies and all meters, as of a moment of the steady clock, in seconds.

    `meter_limit`: how many meters the bridge says that it can have; none where its datapath knows no meters.
    """

    flows: tuple[FlowCounts, ...]
    meters: tuple[MeterCounts, ...]
    meter_limit: int
    at: float


async def read(socket: str, cookies: Collection[int], seconds: float) -> SwitchReading:
    """Read all counters within `seconds` seconds.

    Raises:
        SwitchError: no connection, no answer in time, or a refusal.
    """
    try:
        async with asyncio.timeout(seconds):
            return await _read(socket, cookies)
    except TimeoutError:
        raise SwitchError(f"stats.openflow: {socket}: no answer within {seconds:g} s") from None
    except OSError as error:
        raise SwitchError(f"stats.openflow: {socket}: {in_words(error)}; does ovs-vswitchd run?") from error
    except OpenFlowError as error:
        raise SwitchError(f"stats.openflow: {socket}: {error}") from error


async def _read(socket: str, cookies: Collection[int]) -> SwitchReading:
    reader, writer = await asyncio.open_unix_connection(socket)
    try:
        awaited = {_FLOWS + place: cookie for place, cookie in enumerate(cookies)}
        writer.write(openflow.hello())
        answers = _Answers({_METERS, _FEATURES, *awaited})
        buffer = bytearray()
        while answers.awaited:
            chunk = await reader.read(_CHUNK)
            if not chunk:
                raise OpenFlowError("the bridge closed the connection without an answer")
            buffer += chunk
            for message in openflow.take_messages(buffer):
                if message.kind == openflow.ECHO_REQUEST:
                    writer.write(openflow.echo_reply(message))
                elif message.kind == openflow.HELLO:
                    openflow.check_hello(message)
                    flows = (openflow.flows_request(number, cookie) for number, cookie in awaited.items())
                    meters = openflow.meters_request(_METERS), openflow.meter_features_request(_FEATURES)
                    writer.write(b"".join([*flows, *meters]))
                else:
                    answers.take(message)
        return SwitchReading(tuple(answers.flows), tuple(answers.meters), answers.meter_limit, time.monotonic())
    finally:
        writer.close()


class _Answers(msgspec.Struct):
    """What has come, and the transactions whose answers aren't complete."""

    awaited: set[int]
    flows: list[FlowCounts] = []
    meters: list[MeterCounts] = []
    meter_limit: int = 0

    def take(self, message: Message) -> None:
        if message.transaction not in self.awaited:
            return  # a notice that nobody asked for
        answer = openflow.read_answer(message)
        self.flows += answer.flows
        self.meters += answer.meters
        self.meter_limit = answer.meter_limit if answer.meter_limit is not None else self.meter_limit
        if not answer.goes_on:
            self.awaited.discard(message.transaction)
