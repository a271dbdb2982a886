"""Every option of the daemon: its name, default, bounds and meaning.

A section of the file is a class here, an option is a field, and what follows a field is its documentation, which
`config/nqosd.toml` repeats for operators. Rule: the defaults alone, `Config()`, are a working configuration for a
daemon beside its Northbound database. Durations are in seconds.

An option marked `reloadable` changes at SIGHUP; any other one needs a restart, because it decides with whom the
daemon speaks or under which name, and both are settled when it starts.
"""

from typing import Literal, TypeVar

import attrs

from nqosd.config import checks
from nqosd.config.checks import Between, Check

T = TypeVar("T")

CHECK = "check"
RELOADABLE = "reloadable"
FILE = "file"
AUTO = ("auto",)
"""Of a list of databases: look for their sockets at the usual places."""
NEEDED, AWAITED = "needed", "awaited"
"""What an option that names a file says of it: it must be there when the daemon starts, or the daemon goes on without
it and takes it up when it comes."""


def _option(default: T, check: Check[T] | None = None, *, reloadable: bool = False, file: str | None = None) -> T:
    """Declare an option; `file` (NEEDED, AWAITED) says that it names one."""
    field: T = attrs.field(default=default, metadata={CHECK: check, RELOADABLE: reloadable, FILE: file})
    return field


@attrs.frozen
class DaemonSection:
    """`[daemon]`: what this instance is, and how it takes changes together."""

    instance: str = _option("nqosd", checks.owner)
    """The owner id written into `external_ids:nqosd.io/owner` of every row: rows of another id are never touched.

    All daemons that stand in for each other have the same id. A changed id leaves the old rows to nobody.
    """
    zone: str = _option("", checks.zone)
    """The zone whose pods are sources here; empty takes NB_Global.name, `*` is the whole cluster."""
    unselected_networks: Literal["all", "default"] = _option("all", reloadable=True)
    """The networks of a policy without networkSelectors: all that a pod is attached to, or the default network only."""
    batch_window: float = _option(0.0, Between(0, 60, "seconds"), reloadable=True)
    """How long a round waits, in seconds, for more changes to join the first one; 0 starts it at once.

    Changes that come while a transaction is in flight wait for the next round in any case.
    """
    check_compile: bool = _option(default=False, reloadable=True)
    """For debugging: after each round compare the incremental result with a full compilation, and log differences."""


@attrs.frozen
class KubernetesSection:
    """`[kubernetes]`: where the objects come from."""

    source: Literal["cluster", "manifests"] = _option("cluster")
    """An API server, or files and folders of YAML or JSON manifests that are watched for changes."""
    kubeconfig: str = _option("", file=NEEDED)
    """A kubeconfig file. Empty: $KUBECONFIG, else ~/.kube/config if it exists, else the service account of the pod."""
    context: str = _option("")
    """The context of the kubeconfig; empty takes its current-context."""
    manifests: tuple[str, ...] = _option((), checks.paths)
    """Files and folders to read when `source` is "manifests"."""
    pods: Literal["auto", "all"] = _option("all")
    """The pods to watch: all of the cluster, or ("auto") where the database is a zone's those that its rows depend on.

    These are the pods of the zone's nodes, and those that policies with senders among them select as peers. Where that
    takes more than 30 watches, all pods are watched.
    """
    page_size: int = _option(500, Between(10, 10_000, "objects"))
    """How many objects one page of a LIST holds, where the server can't stream the list."""
    crd_retry: float = _option(30.0, Between(1, 3600, "seconds"))
    """Seconds between two looks for a resource whose CustomResourceDefinition isn't installed, and at whether that of
    NetworkQoS has all fields. One that was there and has gone is looked for every 5 s in the first two minutes."""
    watch_time: float = _option(5.0, Between(2, 60, "seconds"))
    """How long the API server is asked to keep a watch; 3 s later, a server or line that hangs is noticed.

    The end of each watch in its time shows that changes are heard. With a daemon on every node of a large cluster, a
    longer time spares the API server requests: seven kinds and a count in 5 seconds are 1.9 a second from each daemon.
    """
    list_interval: float = _option(1800.0, Between(60, 86_400, "seconds"))
    """How often all objects are listed although nothing is known to have been missed; up to a fifth more."""


@attrs.frozen
class NorthboundSection:
    """`[northbound]`: the OVN Northbound database."""

    remotes: tuple[str, ...] = _option(AUTO, checks.remotes)
    """The database, or the members of its cluster: `unix:PATH`, `tcp:HOST:PORT`, `ssl:HOST:PORT`.

    "auto" is the first of /var/run/ovn, /run/ovn, /var/run/openvswitch and /var/run/ovn-ic in which its socket answers.
    """
    private_key: str = _option("", file=NEEDED)
    """The private key (PEM file) for `ssl:` remotes."""
    certificate: str = _option("", file=NEEDED)
    """The certificate (PEM file) for `ssl:` remotes."""
    ca_certificate: str = _option("", file=NEEDED)
    """The certificate (PEM file) of the authority that must have signed the database's."""
    lock: str = _option("nqosd", checks.lock)
    """The OVSDB lock whose holder writes; daemons that stand in for each other name the same one."""
    yield_after: float = _option(10.0, Between(1, 3600, "seconds"), reloadable=True)
    """Seconds out of touch with the API server after which the lock is given up to a daemon that waits for it.

    Where none waits, this one has it back at once; it asks again after twice as long each time, up to 20 s.
    """
    probe_interval: float = _option(4.0, Between(1, 3600, "seconds"))
    """Seconds of silence after which the connection is probed; after as many again it is given up.

    So a database that hangs makes the daemon not ready within twice as long, on unix sockets too.
    """
    transaction_timeout: float = _option(30.0, Between(1, 3600, "seconds"), reloadable=True)
    """Seconds after which a transaction without an answer is given up; the next round looks at everything again."""
    detach_after: float = _option(300.0, Between(0, 86_400, "seconds"), reloadable=True)
    """Seconds until a row without source pods is detached from its switch, if no structural change comes before."""
    audit_interval: float = _option(600.0, Between(1, 86_400, "seconds"), reloadable=True)
    """Seconds between two comparisons of the whole database with what should be there, members of sets included."""


@attrs.frozen
class StatusSection:
    """`[status]`: what is written back to Kubernetes; without effect when `kubernetes.source` is "manifests"."""

    enabled: bool = _option(default=True, reloadable=True)
    """Report for this zone, and write the status of each NetworkQoS if this zone is the one that sums up."""
    events: bool = _option(default=True, reloadable=True)
    """Write an Event when a policy's condition changes; it needs `enabled`, since the condition is what changes."""
    namespace: str = _option("", checks.namespace)
    """The namespace of the Leases in which zones report; all daemons of a cluster need the same one.

    Empty: the pod's own, or `kube-system` for a daemon that runs in none.
    """


@attrs.frozen
class Limits:
    """`[limits]`: what a policy may take. One that is beyond isn't applied: its condition is TooLarge, and says why.

    The defaults are far beyond what anybody needs. Nobody else waits for a policy that is beyond them.
    """

    policies: int = _option(1000, Between(1, 100_000, "policies"), reloadable=True)
    """NetworkQoS objects of a namespace; where there are more, the oldest are applied."""
    definitions: int = _option(5000, Between(1, 100_000, "definitions"), reloadable=True)
    """Definitions of networks in a namespace; of more those that ovn-kubernetes accepted and the oldest count."""
    prefixes: int = _option(100_000, Between(1, 1_000_000, "prefixes"), reloadable=True)
    """Prefixes of a rule, its blocks joined and their exceptions taken out; each is a flow on every chassis."""
    namespace_prefixes: int = _option(200_000, Between(1, 10_000_000, "prefixes"), reloadable=True)
    """Prefixes of all rules of a namespace together; the oldest policies have theirs first."""
    ports: int = _option(100, Between(1, 65_535, "ports"), reloadable=True)
    """Ports of a rule; neighbours that are joined to a range count as one. They stand in each row's match."""
    selectors: int = _option(100, Between(1, 10_000, "selectors"), reloadable=True)
    """Entries of a rule that select pods; equal ones count as one, and ten requirements of a selector as one more.

    Of networkSelectors and the requirements in them, each beyond ten is one.
    """
    namespace_selectors: int = _option(1_000, Between(1, 1_000_000, "selectors"), reloadable=True)
    """Entries that select pods, of all rules of a namespace together; each pod that comes is compared with them."""
    members: int = _option(100_000, Between(1, 100_000_000, "members"), reloadable=True)
    """Addresses of the pods that the selectors of a policy with senders choose, again for each selector.

    Those of the podSelector, too, as far as they are on switches of this database.
    """
    namespace_members: int = _option(200_000, Between(1, 1_000_000_000, "members"), reloadable=True)
    """Such addresses of all policies of a namespace, those of equal podSelectors once; the oldest have theirs first."""
    rows: int = _option(5_000, Between(1, 1_000_000, "rows"), reloadable=True)
    """Rows of a policy: on each switch with senders one for each rule and family, or for each pod that has limits."""
    namespace_rows: int = _option(10_000, Between(1, 10_000_000, "rows"), reloadable=True)
    """Rows of all policies of a namespace together; the oldest policies have theirs first."""


@attrs.frozen
class HttpSection:
    """`[http]`: the status page, /state, /metrics, /healthz and /readyz on one port."""

    listen: str = _option("127.0.0.1:17476", checks.listen)
    """The address, `HOST:PORT`; port 0 takes a free one, empty turns the server off.

    "[::]:PORT" listens on every address of both families.
    """
    certificate: str = _option("", file=AWAITED)
    """A certificate chain (PEM file): with it, and `private_key`, the server speaks TLS only."""
    private_key: str = _option("", file=AWAITED)
    """The private key (PEM file) of `certificate`."""
    bearer_token_file: str = _option("", file=AWAITED)
    """A file with a token that all but the probes then ask for (`Authorization: Bearer …`); read anew for each request.

    A browser may give it as the password of any user. Without one, /metrics is for everybody who reaches the port, and
    the status page and /state for this machine alone.
    """

    @property
    def address(self) -> tuple[str, int] | None:
        """`listen` taken apart, an IPv6 address without its brackets; None if the server is off."""
        return checks.host_and_port(self.listen)


@attrs.frozen
class StatsSection:
    """`[stats]`: what the rules did: counted by `nqosd stats`, shown by `nqosd top` and the status page."""

    listen: str = _option("127.0.0.1:17477", checks.listening)
    """The address on which `nqosd stats` serves /metrics and the probes; certificate and token are those of [http]."""
    southbound: tuple[str, ...] = _option(AUTO, checks.remotes)
    """The OVN Southbound database, or the members of its cluster; "auto", and TLS files, as in [northbound]."""
    openflow: str = _option("/run/openvswitch/br-int.mgmt")
    """The socket over which ovs-vswitchd lets br-int be managed."""
    controller: str = _option("")
    """The folder with ovn-controller's control socket, ovn-controller.PID.ctl; empty looks at the usual places."""
    node: str = _option("")
    """The label `node` of every series; empty takes the machine's name."""
    interval: float = _option(5.0, Between(0.2, 3600, "seconds"))
    """Seconds between two readings; what flows count between their last reading and their end is lost."""
    endpoints: tuple[str, ...] = _option((), checks.urls)
    """Where `nqosd stats` runs: the addresses that `nqosd top` and the status page read."""
    ca_certificate: str = _option("", file=NEEDED)
    """The certificate (PEM file) of the authority that signed those of `https:` endpoints; empty takes the system's."""

    @property
    def address(self) -> tuple[str, int]:
        """`listen` taken apart, an IPv6 address without its brackets."""
        address = checks.host_and_port(self.listen)
        if address is None:
            raise ValueError(f"stats.listen: {self.listen}")
        return address


@attrs.frozen
class LogSection:
    """`[log]`: structured logs on standard error."""

    level: Literal["debug", "info", "warning", "error"] = _option("info", reloadable=True)
    """The lowest level that is written."""
    format: Literal["auto", "json", "console"] = _option("auto", reloadable=True)
    """One JSON object a line, or text for people; "auto" is text on a terminal and JSON elsewhere."""


@attrs.frozen
class Config:
    """The whole configuration, a field for each section."""

    daemon: DaemonSection = DaemonSection()
    kubernetes: KubernetesSection = KubernetesSection()
    northbound: NorthboundSection = NorthboundSection()
    status: StatusSection = StatusSection()
    limits: Limits = Limits()
    http: HttpSection = HttpSection()
    stats: StatsSection = StatsSection()
    log: LogSection = LogSection()


SECTIONS: dict[str, type[attrs.AttrsInstance]] = {
    "daemon": DaemonSection,
    "kubernetes": KubernetesSection,
    "northbound": NorthboundSection,
    "status": StatusSection,
    "limits": Limits,
    "http": HttpSection,
    "stats": StatsSection,
    "log": LogSection,
}
"""The class of each section by its name in the file."""
