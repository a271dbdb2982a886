"""One site: a Northbound database, a cluster, relays before both, and any number of daemons between them.

In: faults and changes, made by the test. Out: `settle`, which waits until the database holds what all current objects
mean by definition, and holds the daemon to it. The rules that it checks: our rows and sets equal the definition's, rows
of others are what they were, every policy's status says so, and once that holds nothing is written any more.
"""

import contextlib
import itertools
import json
import secrets
import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import attrs

from nqosd.compiler.desired import Desired
from nqosd.status.conditions import READY, TRUE
from tests.faults import contents, manifests
from tests.faults.cluster import Cluster
from tests.faults.contents import Contents, Database
from tests.faults.manifests import SWITCHES, Json
from tests.faults.relay import Relay
from tests.services.daemon import Nqosd, Options
from tests.services.ovsdb import OvsdbServer
from tests.services.process import ServiceError

DEADLINE = 30.0
TIMEOUT = 120.0
"""Seconds that a daemon may take to start: on a busy machine, Python alone needs many."""
QUIET = 0.3
PROMPT: dict[str, dict[str, object]] = {
    "northbound": {"detach_after": 0, "probe_interval": 1, "transaction_timeout": 3}
}
"""Options under which a test need not wait: rows that lost their pods go at once, a silent server is noticed in 2 s."""


def router_port(switch: str) -> list[str]:
    """Return the arguments of ovn-nbctl that give a switch the port to its router."""
    port = f"to-router-{switch}"
    return ["--may-exist", "lsp-add", switch, port, "--", "lsp-set-type", port, "router"]


FOREIGN = (
    ["lb-add", "foreign-lb", "10.96.0.1:80", "10.244.0.1:80"],
    ["acl-add", "n1", "to-lport", "1000", "ip4", "allow"],
    ["qos-add", "n1", "to-lport", "10050", "ip4.src == $foreign", "dscp=46"],
    ["qos-add", "blue_n2", "from-lport", "20000", "ip4", "rate=1000", "burst=100"],
    ["create", "Address_Set", "name=foreign", 'addresses="10.244.0.7"',
     "external_ids:k8s.ovn.org/owner-type=NetworkQoS"],
    ["create", "Address_Set", "name=other_instance", 'addresses="10.244.0.8"', "external_ids:nqosd.io/owner=another"],
    ["lsp-add", "n2", "foreign-port"],
    *map(router_port, SWITCHES),
)  # fmt: skip


@attrs.define
class Site:
    """What a test works with. `namespace` is the test's own."""

    cluster: Cluster
    database: Database
    nb: OvsdbServer
    api: Relay
    """Before the API server."""
    wire: Relay
    """Before the database."""
    directory: Path
    namespace: str
    zone: str = ""
    daemons: list[Nqosd] = attrs.field(factory=list)
    others: dict[tuple[str, str], str] = attrs.field(factory=dict)
    _numbers: Iterator[int] = attrs.field(factory=itertools.count)
    _stack: contextlib.ExitStack = attrs.field(factory=contextlib.ExitStack)

    @property
    def daemon(self) -> Nqosd:
        """The first daemon."""
        return self.daemons[0]

    def start_daemon(
        self,
        *,
        options: Options | None = None,
        remotes: Sequence[str] = (),
        kubeconfig: Path | None = None,
        kind: type[Nqosd] = Nqosd,
        until_ready: bool = True,
    ) -> Nqosd:
        """Start a daemon that reaches both servers through the relays, unless it is told another way."""
        name = f"nqosd-{len(self.daemons)}"
        if kubeconfig is None:
            kubeconfig = self.cluster.kubeconfig(self.directory / f"{name}.kubeconfig", port=self.api.port)
        remotes = list(remotes) or [self.wire.remote]
        daemon = kind(remotes, kubeconfig=kubeconfig, options=PROMPT, name=name, directory=self.directory)
        daemon.configure(options or {})
        daemon.awaits = "readyz" if until_ready else "healthz"
        daemon.seconds = TIMEOUT
        self._stack.enter_context(daemon)
        self.daemons.append(daemon)
        return daemon

    @contextlib.contextmanager
    def running_alone(self) -> Iterator[Nqosd]:
        """Run a daemon for a while, ready or not, from an empty database and with statuses that say nothing."""
        kubeconfig = self.cluster.kubeconfig(self.directory / "alone.kubeconfig")
        daemon = Nqosd([self.nb.unix], kubeconfig=kubeconfig, options=PROMPT, name="alone", directory=self.directory)
        daemon.awaits = "healthz"
        path = f"/apis/k8s.ovn.org/v1alpha1/namespaces/{self.namespace}/networkqoses"
        for each in json.loads(self.cluster.server.request("GET", path))["items"]:
            self.cluster.patch({"kind": "NetworkQoS", "metadata": each["metadata"]}, {"status": None}, "status")
        for switch in SWITCHES:
            self.nb.nbctl("clear", "Logical_Switch", switch, "qos_rules")
        with daemon:
            yield daemon

    def fill(self) -> None:
        """Put some pods and policies into the namespace."""
        self.cluster.create(manifests.network(self.namespace))
        for name, node, app in (("a", "n1", "web"), ("b", "n2", "web"), ("c", "n1", "db")):
            self.add_pod(name, node=node, app=app)
        self.cluster.create(manifests.policy(self.namespace, "first"))
        second = [manifests.rule(7, to=[{"ipBlock": {"cidr": "fd00::/8"}}]), manifests.rule(8, rate=5000)]
        self.cluster.create(manifests.policy(self.namespace, "second", priority=20, rules=second))

    def add_pod(self, name: str, *, node: str = "n1", app: str = "web") -> Json:
        """Create a pod with addresses that no other pod has."""
        pod = manifests.pod(self.namespace, name, next(self._numbers), node=node, labels={"app": app})
        self.cluster.create(pod)
        return pod

    def change(self) -> None:
        """Change something of everything: a pod goes, one comes, one is relabelled, a policy changes, one comes."""
        number = next(self._numbers)
        pods = json.loads(self.cluster.server.request("GET", f"/api/v1/namespaces/{self.namespace}/pods"))["items"]
        first, last = ({"kind": "Pod", "metadata": each["metadata"]} for each in (pods[0], pods[-1]))
        self.cluster.delete(first)
        self.add_pod(f"p{number}", node=manifests.NODES[number % 2], app="web" if number % 3 else "db")
        app = "db" if pods[-1]["metadata"]["labels"]["app"] == "web" else "web"
        self.cluster.patch(last, {"metadata": {"labels": {"app": app}}})
        first_policy = manifests.policy(self.namespace, "first")
        self.cluster.patch(first_policy, {"spec": {"priority": 10 + number % 80}})
        added = manifests.policy(
            self.namespace, f"extra{number}", priority=number % 100, rules=[manifests.rule(number % 64)]
        )
        self.cluster.create(added)

    def read(self) -> Contents:
        """Read the database."""
        return contents.read(self.database)

    def note_others(self) -> None:
        """Take what others have in the database now for what they must still have in the end."""
        self.others = dict(self.read().others)

    def conditions(self) -> set[str]:
        """Return the reasons in the conditions of this test's policies."""
        path = f"/apis/k8s.ovn.org/v1alpha1/namespaces/{self.namespace}/networkqoses"
        items = json.loads(self.cluster.server.request("GET", path))["items"]
        return {each["reason"] for item in items for each in item.get("status", {}).get("conditions", [])}

    def settle(self, deadline: float = DEADLINE) -> Contents:
        """Wait until all is as it should be, and stays so; fails with the differences."""
        end = time.monotonic() + deadline
        found, before, since = self.differences(), -1.0, time.monotonic()
        while True:
            if found and time.monotonic() > end:
                raise AssertionError("\n".join([f"still different after {deadline:g} s:", *found]))
            written = self.operations()
            if found or written != before:
                before, since = written, time.monotonic()
            elif time.monotonic() - since >= QUIET:
                return self._untouched()
            time.sleep(0.05)
            found = self.differences()

    def operations(self) -> float:
        """Return how many operations all running daemons have committed; -1 if one doesn't answer."""
        with contextlib.suppress(OSError):
            return sum(each.metric("nqosd_operations_total") for each in self.daemons if each.is_running)
        return -1.0

    def differences(self) -> list[str]:
        """Say what is not as it should be; a server that doesn't answer is a difference."""
        try:
            now = self.read()
            objects = self.cluster.objects()
        except (ServiceError, OSError) as error:
            return [f"can't be compared: {error}"]
        compiled = self.cluster.compiled(objects, zone=self.zone, northd=now.northd, around=now.around)
        should = contents.wanted(compiled.desired, "nqosd", now.switches, now.ports)
        found = [f"ours {line}" for line in should.differences(now.own)]
        found += [
            f"{key[0]} of others: {self.others.get(key)} became {now.others.get(key)}"
            for key in self.others.keys() | now.others.keys()
            if self.others.get(key) != now.others.get(key)
        ]
        ready = {f"{each.namespace}/{each.name}": each.ready for each in compiled.reports}
        for each in objects["NetworkQoS"]:
            found += self._status_differences(each, compiled.desired, ready, now.switches)
        return found

    def _status_differences(
        self, policy: Json, desired: Desired, ready: Mapping[str, bool], switches: Mapping[str, str]
    ) -> list[str]:
        metadata, status = policy["metadata"], policy.get("status", {})
        assert isinstance(metadata, dict)
        assert isinstance(status, dict)
        key = f"{metadata['namespace']}/{metadata['name']}"
        waits = any(row.policy == key and row.switch not in switches for row in desired.rows)
        should = (TRUE if ready[key] and not waits else "False", metadata["generation"])
        found = [
            (each["status"], each.get("observedGeneration"))
            for each in status.get("conditions", [])
            if each["type"] == READY
        ]
        if self.zone and found == [("Unknown", metadata["generation"])] and should[0] == TRUE:
            return []  # it has senders in another zone, whose daemon isn't there
        return [] if found == [should] else [f"status of {key}: {found} instead of {should}"]

    def _untouched(self) -> Contents:
        """Check that a converged daemon leaves everything alone; returns what is there."""
        before, written = self.read(), self.operations()
        time.sleep(QUIET)
        after = self.read()
        assert after.versions == before.versions, "something was written although nothing had to be"
        assert self.operations() == written
        return after


@contextlib.contextmanager
def open_site(
    cluster: Cluster, nb: OvsdbServer, *, database: Database | None = None, foreign: bool = True
) -> Iterator[Site]:
    """Make a site around a cluster and a running database; the namespace and its objects go at the end."""
    namespace = f"faults-{secrets.token_hex(3)}"
    directory = Path(tempfile.mkdtemp(prefix="nqosd-faults-"))
    with contextlib.ExitStack() as stack:
        stack.callback(shutil.rmtree, directory, ignore_errors=True)
        api, wire = stack.enter_context(Relay(cluster.server.port)), stack.enter_context(Relay(nb.socket))
        cluster.create_namespace(namespace)
        stack.callback(cluster.server.delete_namespace, namespace)
        stack.callback(cluster.forget_leases)
        site = Site(cluster, database or nb, nb, api, wire, directory, namespace)
        stack.enter_context(site._stack)
        add_switches(nb, foreign=foreign)
        site.note_others()
        yield site


def add_switches(nb: OvsdbServer, *, foreign: bool = True) -> None:
    """Make the switches of both networks, and rows of others among them."""
    commands = [*(["ls-add", switch] for switch in SWITCHES), *(FOREIGN if foreign else ())]
    nb.nbctl(*[argument for command in commands for argument in ("--", *command)][1:])
