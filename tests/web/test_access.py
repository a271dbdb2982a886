"""Who may read the state of the daemon."""

import base64
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request

from nqosd.web.access import Access
from nqosd.web.server import HttpOptions, HttpServer
from tests.web.serving import make_server

LISTS = ("policies", "selections", "rows", "networks")


@pytest.fixture
def token(tmp_path: Path) -> Path:
    """Write a token."""
    file = tmp_path / "token"
    file.write_text("correct\n")
    return file


@pytest.fixture
async def server(request: pytest.FixtureRequest) -> AsyncIterator[HttpServer]:
    """Run a server, with a token where the test has one."""
    token = request.getfixturevalue("token") if "token" in request.fixturenames else ""
    running = make_server(HttpOptions(bearer_token_file=str(token)))
    await running.start()
    yield running
    await running.stop()


async def get(server: HttpServer, path: str, **headers: str) -> tuple[int, str, str]:
    """Ask; gives the status, the body and the challenge."""
    async with aiohttp.ClientSession() as client, client.get(f"{server.url}{path}", headers=headers) as answer:
        return answer.status, await answer.text(), answer.headers.get("WWW-Authenticate", "")


async def test_this_machine_may_read_it(server: HttpServer) -> None:
    """Without a token a client on this machine gets the page and every list, empty before the first round."""
    for what in LISTS:
        assert await get(server, f"/state/{what}") == (200, "[]", "")
    assert (await get(server, "/state/overview"))[0] == 200
    assert (await get(server, "/"))[0] == 200
    assert (await get(server, "/state/secrets"))[0] == 404


@pytest.mark.parametrize("host", ["evil.example", "evil.example:17476", "192.0.2.1"])
async def test_a_name_of_somebody_else(server: HttpServer, host: str) -> None:
    """A browser here that was led to this port under another name is refused: the page it runs isn't ours."""
    for path in ("/", "/state/policies"):
        status, body, _challenge = await get(server, path, Host=host)
        assert (status, "bearer_token_file" in body) == (403, True)
    assert (await get(server, "/metrics", Host=host))[0] == 200


@pytest.mark.parametrize(
    ("remote", "allowed"),
    [("127.0.0.1", True), ("::1", True), ("::ffff:127.0.0.1", True), ("192.0.2.7", False), ("2001:db8::7", False)],
)
async def test_other_machines_need_a_token(remote: str, *, allowed: bool) -> None:
    """Without a token only clients on loopback are let in, whatever the family and form of the address."""
    request = make_mocked_request("GET", "/", headers={"Host": "localhost:17476"}).clone(remote=remote)
    refusal = await Access("").refuse_state(request)
    assert (refusal is None) == allowed
    assert refusal is None or (isinstance(refusal, web.Response) and refusal.status == 403)


async def test_a_token_is_asked_for(server: HttpServer, token: Path) -> None:
    """With a token file this machine needs the token too; a list takes it as a bearer's only."""
    basic = base64.b64encode(b"anybody:correct").decode()
    for what in LISTS:
        assert (await get(server, f"/state/{what}"))[::2] == (401, "Bearer")
        assert (await get(server, f"/state/{what}", Authorization="Bearer wrong"))[0] == 401
        assert (await get(server, f"/state/{what}", Authorization=f"Basic {basic}"))[0] == 401
        assert (await get(server, f"/state/{what}", Authorization="Bearer correct"))[0] == 200
        # the API server's proxy keeps `Authorization` to itself
        assert (await get(server, f"/state/{what}", **{"X-Nqosd-Token": "correct"}))[0] == 200
        assert (await get(server, f"/state/{what}", **{"X-Nqosd-Token": "wrong"}))[::2] == (401, "Bearer")
    for what in ("overview", "database", "policy/a/b"):
        assert (await get(server, f"/state/{what}"))[::2] == (401, "Bearer")
    token.write_text("new")  # noqa: ASYNC240 - three bytes
    assert (await get(server, "/state/rows", Authorization="Bearer correct"))[0] == 401


@pytest.mark.usefixtures("token")
@pytest.mark.parametrize(
    ("credentials", "status"),
    [
        ("anybody:correct", 200),
        (":correct", 200),
        ("anybody:wrong", 401),
        ("correct", 401),
        ("anybody:", 401),
        (None, 401),
    ],
)
async def test_a_browser_gives_the_token_as_password(server: HttpServer, credentials: str | None, status: int) -> None:
    """The page asks a browser for a user and a password, and the password must be the token."""
    encoded = "not base64!" if credentials is None else base64.b64encode(credentials.encode()).decode()
    found, _body, challenge = await get(server, "/", Authorization=f"Basic {encoded}")
    assert (found, challenge.startswith("Basic ")) == (status, status == 401)
