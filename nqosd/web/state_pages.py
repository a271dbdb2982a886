"""What the pages and answers of the daemon's state show: `/`, a policy's page, and `/state/…` as JSON.

In: requests, and who may ask. Out: responses. What takes long is rendered in a thread.
"""

import asyncio

import msgspec

from nqosd.api.text import visible
from nqosd.web.access import Access
from nqosd.web.page import POLICY, Asked, page
from nqosd.web.policy_page import MembersPage, policy_page
from nqosd.web.server_library import web
from nqosd.web.views import PolicyDetail, StateSource

_DIGITS = 10
"""A number of a set's member has fewer digits."""


class StatePages(msgspec.Struct, frozen=True):
    """The answers that show the state, to those who may see it."""

    _state: StateSource
    _access: Access

    async def page(self, request: web.Request) -> web.Response:
        """Answer /."""
        if (refusal := await self._access.refuse_state(request, browser=True)) is not None:
            return refusal
        statistics = await self._state.statistics()
        policies, rows = await self._state.policies(), await self._state.rows()
        asked = Asked(request.query.get("namespace", ""), request.query.get("text", ""))
        return _html(await asyncio.to_thread(page, self._state.overview(), policies, rows, statistics, asked))

    async def policy(self, request: web.Request) -> web.Response:
        """Answer /policy/NAMESPACE/NAME."""
        if (refusal := await self._access.refuse_state(request, browser=True)) is not None:
            return refusal
        found = await self._found(request)
        first = request.query.get("from", "")
        members = MembersPage(
            request.query.get("set", ""), int(first) if first.isdecimal() and len(first) < _DIGITS else 0
        )
        return _html(await asyncio.to_thread(policy_page, found, members))

    async def policy_part(self, request: web.Request) -> web.Response:
        """Answer /state/policy/NAMESPACE/NAME."""
        if (refusal := await self._access.refuse_state(request)) is not None:
            return refusal
        found = await self._found(request)
        return await _json(found)

    async def _found(self, request: web.Request) -> PolicyDetail:
        key = "{namespace}/{name}".format_map(request.match_info)
        found = await self._state.policy(key)
        if found is None:
            raise web.HTTPNotFound(text=f"there is no NetworkQoS {visible(key)}\n")
        return found

    async def database(self, request: web.Request) -> web.Response:
        """Answer /state/database."""
        if (refusal := await self._access.refuse_state(request)) is not None:
            return refusal
        found = await self._state.database()
        if found is None:
            raise web.HTTPServiceUnavailable(text="the Northbound database isn't in reach: /readyz says why\n")
        return await _json(found)

    async def part(self, request: web.Request) -> web.Response:
        """Answer /state/…."""
        if (refusal := await self._access.refuse_state(request)) is not None:
            return refusal
        found: object
        match request.match_info["what"]:
            case "overview":
                found = self._state.overview()
            case "policies":
                found = await self._state.policies()
            case "selections":
                found = await self._state.selections()
            case "rows":
                found = await self._state.rows()
            case "networks":
                found = await self._state.networks()
            case _:
                raise web.HTTPNotFound
        return await _json(found)


async def _json(found: object) -> web.Response:
    response = web.Response(body=await asyncio.to_thread(msgspec.json.encode, found), content_type="application/json")
    response.enable_compression()
    return response


def _html(text: str) -> web.Response:
    headers = {"Content-Security-Policy": POLICY, "Referrer-Policy": "no-referrer"}
    return web.Response(text=text, content_type="text/html", headers=headers)
