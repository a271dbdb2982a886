"""A configuration file is read completely, or refused with every mistake named by file, line and key."""

import os
from pathlib import Path

import attrs
import pytest

from nqosd.config import (
    Config,
    ConfigError,
    DaemonSection,
    KubernetesSection,
    LogSection,
    NorthboundSection,
    load,
    parse,
)
from nqosd.config.options import SECTIONS

MISTAKEN = """[log]
level = "warn"
[northbound]
probe_interval = 0
lokc = "x"
[kubernets]
[daemon]
batch_window = '5'
"""


def complaints(text: str) -> list[str]:
    """Give what is said about a text, line by line."""
    with pytest.raises(ConfigError) as caught:
        parse(text)
    return str(caught.value).split("\n")


def test_an_empty_file_is_the_defaults() -> None:
    """Nothing needs to be set."""
    assert parse("") == Config()


def test_values_are_taken() -> None:
    """Given options replace the defaults, a whole number of seconds becomes a float, the rest stays."""
    config = parse(
        """
        daemon.zone = "node-1"
        [kubernetes]
        source = "manifests"
        manifests = ["/etc/nqosd/manifests"]
        page_size = 100
        [northbound]
        remotes = ["tcp:127.0.0.1:6641", "unix:/run/ovn/nb.sock"]
        detach_after = 5
        [log]
        level = "debug"
        """
    )
    assert config == Config(
        daemon=DaemonSection(zone="node-1"),
        kubernetes=KubernetesSection(source="manifests", manifests=("/etc/nqosd/manifests",), page_size=100),
        northbound=NorthboundSection(remotes=("tcp:127.0.0.1:6641", "unix:/run/ovn/nb.sock"), detach_after=5.0),
        log=LogSection(level="debug"),
    )
    assert type(config.northbound.detach_after) is float


def test_every_mistake_is_named_at_once() -> None:
    """One run tells all mistakes, in the order of the file, each with its line and key."""
    assert complaints(MISTAKEN) == [
        'nqosd.toml:2: log.level: "warn" is none of "debug", "info", "warning", "error"; did you mean warning?',
        "nqosd.toml:4: northbound.probe_interval: 0 is not between 1 and 3600 seconds",
        "nqosd.toml:5: northbound.lokc: there is no such option; did you mean lock?",
        f"nqosd.toml:6: kubernets: there is no such section; did you mean kubernetes?; there are {', '.join(SECTIONS)}",
        'nqosd.toml:8: daemon.batch_window: "5" is not a number; write it without quotes',
    ]


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ("daemon.instance = ''", 'daemon.instance: "" is not 1 to 63 letters'),
        ("daemon.instance = 'a b'", 'daemon.instance: "a b" is not 1 to 63 letters'),
        ("daemon.instance = 'a\"'", 'daemon.instance: "a\\"" is not 1 to 63 letters'),
        (f"daemon.instance = '{'a' * 64}'", "is not 1 to 63 letters"),
        ("daemon.zone = 'a b'", 'daemon.zone: "a b" is not a zone'),
        ("daemon.zone = 1", "daemon.zone: 1 is not a string; write it in quotes"),
        ("daemon.check_compile = 1", "daemon.check_compile: 1 is not true or false"),
        ("daemon.check_compile = 'true'", 'daemon.check_compile: "true" is not true or false'),
        ("daemon.batch_window = true", "daemon.batch_window: true is not a number"),
        ("daemon.batch_window = nan", "daemon.batch_window: NaN is not a number"),
        ("daemon.batch_window = inf", "daemon.batch_window: Infinity is not a number"),
        ("daemon.batch_window = 60.5", "daemon.batch_window: 60.5 is not between 0 and 60 seconds"),
        ("daemon.unselected_networks = 'none'", 'unselected_networks: "none" is none of "all", "default"'),
        ("kubernetes.page_size = 9", "kubernetes.page_size: 9 is not between 10 and 10000 objects"),
        ("kubernetes.page_size = 100.0", "kubernetes.page_size: 100.0 is not a whole number"),
        ("kubernetes.manifests = 'a'", 'kubernetes.manifests: "a" is not a list of strings; write it in [ ]'),
        ("kubernetes.manifests = ['a', 1]", 'kubernetes.manifests: ["a", 1] is not a list of strings'),
        ("kubernetes.manifests = ['']", 'kubernetes.manifests: [""] has an empty path'),
        ("kubernetes.manifests = ['a']", 'has no effect unless kubernetes.source is "manifests"'),
        ("kubernetes.source = 'manifests'", 'kubernetes.source: is "manifests", but kubernetes.manifests names no'),
        ("northbound.remotes = []", "northbound.remotes: [] is empty; name at least one database"),
        ("northbound.remotes = ['unix:nb.sock']", "'unix:nb.sock', which is not unix:/absolute/path"),
        ("northbound.remotes = ['tcp:1.2.3.4']", "has 'tcp:1.2.3.4', which is not"),
        ("northbound.remotes = ['tcp:fd00::1:6641']", "has 'tcp:fd00::1:6641', which is not"),
        ("northbound.remotes = ['tcp:a:0']", "has 'tcp:a:0', which is not"),
        ("northbound.remotes = ['ssl:a:6641']", "northbound.remotes: ssl:a:6641 needs northbound.ca_certificate"),
        ("northbound.private_key = 'a'", "private_key: has no effect without northbound.certificate; set both or none"),
        ("northbound.certificate = 'a'", "certificate: has no effect without northbound.private_key; set both or none"),
        ("northbound.lock = '1a'", 'northbound.lock: "1a" is not a lock name'),
        ("http.listen = '17476'", 'http.listen: "17476" is not an address to listen on; write host:port'),
        ("http.listen = '127.0.0.1:65536'", 'http.listen: "127.0.0.1:65536" is not an address'),
        ("http.listen = 'fd00::1:1'", 'http.listen: "fd00::1:1" is not an address'),
        ("http.certificate = 'a'", "http.certificate: has no effect without http.private_key; set both or none"),
        ("stats.listen = ''", 'stats.listen: "" is empty: a server without an address serves nothing'),
        ("stats.listen = '17477'", 'stats.listen: "17477" is not an address to listen on'),
        ("stats.interval = 0", "stats.interval: 0 is not between 0.2 and 3600 seconds"),
        ("stats.southbound = ['ssl:a:6642']", "stats.southbound: ssl:a:6642 needs northbound.private_key"),
        ("stats.endpoints = ['node:17477']", "has 'node:17477', which is not http://host:port or https://host:port"),
        ("stats.endpoints = ['http://node']", "has 'http://node', which is not http://host:port"),
        ("stats.endpoints = ['http://a:1/metrics']", "has 'http://a:1/metrics', which is not http://host:port"),
        ("daemon = 1", "nqosd.toml:1: daemon: is a section; write [daemon] and its options below"),
        ("log.probe_interval = 1", "there is no such option; did you mean northbound.probe_interval?"),
        ("http.nothing = 1", "http.nothing: there is no such option"),
        ("zone = 'a'", "nqosd.toml:1: zone: there is no such section"),
    ],
)
def test_a_bad_value_is_refused(option: str, message: str) -> None:
    """A value of the wrong type, out of bounds or at odds with another option is named with line and key."""
    said = complaints(option)
    assert any(message in each for each in said), said
    assert all(each.startswith("nqosd.toml:1: ") for each in said)


@pytest.mark.parametrize(
    "option",
    [
        "daemon.instance = 'a'",
        "daemon.instance = 'Site-1_b.c'",
        f"daemon.instance = '{'a' * 63}'",
        "daemon.zone = 'ip-10-0-0-1.eu-west-1.compute.internal'",
        "daemon.batch_window = 0",
        "daemon.batch_window = 60",
        "northbound.remotes = ['tcp:[fd00::1]:6641', 'tcp:db.example:6641']",
        "http.listen = ''",
        "http.listen = '[::]:17476'",
        "http.listen = 'localhost:0'",
        "northbound = { remotes = ['ssl:a:6641'], private_key = 'a', certificate = 'b', ca_certificate = 'c' }",
    ],
)
def test_a_good_value_is_taken(option: str) -> None:
    """Values at the bounds, names as clusters have them and every form of an address are accepted."""
    parse(option)


@pytest.mark.parametrize(
    ("listen", "address"),
    [
        ("127.0.0.1:17476", ("127.0.0.1", 17476)),
        ("[::1]:0", ("::1", 0)),
        ("localhost:80", ("localhost", 80)),
        ("", None),
    ],
)
def test_the_address_to_listen_on(listen: str, address: tuple[str, int] | None) -> None:
    """Host and port come apart as a socket takes them; without an address there is no server."""
    assert parse(f"http.listen = '{listen}'").http.address == address


def test_a_mistake_hides_its_own_consequences() -> None:
    """A section with a mistake isn't also blamed for what follows from it."""
    assert complaints("[kubernetes]\nsource = 'manifests'\nmanifests = 'a'") == [
        'nqosd.toml:3: kubernetes.manifests: "a" is not a list of strings; write it in [ ]'
    ]


@pytest.mark.parametrize(
    ("text", "line"),
    [("[daemon]\nzone = \n", 2), ("[daemon]\nzone = 'a'\nzone = 'b'\n", 3), ("a = 1\nb = [", 2), ('\n\na = "\n', 3)],
)
def test_what_is_not_toml_is_refused_with_its_line(text: str, line: int) -> None:
    """A syntax error names the line, also where the parser only says that the text has ended."""
    (said,) = complaints(text)
    assert said.startswith(f"nqosd.toml:{line}: is not TOML: ")


def test_a_file_is_named_by_its_path(tmp_path: Path) -> None:
    """Messages about a loaded file begin with the path under which it was opened."""
    path = tmp_path / "x.toml"
    path.write_text("a = 1\n")
    with pytest.raises(ConfigError, match="there is no such section") as caught:
        load(path)
    assert str(caught.value).startswith(f"{path}:1: a: ")


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    """A missing file, a folder, a FIFO, a huge file and one that isn't UTF-8 are mistakes, and none is waited for."""
    with pytest.raises(ConfigError, match=r"absent\.toml: cannot be read: No such file or directory"):
        load(tmp_path / "absent.toml")
    os.mkfifo(tmp_path / "fifo")
    for path in (tmp_path, tmp_path / "fifo", Path("/dev/zero")):
        with pytest.raises(ConfigError, match="cannot be read: is not a regular file; --config names a TOML file"):
            load(path)
    (tmp_path / "huge.toml").touch()
    os.truncate(tmp_path / "huge.toml", 1 << 30)
    with pytest.raises(ConfigError, match="cannot be read: is larger than 1048576 bytes"):
        load(tmp_path / "huge.toml")
    (tmp_path / "latin.toml").write_bytes(b"a = 1\nb = '\xe9'\n")
    with pytest.raises(ConfigError, match=r"latin\.toml:2: is not UTF-8 text, as TOML must be"):
        load(tmp_path / "latin.toml")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (f"a = {'[' * 100_000}", "nqosd.toml:2: is nested too deeply; no option needs more than a list"),
        ("a = " + "[\n" * 10_000, "is nested too deeply; no option needs more than a list"),
        (f"a = 1\nb = {'1' * 5000}", "nqosd.toml:3: is not TOML: Exceeds the limit (4300 digits)"),
        (
            f"northbound.detach_after = 0x{'f' * 5000}",
            "nqosd.toml:2: northbound.detach_after: the value is not between",
        ),
        (f"{'a.' * 10_000}b = 1", "nqosd.toml:2: has a key or a number of more than 20 parts; an option's has two"),
        (f"[{'a.' * 10_000}b]", "nqosd.toml:2: has a key or a number of more than 20 parts; an option's has two"),
        (f"daemon.zone = '{'a' * 5000}'", f'nqosd.toml:2: daemon.zone: "{"a" * 199}… is not a zone'),
        ('daemon.zone = "a\\u0000"', 'nqosd.toml:2: daemon.zone: "a\\u0000" has a character NUL, as no name can'),
        ('northbound.remotes = ["unix:/\\u0000"]', "nqosd.toml:2: northbound.remotes: "),
        ("".join(f"[{number}]\n" for number in range(1000)), "\nand 950 more"),
    ],
    ids=[
        "a line of lists",
        "lines of lists",
        "digits",
        "hex digits",
        "key",
        "table",
        "string",
        "NUL",
        "NULs",
        "sections",
    ],
)
def test_a_text_beyond_the_parser(text: str, said: str) -> None:
    """What Python's parser can't take, and whatever else is out of all proportion, is a mistake with its line."""
    with pytest.raises(ConfigError) as caught:
        parse(f"# a comment\n{text}")
    assert said in str(caught.value)
    assert len(str(caught.value)) < 20_000


def test_files_that_a_service_awaits(tmp_path: Path) -> None:
    """The files of the HTTP port may come later where a service awaits them; those of the database may not."""
    path = tmp_path / "nqosd.toml"
    path.write_text("[http]\nprivate_key = '/absent'\ncertificate = '/absent'\nbearer_token_file = '/absent'\n")
    assert load(path, awaits=True).http.certificate == "/absent"
    with pytest.raises(ConfigError, match="is not a file that exists"):
        load(path)
    path.write_text("[kubernetes]\nkubeconfig = '/absent'\n")
    with pytest.raises(ConfigError, match="is not a file that exists"):
        load(path, awaits=True)


def test_files_that_are_named_must_exist(tmp_path: Path) -> None:
    """A certificate that isn't there is a mistake at its line when the file is loaded."""
    path, key = tmp_path / "nqosd.toml", tmp_path / "key.pem"
    key.touch()
    path.write_text(f"[http]\nprivate_key = '{key}'\ncertificate = '{tmp_path}/absent.pem'\n")
    with pytest.raises(ConfigError) as caught:
        load(path)
    assert str(caught.value) == f'{path}:3: http.certificate: "{tmp_path}/absent.pem" is not a file that exists'
    (tmp_path / "absent.pem").touch()
    assert load(path).http.private_key == str(key)


def test_a_configuration_is_frozen() -> None:
    """Nobody changes an option behind the others' back."""
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        Config().daemon.zone = "other"  # type: ignore[misc]
