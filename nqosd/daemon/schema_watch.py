"""Looks now and then whether the API server keeps every field of a NetworkQoS, and says which ones it doesn't.

In: an API server. Out: lines of the log, the metric, and what policies are told. Rules: a change is said once; a server
that doesn't answer changes nothing; that fields are kept again is said when policies have been listed anew, since
watches that began by the definition before go on for about a second, and drop them from what they tell.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection

import structlog

from nqosd.api.changes import ResourceKind
from nqosd.informers.served_schema import ServedSchema
from nqosd.kube.client import KubeClient

_log = structlog.get_logger()


async def watch_schema(
    client: KubeClient,
    interval: float,
    take: Callable[[tuple[str, ...]], None],
    list_again: Callable[[str, Collection[ResourceKind]], Awaitable[None]],
) -> None:
    """Look for ever, every `interval` seconds; `take` is given the lost fields whenever they are others than before."""
    schema, known = ServedSchema(client), tuple[str, ...]()
    while True:
        lost = await schema.lost()
        if lost is not None and lost != known:
            if kept := set(known) - set(lost):
                await list_again(f"events may lack {', '.join(sorted(kept))}", [ResourceKind.NETWORK_QOS])
            known = lost
            take(lost)
            if lost:
                _log.warning(
                    "the API server drops fields of NetworkQoS objects, because it serves another "
                    "CustomResourceDefinition than nqosd's: apply config/crd again, then the objects",
                    fields=list(lost),
                )
            else:
                _log.info("the API server keeps all fields of NetworkQoS objects again")
        await asyncio.sleep(interval)
