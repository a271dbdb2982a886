"""What commands do with their streams: documents on standard output alone, one line for each failure, 130 at Ctrl-C."""

import argparse
import fcntl
import json
import signal
import socket
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import pytest

from nqosd.cli import main
from nqosd.commands import check_config
from nqosd.commands.exits import INTERRUPTED
from nqosd.commands.kubectl_table import KUBECTL
from nqosd.commands.table import COMMANDS, Command
from tests.cli.documents import conforming

PLUGIN = str(Path(sys.executable).with_name("kubectl-nqos"))
GUIDE = Path("docs/examples/guide")
OTHER_KIND = "apiVersion: v1\nkind: Secret\nmetadata: {name: key}\n"
PACKET = ("--pod", "default/pod1", "--to", "10.245.2.3", "--proto", "tcp", "--port", "443")
SERVICES = {"run", "stats"}
AT_ONCE = {"doctor": 2}
"""How many connections a command waits on at once, where it isn't one."""


def nqosd(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run the command."""
    line = [sys.executable, "-m", "nqosd", *map(str, arguments)]
    return subprocess.run(line, capture_output=True, text=True, timeout=120, check=False)


@pytest.mark.parametrize(("name", "arguments"), [("compile", ()), ("explain", PACKET)])
def test_the_log_is_no_part_of_a_document(name: str, arguments: tuple[str, ...], tmp_path: Path) -> None:
    """Beside objects that aren't for nqosd, the document is all that stands on standard output."""
    (tmp_path / "secret.yaml").write_text(OTHER_KIND)
    done = nqosd(name, *arguments, "-o", "json", GUIDE, tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    conforming(name, done.stdout)


@pytest.mark.parametrize("command", [each for each in COMMANDS if each.name != "run"])
def test_every_command_has_json(command: Command) -> None:
    """What a command prints can be had as JSON, and `-o` is short for `--format`."""
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    (action,) = (each for each in parser._actions if each.dest == "format")
    assert action.option_strings == ["-o", "--format"]
    assert "json" in (action.choices or ())


PRINTING = (("--help",), ("--version",), ("compile", str(GUIDE)), ("explain", *PACKET, str(GUIDE)))


@pytest.mark.parametrize("arguments", PRINTING)
def test_an_output_that_takes_nothing(arguments: tuple[str, ...]) -> None:
    """A full disk and a closed pipe are exit code 1 and one line that says so."""
    line = [sys.executable, "-m", "nqosd", *arguments]
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(line, stdout=full, stderr=subprocess.PIPE, text=True, timeout=120, check=False)
    assert done.returncode == 1
    (said,) = done.stderr.splitlines()
    assert said.startswith("nqosd")
    assert said.endswith(": standard output can't be written: No space left on device")
    closed = subprocess.run(["sh", "-c", '"$@" >&-', "sh", *line], stderr=subprocess.PIPE, text=True, check=False)
    assert (closed.returncode, len(closed.stderr.splitlines())) == (1, 1)
    with subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        (said,) = process.stderr.read().splitlines()
    assert said.endswith(": standard output can't be written: Broken pipe")
    assert process.returncode == 1


FAILING = (("compile", "/none"), ("top", "--interval", "x"), ("get", "nothing"), ("compile", "--strict", str(GUIDE)))


@pytest.mark.parametrize("arguments", FAILING)
def test_a_standard_error_that_takes_nothing(arguments: tuple[str, ...]) -> None:
    """A full or closed standard error changes neither the exit code nor what stands on standard output."""
    line = [sys.executable, "-m", "nqosd", *arguments]
    usual = subprocess.run(line, capture_output=True, text=True, timeout=120, check=False)
    assert usual.returncode != 0
    assert usual.stderr
    for redirected in ('"$@" 2>/dev/full', '"$@" 2>&-', '{ sleep 0.1; exec "$@"; } 2>&1 >&3 3>&- | :'):
        shell = ["bash", "-c", f'exec 3>&1; {redirected}; exit "${{PIPESTATUS[0]}}"', "bash", *line]
        done = subprocess.run(shell, stdout=subprocess.PIPE, text=True, timeout=120, check=False)
        assert (done.returncode, done.stdout) == (usual.returncode, usual.stdout), redirected


@pytest.fixture
def silent() -> Iterator[socket.socket]:
    """Give a server that takes connections and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(120)
        yield server


ASKED = {
    "run": (),
    "doctor": ("--timeout", "60"),
    "explain": PACKET,
    "diff": (),
    "get": ("rows",),
    "stats": (),
    "top": (),
    "adopt": (),
    "takeover": ("--from", "ovn-kubernetes"),
    "cleanup": (),
}


def asking(name: str, folder: Path, silent: socket.socket) -> list[str]:
    """Give the line of a command that asks the silent server."""
    address = "{}:{}".format(*silent.getsockname())
    listen = address if name in ("get", "doctor") else ""
    config = folder / "nqosd.toml"
    config.write_text(
        f'[northbound]\nremotes = ["tcp:{address}"]\n'
        f'[kubernetes]\nsource = "manifests"\nmanifests = ["{GUIDE.resolve()}"]\n'
        f'[http]\nlisten = "{listen}"\n'
        f'[stats]\nlisten = "127.0.0.1:0"\nendpoints = ["http://{address}"]\n'
    )
    return [sys.executable, "-m", "nqosd", name, *ASKED[name], "--config", str(config)]


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_a_service_needs_no_standard_output(name: str, tmp_path: Path, silent: socket.socket) -> None:
    """With a closed standard output a service does its work, and ends well at SIGTERM; its log goes elsewhere."""
    line = ["sh", "-c", 'exec "$@" >&-', "sh", *asking(name, tmp_path, silent)]
    with subprocess.Popen(line, stderr=subprocess.PIPE, text=True) as process:
        try:
            connection, _address = silent.accept()
            process.terminate()
            _, err = process.communicate(timeout=120)
            connection.close()
        finally:
            process.kill()
    assert process.returncode == 0, err
    assert "standard output" not in err


@pytest.mark.parametrize("name", ASKED)
def test_ctrl_c(name: str, tmp_path: Path, silent: socket.socket) -> None:
    """Ctrl-C while a command waits for an answer ends it with 130, and without a word but for a service's log."""
    line = asking(name, tmp_path, silent)
    with subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            connections = [silent.accept()[0] for _ in range(AT_ONCE.get(name, 1))]
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=50)  # long before what it waits for is given up
            for each in connections:
                each.close()
        finally:
            process.kill()
    assert process.returncode == 130
    assert out == ""
    assert "Traceback" not in err
    assert name in SERVICES or err == ""


HALF_MADE = """
import os, signal
from nqosd.runtime import signals

class HalfMade:
    def __init__(self):
        os.kill(os.getpid(), signal.SIGINT)
        self.connection = None

    def __del__(self):
        self.connection.close()

signals.interrupt_quietly()
try:
    HalfMade()
except KeyboardInterrupt:
    print("interrupted")
"""


def test_ctrl_c_says_nothing_of_what_was_being_made() -> None:
    """An object that Ctrl-C keeps from being made, such as an answer of `http.client`, is torn apart without a word."""
    done = subprocess.run([sys.executable, "-c", HALF_MADE], capture_output=True, text=True, check=True, timeout=120)
    assert (done.stdout, done.stderr) == ("interrupted\n", "")


@pytest.mark.parametrize("name", [each.name for each in KUBECTL.commands])
def test_ctrl_c_of_the_plugin(name: str, tmp_path: Path, silent: socket.socket) -> None:
    """Ctrl-C while `kubectl nqos` waits for the API server ends it with 130, and without a word."""
    arguments = {"explain": ("pod/web", "--to", "192.0.2.1"), "get": ("policies", "--watch")}.get(name, ())
    address = "http://{}:{}".format(*silent.getsockname())
    context = {"name": "c", "context": {"cluster": "c", "user": "u"}}
    config = {
        "current-context": "c",
        "contexts": [context],
        "clusters": [{"name": "c", "cluster": {"server": address}}],
        "users": [{"name": "u", "user": {}}],
    }
    (tmp_path / "kubeconfig").write_text(json.dumps(config))
    line = [PLUGIN, name, *arguments, "--kubeconfig", str(tmp_path / "kubeconfig")]
    with subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            with silent.accept()[0]:
                process.send_signal(signal.SIGINT)
                out, err = process.communicate(timeout=50)
        finally:
            process.kill()
    assert (process.returncode, out, err) == (130, "", "")


def test_the_plugin_names_options_that_it_has() -> None:
    """What can't be found is said by the plugin's own option, and not by the daemon's."""
    line = [PLUGIN, "get", "policies", "--kubeconfig", "/none"]
    done = subprocess.run(line, capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.endswith("kubeconfig /none does not exist: name one by --kubeconfig or $KUBECONFIG\n")


def wait_until_read(pipe: IO[bytes]) -> None:
    """Wait until the process behind a pipe has taken what was written."""
    end = time.monotonic() + 120
    while struct.unpack("i", fcntl.ioctl(pipe, termios.FIONREAD, b"\0" * 4)) != (0,):
        assert time.monotonic() < end
        time.sleep(0.01)


def test_nothing_is_imported_before_ctrl_c_is_one_like_any_other() -> None:
    """What the program imports first is imported where Ctrl-C is caught."""
    line = "import sys; had = set(sys.modules); import nqosd.__main__; print(sorted(set(sys.modules) - had))"
    done = subprocess.run([sys.executable, "-c", line], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "['nqosd', 'nqosd.__main__']"


def test_ctrl_c_on_standard_input() -> None:
    """Ctrl-C while `compile` waits for more of its standard input ends it with 130 and without a word."""
    line = [sys.executable, "-m", "nqosd", "compile", "-"]
    with subprocess.Popen(line, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        try:
            assert process.stdin is not None
            process.stdin.write(b"---\n")
            process.stdin.flush()
            wait_until_read(process.stdin)
            process.send_signal(signal.SIGINT)
            process.wait(timeout=120)  # its standard input is open still
            out, err = process.communicate()
        finally:
            process.kill()
    assert (process.returncode, out, err) == (130, b"", b"")


def test_ctrl_c_of_a_command_that_waits_for_nothing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`check-config` reads one regular file of 1 MiB at most and asks nobody; Ctrl-C ends it as it does any command."""

    def interrupted(*_arguments: object, **_options: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(check_config, "load_config", interrupted)
    assert main(["check-config"]) == INTERRUPTED
    assert capsys.readouterr() == ("", "")
