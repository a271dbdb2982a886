"""Where credentials come from, and how long they count."""

import base64
import datetime as dt
import json
import math
import os
import time
from collections.abc import Mapping
from pathlib import Path

import pytest
import yaml

from nqosd.kube import credentials as kube_credentials
from nqosd.kube.credentials import (
    FILES_MAX_AGE,
    PLUGIN_MIN_AGE,
    KubeConfigError,
    KubeOptions,
    load_credentials,
)
from tests.informers.listening import until
from tests.services.tls import Authority, Credentials

SERVER = "https://127.0.0.1:6443"


@pytest.fixture
def pki(tmp_path: Path) -> Credentials:
    """Give a client certificate and its authority."""
    return Authority(tmp_path / "pki").issue("client")


def kubeconfig(tmp_path: Path, user: Mapping[str, object], **cluster: object) -> KubeOptions:
    """Write a kubeconfig with one user and give the options that name it."""
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "c", "cluster": {"server": SERVER, **cluster}}],
        "users": [{"name": "u", "user": dict(user)}],
        "contexts": [
            {"name": "x", "context": {"cluster": "c", "user": "u"}},
            {"name": "nobody", "context": {"cluster": "c"}},
        ],
        "current-context": "x",
    }
    file = tmp_path / "kubeconfig"
    file.write_text(yaml.safe_dump(config))
    return KubeOptions(kubeconfig=str(file))


def bearer(token: str) -> str:
    """Give the header that carries a token."""
    return f"Bearer {token}"


def plugin(tmp_path: Path, script: str) -> dict[str, object]:
    """Give a user whose credentials come from a shell script."""
    file = tmp_path / "plugin"
    file.write_text(f"#!/bin/sh\n{script}\n")
    file.chmod(0o700)
    return {"exec": {"apiVersion": "client.authentication.k8s.io/v1", "command": str(file), "interactiveMode": "Never"}}


def others_may(file: Path) -> int:
    """Give what group and others may do with a file."""
    return file.stat().st_mode & 0o077


def printing(token: str, **status: object) -> str:
    """Give a script that answers with a token."""
    answer = {
        "apiVersion": "client.authentication.k8s.io/v1",
        "kind": "ExecCredential",
        "status": {"token": token, **status},
    }
    return f"cat <<'END'\n{json.dumps(answer)}\nEND"


async def test_an_address_with_files(tmp_path: Path, pki: Credentials) -> None:
    """An explicit server takes its authority, client certificate and token from files."""
    (tmp_path / "token").write_text("secret\n")
    credentials = await load_credentials(
        KubeOptions(
            server=f"{SERVER}/",
            ca_file=str(pki.authority),
            cert_file=str(pki.certificate),
            key_file=str(pki.key),
            token_file=str(tmp_path / "token"),
        )
    )
    assert credentials.token == bearer("secret")
    assert credentials.endpoint()[0] == SERVER
    assert credentials.max_age == FILES_MAX_AGE


async def test_an_endpoint_changes_with_the_content_of_its_files(tmp_path: Path, pki: Credentials) -> None:
    """A rotated authority needs a new connection, a rotated token doesn't."""
    (tmp_path / "token").write_text("first")
    options = KubeOptions(server=SERVER, ca_file=str(pki.authority), token_file=str(tmp_path / "token"))
    before = (await load_credentials(options)).endpoint()
    (tmp_path / "token").write_text("second")
    assert (await load_credentials(options)).endpoint() == before
    pki.authority.write_bytes(Authority(tmp_path / "other").certificate.read_bytes())
    assert (await load_credentials(options)).endpoint() != before


async def test_a_file_that_is_missing_is_named(tmp_path: Path) -> None:
    """The error names the file, whatever it is for."""
    with pytest.raises(KubeConfigError, match=f"{tmp_path}/token: No such file"):
        await load_credentials(KubeOptions(server=SERVER, token_file=str(tmp_path / "token")))
    credentials = await load_credentials(KubeOptions(server=SERVER, ca_file=str(tmp_path / "ca")))
    with pytest.raises(KubeConfigError, match=f"{tmp_path}/ca: No such file"):
        credentials.endpoint()


async def test_a_token_that_is_no_text_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file may be damaged, or another one have been put in its place."""
    (tmp_path / "token").write_bytes(b"\xff\xfe")
    monkeypatch.setattr(kube_credentials, "SERVICE_TOKEN_FILENAME", str(tmp_path / "token"))
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "127.0.0.1")
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", "443")
    for options in (KubeOptions(server=SERVER, token_file=str(tmp_path / "token")), KubeOptions(in_cluster=True)):
        with pytest.raises(KubeConfigError, match="can't decode byte 0xff"):
            await load_credentials(options)


async def test_a_fifo_in_place_of_a_file_is_named(tmp_path: Path) -> None:
    """Nobody waits for somebody to write to it, be it a token, a certificate or the kubeconfig."""
    fifo = str(tmp_path / "fifo")
    os.mkfifo(fifo)
    with pytest.raises(KubeConfigError, match=f"{fifo}: is not a regular file"):
        await load_credentials(KubeOptions(server=SERVER, token_file=fifo))
    with pytest.raises(KubeConfigError, match=f"{fifo}: is not a regular file"):
        (await load_credentials(KubeOptions(server=SERVER, ca_file=fifo))).endpoint()
    with pytest.raises(KubeConfigError, match=f"kubeconfig {fifo}: .*is not a regular file"):
        await load_credentials(KubeOptions(kubeconfig=fifo))


async def test_a_kubeconfig_with_a_token(tmp_path: Path) -> None:
    """The current context counts, or the one that is named; one without a user is an error that names it."""
    options = kubeconfig(tmp_path, {"token": "secret"})
    for context in (None, "x"):
        named = KubeOptions(kubeconfig=options.kubeconfig, context=context)
        assert (await load_credentials(named)).token == bearer("secret")
    with pytest.raises(KubeConfigError, match="context nobody has no user"):
        await load_credentials(KubeOptions(kubeconfig=options.kubeconfig, context="nobody"))
    with pytest.raises(KubeConfigError, match="with name other"):
        await load_credentials(KubeOptions(kubeconfig=options.kubeconfig, context="other"))


async def test_a_kubeconfig_with_a_token_file(tmp_path: Path) -> None:
    """The token is read with each load, without the line feed that ends its file."""
    options = kubeconfig(tmp_path, {"tokenFile": str(tmp_path / "token")})
    for token in ("first", "second"):
        (tmp_path / "token").write_text(f"{token}\n")
        assert (await load_credentials(options)).token == f"Bearer {token}"


async def test_a_kubeconfig_with_certificates_inside(
    tmp_path: Path, pki: Credentials, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Inline certificates are written into systemd's runtime directory, if there is one."""
    runtime = tmp_path / "run"
    monkeypatch.setenv("RUNTIME_DIRECTORY", str(runtime))
    user = {
        "client-certificate-data": base64.b64encode(pki.certificate.read_bytes()).decode(),
        "client-key-data": base64.b64encode(pki.key.read_bytes()).decode(),
    }
    authority = base64.b64encode(pki.authority.read_bytes()).decode()
    options = kubeconfig(tmp_path, user, **{"certificate-authority-data": authority})
    configuration = (await load_credentials(options)).configuration
    for file in (configuration.ssl_ca_cert, configuration.cert_file, configuration.key_file):
        assert file is not None
        assert Path(file).parent == runtime
        assert others_may(Path(file)) == 0


KUBECONFIG = """
current-context: x
contexts: [{{name: x, context: {{cluster: c, user: u}}}}]
clusters: [{{name: c, cluster: {{server: "https://127.0.0.1:1", {cluster}}}}}]
users: [{{name: u, user: {{token: secret}}}}]
"""


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[", "kubeconfig"),
        ("", "isn't of the form of a kubeconfig"),
        ("[a]", "isn't of the form of a kubeconfig"),
        ("contexts: 5", "isn't of the form of a kubeconfig"),
        ("{}", "kubeconfig"),
        ("{current-context: x, contexts: [], clusters: [], users: []}", "with name x"),
        ("current-context: x\ncontexts: [{name: x, context: {cluster: c}}]\nclusters: []\nusers: []", "with name c"),
        (KUBECONFIG.format(cluster="proxy-url: 7"), "proxy is no text"),
        (KUBECONFIG.format(cluster="tls-server-name: [x]"), "tls_server_name is no text"),
    ],
)
async def test_a_malformed_kubeconfig_is_an_error_that_names_it(tmp_path: Path, text: str, words: str) -> None:
    """Whatever the library raises becomes one error with the file's name."""
    file = tmp_path / "kubeconfig"
    file.write_text(text)
    with pytest.raises(KubeConfigError, match=words) as caught:
        await load_credentials(KubeOptions(kubeconfig=str(file)))
    assert str(file) in str(caught.value)


async def test_what_is_wrong_with_a_user_shows_no_secret(tmp_path: Path) -> None:
    """A password and a key beside the fault are in no message, and so in no log."""
    user = {"token": None, "username": "admin", "password": "s3cret", "client-key-data": "s3cret"}
    with pytest.raises(KubeConfigError, match="Expected key token") as caught:
        await load_credentials(kubeconfig(tmp_path, user))
    assert "s3cret" not in str(caught.value)


async def test_a_missing_kubeconfig_is_an_error(tmp_path: Path) -> None:
    """The error says what to do."""
    with pytest.raises(KubeConfigError, match="does not exist: name one by"):
        await load_credentials(KubeOptions(kubeconfig=str(tmp_path / "none")))


async def test_the_pods_own_service_account(tmp_path: Path, pki: Credentials, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a cluster, address, authority and token are where kubelet puts them; asked for, or for want of others."""
    monkeypatch.setattr(kube_credentials, "KUBE_CONFIG_DEFAULT_LOCATION", str(tmp_path / "none"))
    monkeypatch.setattr(kube_credentials, "SERVICE_TOKEN_FILENAME", str(tmp_path / "token"))
    monkeypatch.setattr(kube_credentials, "SERVICE_CERT_FILENAME", str(pki.authority))
    with pytest.raises(KubeConfigError, match="give a kubeconfig or an address"):
        await load_credentials(KubeOptions(in_cluster=True))
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "fd00::1")
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", "443")
    for token in ("first", "second"):
        (tmp_path / "token").write_text(token)
        for options in (KubeOptions(in_cluster=True), KubeOptions()):
            credentials = await load_credentials(options)
            assert credentials.token == f"Bearer {token}"
            assert credentials.endpoint()[0] == "https://[fd00::1]:443"


async def test_a_plugin_gives_a_token(tmp_path: Path) -> None:
    """Its token counts until the server refuses it, if it doesn't say how long."""
    credentials = await load_credentials(kubeconfig(tmp_path, plugin(tmp_path, printing("from-plugin"))))
    assert credentials.token == bearer("from-plugin")
    assert (credentials.min_age, credentials.max_age) == (PLUGIN_MIN_AGE, math.inf)


async def test_a_plugin_is_run_again_before_its_token_expires(tmp_path: Path) -> None:
    """A token of an hour is replaced a minute early; one that has nearly expired, not at once again and again."""
    for left, age in ((3600, 3540), (10, PLUGIN_MIN_AGE)):
        expiry = (dt.datetime.now(dt.UTC) + dt.timedelta(seconds=left)).strftime("%Y-%m-%dT%H:%M:%SZ")
        user = plugin(tmp_path, printing("short", expirationTimestamp=expiry))
        assert (await load_credentials(kubeconfig(tmp_path, user))).max_age == pytest.approx(age, abs=3)


async def test_a_plugin_gets_its_arguments_and_environment(tmp_path: Path) -> None:
    """What the kubeconfig says reaches the plugin although it runs under a time limit."""
    user = plugin(
        tmp_path, 'TOKEN="$1-$WHO"\n' + printing("TOKEN").replace("'END'", "END").replace('"TOKEN"', '"$TOKEN"')
    )
    user["exec"] |= {"args": ["a b"], "env": [{"name": "WHO", "value": "me"}]}  # type: ignore[operator]
    assert (await load_credentials(kubeconfig(tmp_path, user))).token == bearer("a b-me")


async def test_a_plugin_that_hangs_is_killed_with_its_children(tmp_path: Path) -> None:
    """After its time the load fails, and nothing that the plugin started is left."""
    user = plugin(tmp_path, f"echo $$ > {tmp_path}/pid\nsleep 600 &\necho $! >> {tmp_path}/pid\nwait")
    options = kubeconfig(tmp_path, user)
    began = time.monotonic()
    with pytest.raises(KubeConfigError, match=r"took longer than 0\.5 s and was killed"):
        await load_credentials(KubeOptions(kubeconfig=options.kubeconfig, exec_timeout=0.5))
    assert time.monotonic() - began < 5
    for pid in (tmp_path / "pid").read_text().split():
        await until(lambda pid=pid: not runs(int(pid)), f"ended: {pid}")  # type: ignore[misc]


def runs(pid: int) -> bool:
    """Say whether a process is there and has not ended."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ("echo no network >&2; exit 1", "no network"),
        ("echo hello", "failed to decode"),
        ("echo '{}'", "missing key"),
        ("head -c 60000 /dev/zero >&2; exit 3", "returned 3"),
    ],
)
async def test_a_plugin_that_fails_is_an_error(tmp_path: Path, script: str, words: str) -> None:
    """Its own words are shown, and cut where they are many."""
    with pytest.raises(KubeConfigError, match=words) as caught:
        await load_credentials(kubeconfig(tmp_path, plugin(tmp_path, script)))
    assert len(str(caught.value)) < 1000


async def test_a_plugin_that_floods_its_standard_error_is_ended(tmp_path: Path) -> None:
    """The library reads standard output first, so such a plugin waits for it for ever; the time limit ends that."""
    options = kubeconfig(tmp_path, plugin(tmp_path, "head -c 1000000 /dev/zero >&2"))
    with pytest.raises(KubeConfigError, match="took longer"):
        await load_credentials(KubeOptions(kubeconfig=options.kubeconfig, exec_timeout=0.5))


async def test_a_plugin_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    """The error names what can't be run."""
    user = {"exec": {"apiVersion": "client.authentication.k8s.io/v1", "command": str(tmp_path / "none")}}
    with pytest.raises(KubeConfigError, match="none"):
        await load_credentials(kubeconfig(tmp_path, user))
    malformed = {"exec": {"apiVersion": "client.authentication.k8s.io/v1"}}
    with pytest.raises(KubeConfigError, match="command"):
        await load_credentials(kubeconfig(tmp_path, malformed))
    arguments = {"exec": {"apiVersion": "client.authentication.k8s.io/v1", "command": "true", "args": "-v"}}
    with pytest.raises(KubeConfigError, match="not a list"):
        await load_credentials(kubeconfig(tmp_path, arguments))


def test_the_environment_of_the_tests_has_no_cluster() -> None:
    """The tests above rely on running outside of a pod."""
    assert "KUBERNETES_SERVICE_HOST" not in os.environ
