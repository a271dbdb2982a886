"""What happens when a real API server, or the way to it, fails: in the end the objects are the server's, nothing else.

All tests of this file share a server of their own, which they stop, kill and freeze.
"""

import asyncio
import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from nqosd.api.changes import ResourceKind
from nqosd.informers.reflector_steps import ReflectorOptions
from nqosd.informers.transitions import RequestOutcome
from nqosd.kube.credentials import KubeOptions
from tests.informers.fake_silent_proxy import FakeSilentProxy
from tests.informers.informing import change_pod, create_pod, delete_pod, informing, through
from tests.services.backup import Backup
from tests.services.etcd import Etcd
from tests.services.kubernetes import DAEMON, ApiServer

POD = ResourceKind.POD
QUICK = ReflectorOptions(watch_time=1.0, absence=0.2)
IMPATIENT = ReflectorOptions(watch_time=1.0, grace=1.0)

ROLE = """
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: informer}
rules: [{apiGroups: [""], resources: [pods], verbs: [list, watch]}]
"""
BINDING = """
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: informer}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: informer}
subjects:
- {apiGroup: rbac.authorization.k8s.io, kind: User, name: nqosd}
- {kind: ServiceAccount, name: daemon, namespace: default}
"""
NETWORKS = """
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: clusteruserdefinednetworks.k8s.ovn.org}
spec:
  group: k8s.ovn.org
  scope: Cluster
  names: {plural: clusteruserdefinednetworks, singular: clusteruserdefinednetwork, kind: ClusterUserDefinedNetwork}
  versions:
    - name: v1
      served: true
      storage: true
      schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}
"""
NETWORK = """
apiVersion: k8s.ovn.org/v1
kind: ClusterUserDefinedNetwork
metadata: {name: blue}
"""


@pytest.fixture(scope="module")
def etcd() -> Iterator[Etcd]:
    """Give an etcd for the tests of this file."""
    with Etcd() as etcd:
        yield etcd


@pytest.fixture(scope="module")
def server(etcd: Etcd) -> Iterator[ApiServer]:
    """Give an API server that may be harmed."""
    with ApiServer(etcd) as server:
        yield server


@pytest.fixture
def home(server: ApiServer) -> str:
    """Give a new namespace on it."""
    name = f"test-{secrets.token_hex(4)}"
    server.kubectl("create", "namespace", name)
    return name


@pytest.mark.parametrize("how", ["stop", "kill"])
async def test_the_api_server_goes_and_comes_back(server: ApiServer, home: str, how: str) -> None:
    """While it is away nothing is told; afterwards only the difference, without a second "synced"."""
    create_pod(server, home, "stays")
    async with informing(server, POD) as informed:
        await informed.listener.until_synced(POD)
        await asyncio.to_thread(getattr(server, how))
        await informed.listener.until(lambda: (POD, RequestOutcome.UNREACHABLE) in informed.counter.restarts, "cut off")
        assert informed.keys(POD, home) == {"stays"}
        await asyncio.to_thread(server.start)
        create_pod(server, home, "new")
        await informed.listener.until(lambda: informed.keys(POD, home) == {"stays", "new"}, "caught up")
        assert [(it.key, it.old) for it in informed.changes(POD, home)] == [
            (f"{home}/stays", None),
            (f"{home}/new", None),
        ]


async def test_a_version_that_is_gone_leads_to_a_list(server: ApiServer, home: str) -> None:
    """Changes and deletions behind our back, and a restart that makes our version too old: exact differences follow."""
    for name in ("stays", "changes", "goes"):
        create_pod(server, home, name)
    async with FakeSilentProxy(server.port) as proxy, informing(through(server, proxy.url), POD) as informed:
        await informed.listener.until_synced(POD)
        before = len(informed.listener.changes)
        proxy.refusing = True
        proxy.cut()
        change_pod(server, home, "changes", labels={"app": "other"})
        delete_pod(server, home, "goes")
        create_pod(server, home, "comes")
        await asyncio.to_thread(server.restart)
        proxy.refusing = False
        await informed.listener.until(lambda: informed.keys(POD, home) == {"stays", "changes", "comes"}, "caught up")
        assert {it.key for it in informed.listener.changes[before:]} == {
            f"{home}/{it}" for it in ("changes", "goes", "comes")
        }
        assert len(informed.listener.changes) == before + 3


async def test_a_connection_that_hangs_is_given_up(server: ApiServer, home: str) -> None:
    """Nothing is closed, nothing arrives: the watch is made anew, and what happened meanwhile is told."""
    async with (
        FakeSilentProxy(server.port) as proxy,
        informing(through(server, proxy.url), POD, options=IMPATIENT) as informed,
    ):
        await informed.listener.until_synced(POD)
        proxy.fall_silent()
        create_pod(server, home, "missed")
        given_up = {(POD, RequestOutcome.SILENT), (POD, RequestOutcome.UNREACHABLE)}
        await informed.listener.until(lambda: not given_up.isdisjoint(informed.counter.restarts), "given up")
        proxy.speak_again()
        await informed.listener.until(lambda: informed.keys(POD, home) == {"missed"}, "caught up")


async def test_who_hears_nothing_says_so_of_each_kind(server: ApiServer) -> None:
    """A line that swallows everything puts every kind out of touch, with a reason, until each was listed again."""
    kinds = (POD, ResourceKind.NODE, ResourceKind.NAMESPACE)
    async with (
        FakeSilentProxy(server.port) as proxy,
        informing(through(server, proxy.url), *kinds, options=IMPATIENT) as informed,
    ):
        await informed.listener.until_synced(*kinds)
        await informed.listener.until(lambda: not informed.out_of_touch, "in touch")
        proxy.fall_silent()
        await informed.listener.until(lambda: set(informed.out_of_touch) == set(kinds), "out of touch")
        given_up = {RequestOutcome.SILENT, RequestOutcome.UNREACHABLE}
        await informed.listener.until(
            lambda: {kind for kind, outcome in informed.counter.restarts if outcome in given_up} == set(kinds),
            "given up",
        )
        lists = len(informed.counter.lists)
        proxy.speak_again()
        await informed.listener.until(lambda: not informed.out_of_touch, "in touch again")
        assert {kind for kind, _ in informed.counter.lists[lists:]} == set(kinds)
    await asyncio.sleep(0.1)  # the connections that hung, cut by the end of the proxy, are closed here too


async def test_a_server_that_freezes_is_waited_for(server: ApiServer, home: str) -> None:
    """A process that is stopped keeps its connections; when it goes on, so does the watch."""
    create_pod(server, home, "stays")
    patient = replace(through(server, server.url), connect_timeout=0.5, answer_timeout=0.5)
    async with informing(patient, POD, options=IMPATIENT) as informed:
        await informed.listener.until_synced(POD)
        server.pause()
        try:
            await informed.listener.until(
                lambda: (POD, RequestOutcome.UNREACHABLE) in informed.counter.restarts, "given up"
            )
        finally:
            server.resume()
        create_pod(server, home, "new")
        await informed.listener.until(lambda: informed.keys(POD, home) == {"stays", "new"}, "caught up")
        assert [it.old for it in informed.changes(POD, home)] == [None, None]


async def test_a_watch_is_cut_in_the_middle_of_an_event(server: ApiServer, home: str) -> None:
    """Half an event is no event: it comes again, whole, on the next watch, and is told once."""
    async with FakeSilentProxy(server.port) as proxy, informing(through(server, proxy.url), POD) as informed:
        await informed.listener.until_synced(POD)
        proxy.cut_after = 100_000
        create_pod(server, home, "long", {"filler": "x" * 200_000})
        await informed.listener.until(lambda: informed.keys(POD, home) == {"long"}, "told")
        assert (POD, RequestOutcome.BROKEN) in informed.counter.restarts
        assert len(informed.changes(POD, home)) == 1
        assert informed.counter.skipped[POD] == 0


async def test_a_list_is_cut_in_the_middle(server: ApiServer, home: str) -> None:
    """A streamed list that breaks is begun anew by pages; every object is told once, and "synced" after all."""
    names = {f"pod-{number}" for number in range(20)}
    for name in names:
        create_pod(server, home, name, {"filler": "x" * 20_000})
    async with FakeSilentProxy(server.port) as proxy:
        proxy.cut_after = 150_000
        async with informing(through(server, proxy.url), POD, options=ReflectorOptions(page_size=3)) as informed:
            await informed.listener.until_synced(POD)
            assert informed.keys(POD, home) == names
            assert (POD, RequestOutcome.BROKEN) in informed.counter.restarts
            assert len(informed.changes(POD, home)) == len(names)
            create_pod(server, home, "new")
            await informed.listener.until(lambda: informed.keys(POD, home) == {*names, "new"}, "watched on")
    for name in names:
        delete_pod(server, home, name)


async def test_rights_are_withdrawn_and_given_back(server: ApiServer, home: str) -> None:
    """Forbidden deletes nothing; when the right is back, what happened meanwhile is told."""
    server.apply(ROLE)
    server.apply(BINDING)
    create_pod(server, home, "goes")
    async with informing(KubeOptions(kubeconfig=str(server.kubeconfig(DAEMON))), POD, options=QUICK) as informed:
        await informed.listener.until_synced(POD)
        server.kubectl("delete", "clusterrolebinding", "informer")
        await informed.listener.until(lambda: (POD, RequestOutcome.REFUSED) in informed.counter.restarts, "forbidden")
        delete_pod(server, home, "goes")
        create_pod(server, home, "comes")
        assert informed.keys(POD, home) == {"goes"}
        server.apply(BINDING)
        await informed.listener.until(lambda: informed.keys(POD, home) == {"comes"}, "caught up")


async def test_rights_that_are_missing_at_the_start_are_waited_for(server: ApiServer, home: str) -> None:
    """Without the right to list there is no "synced"."""
    server.apply(ROLE)
    server.kubectl("delete", "clusterrolebinding", "informer", "--ignore-not-found")
    create_pod(server, home, "one")
    async with informing(KubeOptions(kubeconfig=str(server.kubeconfig(DAEMON))), POD) as informed:
        await informed.listener.until(lambda: (POD, RequestOutcome.REFUSED) in informed.counter.restarts, "forbidden")
        assert informed.listener.synced_kinds == []
        server.apply(BINDING)
        await informed.listener.until_synced(POD)
        assert informed.keys(POD, home) == {"one"}


async def test_a_token_is_withdrawn_and_replaced(server: ApiServer, home: str, tmp_path: Path) -> None:
    """Unauthorized deletes nothing; a new token in the same file is taken up."""
    server.apply(ROLE)
    server.apply(BINDING)
    server.kubectl("create", "serviceaccount", "daemon")
    token = tmp_path / "token"
    token.write_text(server.kubectl("create", "token", "daemon"))
    create_pod(server, home, "goes")
    options = KubeOptions(server=server.url, ca_file=str(server.ca_file), token_file=str(token))
    async with informing(options, POD, options=QUICK) as informed:
        await informed.listener.until_synced(POD)
        server.kubectl("delete", "serviceaccount", "daemon")  # the server remembers a good token for ten seconds
        await informed.listener.until(
            lambda: (POD, RequestOutcome.REFUSED) in informed.counter.restarts, "unauthorized"
        )
        delete_pod(server, home, "goes")
        create_pod(server, home, "comes")
        assert informed.keys(POD, home) == {"goes"}
        server.kubectl("create", "serviceaccount", "daemon")
        token.write_text(server.kubectl("create", "token", "daemon"))
        await informed.listener.until(lambda: informed.keys(POD, home) == {"comes"}, "caught up")
    server.kubectl("delete", "serviceaccount", "daemon")


async def test_a_definition_is_installed_later_and_removed_again(server: ApiServer) -> None:
    """Its absence is synced; its objects are told when they come, and deleted with it."""
    kind = ResourceKind.CLUSTER_USER_DEFINED_NETWORK
    table = {"blue"}
    async with informing(server, kind, options=QUICK) as informed:
        await informed.listener.until_synced(kind)
        for _ in range(2):
            await asyncio.to_thread(server.apply_crds, NETWORKS)
            server.apply(NETWORK)
            await informed.listener.until(lambda: set(informed.listener.tables[kind]) == table, "told")
            await asyncio.to_thread(server.kubectl, "delete", "crd", "clusteruserdefinednetworks.k8s.ovn.org")
            await informed.listener.until(lambda: informed.listener.tables[kind] == {}, "deleted")
            await informed.listener.until(lambda: informed.counter.installations[-1] == (kind, False), "missing")
    assert informed.counter.installations == [(kind, False), (kind, True)] * 2 + [(kind, False)]


async def test_a_server_that_is_no_api_server_deletes_nothing(server: ApiServer, tmp_path: Path) -> None:
    """A load balancer's 404 is not the absence of a definition."""
    kind = ResourceKind.CLUSTER_USER_DEFINED_NETWORK
    token = tmp_path / "token"
    token.write_text(server.tokens["admin"])
    options = KubeOptions(server=f"{server.url}/no/such/backend", ca_file=str(server.ca_file), token_file=str(token))
    async with informing(options, kind) as informed:
        await informed.listener.until(lambda: (kind, RequestOutcome.REFUSED) in informed.counter.restarts, "refused")
        assert informed.listener.synced_kinds == []


async def test_a_server_that_can_not_stream_lists_is_asked_for_pages(etcd: Etcd, server: ApiServer, home: str) -> None:
    """Without WatchList, a list comes in pages and is watched on."""
    names = {f"pod-{number}" for number in range(7)}
    for name in names:
        create_pod(server, home, name)
    with ApiServer(etcd, feature_gates={"WatchList": False}) as old:
        async with informing(old, POD, options=ReflectorOptions(page_size=2)) as informed:
            await informed.listener.until_synced(POD)
            assert (POD, RequestOutcome.UNSUPPORTED) in informed.counter.restarts
            assert informed.keys(POD, home) == names
            delete_pod(old, home, "pod-3")
            await informed.listener.until(lambda: informed.keys(POD, home) == names - {"pod-3"}, "watched on")


async def test_a_page_token_that_expires_begins_the_list_anew(etcd: Etcd, home: str) -> None:
    """A compaction between two pages costs a second try, no object."""
    flags = ["--watch-cache=false"]
    with ApiServer(etcd, feature_gates={"WatchList": False}, flags=flags) as old:
        names = {f"pod-{number}" for number in range(9)}
        for name in names:
            create_pod(old, home, name)
        compacting = asyncio.create_task(_compact_often(etcd, old, home))
        try:
            async with informing(old, POD, options=ReflectorOptions(page_size=1)) as informed:
                await informed.listener.until_synced(POD)
                assert informed.keys(POD, home) >= names
                assert (POD, RequestOutcome.EXPIRED) in informed.counter.restarts
        finally:
            compacting.cancel()


async def _compact_often(etcd: Etcd, server: ApiServer, home: str) -> None:
    while True:
        await asyncio.to_thread(change_pod, server, home, "pod-0", labels={"at": secrets.token_hex(4)})
        await asyncio.to_thread(etcd.compact)


@pytest.mark.parametrize("grows", [False, True])
async def test_an_etcd_that_was_restored_from_a_backup_is_noticed(
    etcd: Etcd,
    server: ApiServer,
    home: str,
    grows: bool,  # noqa: FBT001 - pytest names it
) -> None:
    """What was lost is deleted, whether or not the versions have grown past the old ones before we are back."""
    create_pod(server, home, "kept")
    backup = Backup(etcd, server)
    await asyncio.to_thread(backup.take)
    async with FakeSilentProxy(server.port) as proxy, informing(through(server, proxy.url), POD) as informed:
        await informed.listener.until_synced(POD)
        for number in range(20):
            create_pod(server, home, f"lost-{number}")
        await informed.listener.until(lambda: "lost-19" in informed.keys(POD, home), "told")
        seen = backup.newest_version()
        proxy.refusing = True
        proxy.cut()
        await asyncio.to_thread(backup.restore)
        if grows:
            await asyncio.to_thread(backup.grow_past, seen)
        proxy.refusing = False
        await informed.listener.until(lambda: informed.keys(POD, home) == {"kept"}, "listed again")
    delete_pod(server, home, "kept")


async def test_a_watch_that_is_cut_again_and_again_goes_on(server: ApiServer, home: str) -> None:
    """A line that works for a second between two cuts loses nothing, and delays a change by seconds at most."""
    async with FakeSilentProxy(server.port) as proxy, informing(through(server, proxy.url), POD) as informed:
        await informed.listener.until_synced(POD)
        for number in range(8):
            proxy.refusing = True
            proxy.cut()
            create_pod(server, home, f"pod-{number}")
            await asyncio.sleep(0.3)
            proxy.refusing = False
            await asyncio.sleep(1.2)
        await informed.listener.until(lambda: len(informed.keys(POD, home)) == 8, "caught up")
        cuts = [outcome for _kind, outcome in informed.counter.restarts]
        assert (
            cuts.count(RequestOutcome.BROKEN)
            + cuts.count(RequestOutcome.SILENT)
            + cuts.count(RequestOutcome.UNREACHABLE)
            >= 8
        )
