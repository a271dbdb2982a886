"""Set-ups that are broken in one thing each.

In: a place where all is well. Out: the place with something broken, for as long as the context lasts, and how the
command is started. Rule: what is broken is really so; nothing pretends.
"""

import contextlib
import json
import os
import shutil
import socket
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import attrs

from nqosd.informers.served_schema import PATH as SCHEMA
from nqosd.informers.served_schema import lost_fields
from tests.doctor.place import Place, Start
from tests.faults.test_daemon import LIBRARY
from tests.faults.test_rights import without
from tests.informers.test_served_schema import CRD, FROM
from tests.informers.test_served_schema import without as definition_without
from tests.services.daemon import Nqosd
from tests.services.kubernetes import DAEMON, ApiServer
from tests.services.ovsdb import LOGGING, OvsdbServer
from tests.services.process import ServiceError, free_port

AS_OTHERS = ("setpriv", "--bounding-set=-dac_override,-dac_read_search")
"""As root, for whom permissions of files hold, as in a confined service."""
STRANGER = 65533
GUIDE = Path("docs/examples/guide")
REVIEWS = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"


@attrs.frozen
class Broken:
    """What is broken in words, and which checks have a cross or warn then."""

    what: str
    crosses: tuple[str, ...]
    break_it: Callable[[Place], AbstractContextManager[Start]]


@contextlib.contextmanager
def misspelt(_place: Place) -> Iterator[Start]:
    """Misspell an option."""
    yield Start({"northbound": {"remote": "unix:/var/run/ovn/ovnnb_db.sock"}})


@contextlib.contextmanager
def no_socket(place: Place) -> Iterator[Start]:
    """Name a socket that isn't there."""
    yield Start({"northbound": {"remotes": [f"unix:{place.nb.directory}/nb.sock"]}})


@contextlib.contextmanager
def denied(place: Place) -> Iterator[Start]:
    """Give the socket to somebody else alone."""
    before = place.nb.socket.stat()
    os.chown(place.nb.socket, STRANGER, STRANGER)
    place.nb.socket.chmod(0o750)
    try:
        yield Start(before=AS_OTHERS)
    finally:
        os.chown(place.nb.socket, before.st_uid, before.st_gid)
        place.nb.socket.chmod(before.st_mode)


@contextlib.contextmanager
def stale(place: Place) -> Iterator[Start]:
    """Leave a socket behind on which nobody listens."""
    yield Start({"northbound": {"remotes": [f"unix:{_left_behind(place.nb.directory / 'nb.sock')}"]}})


@contextlib.contextmanager
def mounted(place: Place) -> Iterator[Start]:
    """Make a folder where the socket should be, as a mount of a socket that isn't there does."""
    folder = place.nb.directory / "nb"
    folder.mkdir()
    try:
        yield Start({"northbound": {"remotes": [f"unix:{folder}"]}})
    finally:
        folder.rmdir()


@contextlib.contextmanager
def frozen(place: Place) -> Iterator[Start]:
    """Freeze the database."""
    place.nb.pause()
    try:
        yield Start(seconds=5)
    finally:
        place.nb.resume()


@contextlib.contextmanager
def southbound(place: Place) -> Iterator[Start]:
    """Name the Southbound database in place of the Northbound one."""
    yield Start({"northbound": {"remotes": [place.sb.unix]}})


class OvsdbRelay(OvsdbServer):
    """A relay of a database."""

    def __init__(self, server: OvsdbServer) -> None:
        super().__init__(server.generation, name="relay", directory=server.directory)
        self._server = server

    def command(self) -> list[str]:
        """Return the command that relays the database, logging to standard error."""
        relayed = f"relay:{self.database}:{self._server.unix}"
        program = self.generation.program("ovsdb-server")
        return [program, relayed, f"--remote=punix:{self.socket}", f"--unixctl={self.control}", *LOGGING]

    def create_database(self) -> None:
        """Make none: a relay has none of its own."""

    def initialize(self) -> None:
        """Leave the global row to the database."""


@contextlib.contextmanager
def relay(place: Place) -> Iterator[Start]:
    """Name a relay."""
    with OvsdbRelay(place.nb) as server:
        yield Start({"northbound": {"remotes": [server.unix]}})


@contextlib.contextmanager
def strange_zone(place: Place) -> Iterator[Start]:
    """Give the database the name of a zone that no node has."""
    place.nb.nbctl("set", "NB_Global", ".", "name=ovn-worker7")
    try:
        yield Start()
    finally:
        place.name_zone()


@contextlib.contextmanager
def another_instance(place: Place) -> Iterator[Start]:
    """Let a daemon of another instance hold the lock."""
    for switch in ("ovn.stream_ovn-worker", "ovn.stream_ovn-worker2"):
        place.nb.nbctl("ls-add", switch)
    options = {"daemon": {"instance": "staging", "zone": "*"}}
    with Nqosd([place.nb.unix], manifests=[GUIDE.resolve()], options=options, name="staging") as other:
        other.wait_until(lambda: "staging" in place.nb.nbctl("list", "QoS"), what="done with the guide")
        yield Start()
    place.nb.restart(keep_database=False)
    place.name_zone()


@contextlib.contextmanager
def no_northd(place: Place) -> Iterator[Start]:
    """Take away what ovn-northd has written of itself."""
    place.nb.nbctl("clear", "NB_Global", ".", "options")
    try:
        yield Start()
    finally:
        place.name_zone()


@contextlib.contextmanager
def old_rows(place: Place) -> Iterator[Start]:
    """Leave a row of ovn-kubernetes' controller in the database."""
    row = ["create", "QoS", "priority=10010", "direction=to-lport", "match=ip4", "action:dscp=46"]
    mark = 'external_ids:"k8s.ovn.org/owner-type"=NetworkQoS'
    place.nb.nbctl(
        "ls-add", "n1", "--", "--id=@row", *row, mark, "--", "add", "Logical_Switch", "n1", "qos_rules", "@row"
    )
    try:
        yield Start()
    finally:
        place.nb.nbctl("ls-del", "n1")


@contextlib.contextmanager
def no_api_server(place: Place) -> Iterator[Start]:
    """Let the kubeconfig name a port at which nobody listens."""
    file = place.cluster.kubeconfig(place.folder / "kubeconfig", port=free_port())
    yield Start({"kubernetes": {"kubeconfig": str(file)}})


@contextlib.contextmanager
def strange_token(place: Place) -> Iterator[Start]:
    """Let the kubeconfig have a token that isn't the server's."""
    file = place.cluster.kubeconfig(place.folder / "kubeconfig", token="of-another-cluster")  # noqa: S106 - no secret
    yield Start({"kubernetes": {"kubeconfig": str(file)}})


@contextlib.contextmanager
def fewer_rights(place: Place) -> Iterator[Start]:
    """Take a right away."""
    server = place.cluster.server
    with without(place.cluster, "watch", "pods"):
        server.wait_until(lambda: not _may_watch_pods(server), what="aware of the role")
        yield Start()
    server.wait_until(lambda: _may_watch_pods(server), what="aware of the role")


@contextlib.contextmanager
def bad_manifest(place: Place) -> Iterator[Start]:
    """Take the objects from manifests, of which one is no YAML."""
    folder = place.folder / "manifests"
    folder.mkdir()
    (folder / "limit.yaml").write_text("kind: [NetworkQoS\n")
    try:
        yield Start({"kubernetes": {"source": "manifests", "manifests": [str(folder)]}, "daemon": {"zone": "*"}})
    finally:
        shutil.rmtree(folder)


@contextlib.contextmanager
def no_definition(place: Place) -> Iterator[Start]:
    """Take the CustomResourceDefinition away."""
    server = place.cluster.server
    server.kubectl("delete", "crd", "networkqoses.k8s.ovn.org")
    server.wait_until(lambda: not _serves_policies(server), what="done without the definition")
    try:
        yield Start()
    finally:
        _define(server, CRD.read_text())


@contextlib.contextmanager
def narrow_definition(place: Place) -> Iterator[Start]:
    """Put a definition in its place that lacks a field, as ovn-kubernetes' own does."""
    server = place.cluster.server
    try:
        _define(server, definition_without(FROM), FROM)
        yield Start()
    finally:
        _define(server, CRD.read_text())


@contextlib.contextmanager
def silent_zone(place: Place) -> Iterator[Start]:
    """Leave the report of a zone behind whose daemon has ended."""
    place.cluster.leave_report("n2", "2026-11-26T10:00:00.000000Z")
    try:
        yield Start()
    finally:
        place.cluster.forget_leases()


@contextlib.contextmanager
def wrong_clock(_place: Place) -> Iterator[Start]:
    """Put the clock ten minutes ahead."""
    fake = {"LD_PRELOAD": str(LIBRARY), "FAKETIME": "+10m", "FAKETIME_DONT_FAKE_MONOTONIC": "1"}
    yield Start(environment=fake)


@contextlib.contextmanager
def bridge_of_others(place: Place) -> Iterator[Start]:
    """Give the bridge's socket to somebody else alone."""
    left = _left_behind(place.folder / "br-int.mgmt")
    os.chown(left, STRANGER, STRANGER)
    left.chmod(0o750)
    try:
        yield Start(before=AS_OTHERS)
    finally:
        left.unlink()


@contextlib.contextmanager
def dead_bridge(place: Place) -> Iterator[Start]:
    """Leave the bridge's socket behind, without ovs-vswitchd."""
    socket_left = _left_behind(place.folder / "br-int.mgmt")
    try:
        yield Start()
    finally:
        socket_left.unlink()


BROKEN = (
    Broken("an option is misspelt", ("configuration",), misspelt),
    Broken("the socket isn't where the configuration says", ("socket",), no_socket),
    Broken("the socket is of another user and group", ("socket",), denied),
    Broken("the socket was left behind by a server that ended", ("socket",), stale),
    Broken("a mount of the socket has made a folder", ("socket",), mounted),
    Broken("ovsdb-server hangs", ("socket",), frozen),
    Broken("the Southbound database stands for the Northbound one", ("schema",), southbound),
    Broken("a relay stands for the database", ("role",), relay),
    Broken("another instance of nqosd holds the same lock", ("lock",), another_instance),
    Broken("ovn-northd has never run", ("ovn",), no_northd),
    Broken("the database is of a zone that no node has", ("zone",), strange_zone),
    Broken("ovn-kubernetes' controller has left rows", ("old-controller",), old_rows),
    Broken("the API server isn't there", ("api-server",), no_api_server),
    Broken("the token is of another cluster", ("api-server",), strange_token),
    Broken("a right is missing", ("rights",), fewer_rights),
    Broken("the CustomResourceDefinition isn't installed", ("crd",), no_definition),
    Broken("the CustomResourceDefinition is ovn-kubernetes' own", ("crd",), narrow_definition),
    Broken("a manifest is no YAML", ("manifests",), bad_manifest),
    Broken("the daemon of another zone has ended", ("zones",), silent_zone),
    Broken("the clock is ten minutes ahead", ("clock",), wrong_clock),
    Broken("the bridge's socket is of another user and group", ("bridge", "exporter"), bridge_of_others),
    Broken("ovs-vswitchd has ended", ("bridge", "exporter"), dead_bridge),
)


def _left_behind(path: Path) -> Path:
    path.unlink(missing_ok=True)
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(path))
    return path


def _define(server: ApiServer, crd: str, *lost: str) -> None:
    """Put a definition in place, and wait until the server shows its schema, which loses these fields."""

    def is_shown() -> bool:
        with contextlib.suppress(ServiceError):  # for a moment there is no such document
            return lost_fields(server.request("GET", SCHEMA)) == lost
        return False

    server.apply_crds(crd)
    server.wait_until(is_shown, what="showing that schema")


def _may_watch_pods(server: ApiServer) -> bool:
    attributes = {"verb": "watch", "group": "", "resource": "pods"}
    kind = {"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview"}
    answer = server.request("POST", REVIEWS, {**kind, "spec": {"resourceAttributes": attributes}}, user=DAEMON)
    return bool(json.loads(answer)["status"]["allowed"])


def _serves_policies(server: ApiServer) -> bool:
    with contextlib.suppress(ServiceError):
        known = json.loads(server.request("GET", "/apis/k8s.ovn.org/v1alpha1"))["resources"]
        return any(each["name"] == "networkqoses" for each in known)
    return False
