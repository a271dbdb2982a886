"""Requests and streams to a real API server, and credentials that are replaced while they are used."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import pytest
from msgspec.structs import replace
from structlog.testing import capture_logs

from nqosd.kube import client as kube_client
from nqosd.kube import credentials as kube_credentials
from nqosd.kube.client import KubeClient, KubeConnectionError
from nqosd.kube.credentials import KubeConfigError, KubeOptions
from nqosd.runtime.backoff import LONGEST_WAIT
from tests.faults.liar import Answer, Liar
from tests.informers.fake_silent_proxy import FakeSilentProxy
from tests.services.kubernetes import ADMIN, DAEMON, ApiServer
from tests.services.process import free_port
from tests.services.tls import Authority

PODS = "/api/v1/pods"
WATCH = {"watch": "true", "timeoutSeconds": "60", "resourceVersion": ""}


POD = """
apiVersion: v1
kind: Pod
metadata: {name: client-test, namespace: default}
spec: {nodeName: node-1, containers: [{name: main, image: none}]}
"""


@pytest.fixture
async def client(api_server: ApiServer) -> AsyncIterator[KubeClient]:
    """Give a client of the administrator."""
    async with KubeClient(KubeOptions(kubeconfig=str(api_server.kubeconfig()))) as client:
        yield client


def options(server: ApiServer, tmp_path: Path, token: str) -> KubeOptions:
    """Give options with files of their own for the authority and the token."""
    (tmp_path / "ca.crt").write_bytes(server.ca_file.read_bytes())
    (tmp_path / "token").write_text(token)
    return KubeOptions(server=server.url, ca_file=str(tmp_path / "ca.crt"), token_file=str(tmp_path / "token"))


async def test_a_request_gives_status_and_body(client: KubeClient) -> None:
    """The query is sent, and the body is the answer's bytes."""
    response = await client.request("GET", "/api/v1/namespaces", query={"limit": "1"})
    assert response.status == 200
    assert len(json.loads(response.body)["items"]) == 1


async def test_an_error_of_the_server_is_a_status(client: KubeClient) -> None:
    """Not found and forbidden are answers like others."""
    response = await client.request("GET", "/api/v1/namespaces/none")
    assert response.status == 404
    assert json.loads(response.body)["kind"] == "Status"


async def test_a_body_is_sent_as_its_content_type(client: KubeClient, namespace: str) -> None:
    """Server-side apply, JSON patch of an object and creation take a JSON body."""
    path = f"/api/v1/namespaces/{namespace}/configmaps"
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "one"}, "data": {"a": "1"}}
    assert (await client.request("POST", path, body=body)).status == 201
    applied = await client.request(
        "PATCH",
        f"{path}/one",
        query={"fieldManager": "tests"},
        body={**body, "data": {"b": "2"}},
        content_type="application/apply-patch+yaml",
    )
    assert json.loads(applied.body)["data"] == {"a": "1", "b": "2"}
    merged = await client.request(
        "PATCH", f"{path}/one", body={"data": {"a": None}}, content_type="application/merge-patch+json"
    )
    assert json.loads(merged.body)["data"] == {"b": "2"}


async def test_a_stream_gives_bytes_until_it_ends(client: KubeClient) -> None:
    """A watch of a second comes to a proper end."""
    lines = b""
    async with client.stream("/api/v1/namespaces", query={**WATCH, "timeoutSeconds": "1"}, limit=10.0) as stream:
        assert stream.status == 200
        async for chunk in stream.chunks():
            lines += chunk
    assert {json.loads(line)["object"]["metadata"]["name"] for line in lines.splitlines()} >= {"default"}


async def test_a_refused_stream_has_a_body(client: KubeClient) -> None:
    """The answer to a bad watch can be read."""
    async with client.stream(PODS, query={"watch": "true", "sendInitialEvents": "true"}, limit=10.0) as stream:
        assert stream.status == 422
        assert b"resourceVersionMatch" in await stream.body()


async def test_nobody_listening_is_a_connection_error() -> None:
    """The error names the address, and nothing of the TLS context."""
    port = free_port()
    async with KubeClient(KubeOptions(server=f"https://127.0.0.1:{port}")) as client:
        said = f"no connection to 127.0.0.1:{port}: Connection refused$"
        with pytest.raises(KubeConnectionError, match=said) as caught:
            await client.request("GET", "/version")
    assert "SSLContext" not in str(caught.value)
    assert not caught.value.silent


async def test_a_server_of_another_authority_is_not_spoken_to(api_server: ApiServer, tmp_path: Path) -> None:
    """The token isn't sent to a server whose certificate another authority signed."""
    given = options(api_server, tmp_path, api_server.tokens[ADMIN])
    (tmp_path / "ca.crt").write_bytes(Authority(tmp_path / "other").certificate.read_bytes())
    async with KubeClient(given) as client:
        with pytest.raises(KubeConnectionError, match="CERTIFICATE_VERIFY_FAILED"):
            await client.request("GET", "/version")


async def test_a_silent_stream_is_given_up(api_server: ApiServer, tmp_path: Path) -> None:
    """A connection that stands without a byte is an error after the time given."""
    async with FakeSilentProxy(api_server.port) as proxy:
        given = options(api_server, tmp_path, api_server.tokens[ADMIN])
        async with KubeClient(replace(given, server=proxy.url)) as client:
            began = time.monotonic()
            with pytest.raises(KubeConnectionError) as caught:
                await read_from(client, proxy)
    assert caught.value.silent
    assert time.monotonic() - began < 5


async def read_from(client: KubeClient, proxy: FakeSilentProxy) -> None:
    """Begin to read a stream, and let it fall silent."""
    async with client.stream(PODS, query=WATCH, limit=0.5) as stream:
        proxy.fall_silent()
        async for _ in stream.chunks():
            pass


async def test_a_stream_that_never_begins_is_given_up(api_server: ApiServer, tmp_path: Path) -> None:
    """A connection that was taken, but isn't answered, is an error long before the time for silence is over."""
    async with FakeSilentProxy(api_server.port) as proxy:
        given = options(api_server, tmp_path, api_server.tokens[ADMIN])
        given = replace(given, server=proxy.url, answer_timeout=0.5)
        async with KubeClient(given) as client:
            assert (await client.request("GET", "/version")).status == 200  # the connection stays open
            proxy.fall_silent()
            with pytest.raises(KubeConnectionError) as caught:
                async with client.stream(PODS, query=WATCH, limit=60.0):
                    pass
    assert caught.value.silent


async def test_a_connection_that_is_taken_and_never_spoken_on_is_given_up(
    api_server: ApiServer, tmp_path: Path
) -> None:
    """A TLS handshake without an answer counts against the time to connect."""
    async with FakeSilentProxy(api_server.port) as proxy:
        given = options(api_server, tmp_path, "token")
        given = replace(given, server=proxy.url, connect_timeout=0.5)
        proxy.fall_silent()
        async with KubeClient(given) as client:
            with pytest.raises(KubeConnectionError, match="no connection in time"):
                await client.request("GET", "/version")


async def test_a_token_that_was_replaced_is_taken_up(
    api_server: ApiServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a minute, or a 401, the file is read again; connections and streams go on."""
    given = options(api_server, tmp_path, api_server.tokens[ADMIN])
    async with KubeClient(given) as client, client.stream(PODS, query=WATCH, limit=30.0) as stream:
        session = client._session
        (tmp_path / "token").write_text("expired")
        assert (await client.request("GET", PODS)).status == 200
        monkeypatch.setattr(client, "_read_at", client._read_at - kube_credentials.FILES_MAX_AGE)
        assert (await client.request("GET", PODS)).status == 401
        (tmp_path / "token").write_text(api_server.tokens[ADMIN])
        await asyncio.sleep(kube_credentials.FILES_MIN_AGE)
        assert (await client.request("GET", PODS)).status == 200
        assert client._session is session
        api_server.apply(POD)
        chunk = await anext(stream.chunks())
        assert b"client-test" in chunk
        api_server.kubectl("delete", "--force", "--grace-period=0", "pod", "client-test")


async def test_a_certificate_authority_that_was_replaced_is_taken_up(api_server: ApiServer, tmp_path: Path) -> None:
    """After a failed connection the files are read again; the connection is made anew with them."""
    given = options(api_server, tmp_path, api_server.tokens[ADMIN])
    (tmp_path / "ca.crt").write_bytes(Authority(tmp_path / "other").certificate.read_bytes())
    async with KubeClient(given) as client:
        with pytest.raises(KubeConnectionError):
            await client.request("GET", PODS)
        (tmp_path / "ca.crt").write_bytes(api_server.ca_file.read_bytes())
        await asyncio.sleep(kube_credentials.FILES_MIN_AGE)
        assert (await client.request("GET", PODS)).status == 200


async def test_a_session_that_was_replaced_lives_as_long_as_its_streams(
    api_server: ApiServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stream goes on over a change of the authority's file, and its connection is closed with it."""
    given = options(api_server, tmp_path, api_server.tokens[ADMIN])
    async with KubeClient(given) as client:
        async with client.stream(PODS, query={**WATCH, "timeoutSeconds": "1"}, limit=30.0) as stream:
            old = client._session
            (tmp_path / "ca.crt").write_bytes(api_server.ca_file.read_bytes() * 2)
            monkeypatch.setattr(client, "_read_at", 0.0)
            assert (await client.request("GET", PODS)).status == 200
            assert client._session is not old
            assert old is not None
            assert not old.api.rest_client.pool_manager.closed
            async for _ in stream.chunks():
                pass
        assert old.api.rest_client.pool_manager.closed


async def test_credentials_that_can_not_be_read_again_stay_in_use(
    api_server: ApiServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that is being replaced fails no request; each complaint is written once."""
    given = options(api_server, tmp_path, api_server.tokens[ADMIN])
    with capture_logs() as lines:
        async with KubeClient(given) as client:
            assert (await client.request("GET", PODS)).status == 200
            (tmp_path / "token").unlink()
            for _ in range(3):
                monkeypatch.setattr(client, "_read_at", 0.0)
                assert (await client.request("GET", PODS)).status == 200
    assert [line["log_level"] for line in lines] == ["warning"]
    assert f"{tmp_path}/token" in lines[0]["error"]


async def test_without_credentials_a_request_fails_until_there_are_some(api_server: ApiServer, tmp_path: Path) -> None:
    """A client can be made before its files are there."""
    given = options(api_server, tmp_path, api_server.tokens[ADMIN])
    (tmp_path / "ca.crt").unlink()
    async with KubeClient(given) as client:
        with pytest.raises(KubeConfigError, match=r"ca\.crt: No such file"):
            await client.request("GET", PODS)
        (tmp_path / "ca.crt").write_text("not a certificate")
        with pytest.raises(KubeConfigError, match="can't be used"):
            await client.request("GET", PODS)
        (tmp_path / "ca.crt").write_bytes(api_server.ca_file.read_bytes())
        assert (await client.request("GET", PODS)).status == 200


async def test_many_lost_connections_make_the_client_anew(
    api_server: ApiServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Even if none of its files has changed: the system's certificates may have."""
    monkeypatch.setattr(kube_client, "FAILURES_BEFORE_REBUILD", 2)
    async with FakeSilentProxy(api_server.port) as proxy:
        given = replace(options(api_server, tmp_path, api_server.tokens[ADMIN]), server=proxy.url)
        async with KubeClient(given) as client:
            await client.request("GET", PODS)
            first = client._session
            proxy.refusing = True
            proxy.cut()
            for _ in range(2):
                with pytest.raises(KubeConnectionError):
                    await client.request("GET", PODS)
            proxy.refusing = False
            monkeypatch.setattr(client, "_read_at", 0.0)
            assert (await client.request("GET", PODS)).status == 200
            assert client._session is not first


async def test_a_client_certificate_is_shown(api_server: ApiServer, tmp_path: Path) -> None:
    """A key that doesn't belong to its certificate is an error that says so."""
    one, other = Authority(tmp_path / "one").issue("one"), Authority(tmp_path / "two").issue("two")
    given = KubeOptions(
        server=api_server.url, ca_file=str(api_server.ca_file), cert_file=str(one.certificate), key_file=str(other.key)
    )
    async with KubeClient(given) as client:
        with pytest.raises(KubeConfigError, match="check the CA, the client certificate and its key"):
            await client.request("GET", PODS)


async def test_a_user_without_rights_is_refused(api_server: ApiServer) -> None:
    """The daemon's user may do nothing until a role is bound to it."""
    async with KubeClient(KubeOptions(kubeconfig=str(api_server.kubeconfig(DAEMON)))) as client:
        assert (await client.request("GET", PODS)).status == 403


async def test_a_wrong_retry_after_does_not_stop_anybody(api_server: ApiServer, tmp_path: Path) -> None:
    """Whoever asks hears half a minute at most, however long the server wants to be left alone."""
    with Liar(api_server) as liar:
        given = options(api_server, tmp_path, api_server.tokens[ADMIN])
        async with KubeClient(replace(given, server=liar.url)) as client:
            for asked, heard in (("7", 7.0), ("86400", LONGEST_WAIT), ("9" * 5000, LONGEST_WAIT), ("soon", None)):
                liar.tell(partial(ask_for_patience, asked))
                assert (await client.request("GET", PODS)).retry_after == heard
                async with client.stream(PODS, query=WATCH, limit=5.0) as stream:
                    assert stream.retry_after == heard


def ask_for_patience(seconds: str, _path: str) -> Answer:
    """Answer every request with a refusal that asks for patience."""
    return Answer(status=429, headers=(("Retry-After", seconds),))


async def test_after_a_connection_has_hung_no_other_of_its_time_is_used(api_server: ApiServer, tmp_path: Path) -> None:
    """A line that swallows one connection swallows the idle ones beside it: the next request makes a new one."""
    async with FakeSilentProxy(api_server.port) as proxy:
        given = options(api_server, tmp_path, api_server.tokens[ADMIN])
        async with KubeClient(replace(given, server=proxy.url, answer_timeout=0.5)) as client:
            await asyncio.gather(*(client.request("GET", PODS) for _ in range(5)))
            proxy.fall_silent()
            with pytest.raises(KubeConnectionError):
                await client.request("GET", PODS)
            proxy.speak_again()
            connections = proxy.connections
            assert (await client.request("GET", PODS)).status == 200
            assert proxy.connections == connections + 1
