"""Whoever lost fields of policies has them again when the API server keeps them again."""

import asyncio
from collections.abc import Collection

from nqosd.api.changes import ResourceKind
from nqosd.daemon.schema_watch import watch_schema
from nqosd.informers.served_schema import ServedSchema
from nqosd.kube.client import KubeClient
from nqosd.kube.credentials import KubeOptions
from tests.informers.listening import until
from tests.informers.test_served_schema import CRD, FROM, without
from tests.services.kubernetes import DAEMON, ApiServer


async def test_fields_are_said_to_be_kept_again_after_policies_have_been_listed(api_server: ApiServer) -> None:
    """Policies are listed anew when the server keeps a field again, and not when it begins to drop one."""
    said: list[object] = []

    async def list_again(_why: str, kinds: Collection[ResourceKind]) -> None:
        await asyncio.sleep(0)
        said.append(list(kinds))

    api_server.apply_crds(CRD.read_text())
    async with asyncio.timeout(120), KubeClient(KubeOptions(kubeconfig=str(api_server.kubeconfig(DAEMON)))) as client:
        while await ServedSchema(client).lost() != ():
            pass  # a definition that another test has applied may still be on its way into the document
        watch = asyncio.create_task(watch_schema(client, 0.05, said.append, list_again))
        try:
            api_server.apply_crds(without(FROM))
            await until(lambda: said[-1:] == [(FROM,)], "aware of what is lost")
            assert said == [(FROM,)]
        finally:
            api_server.apply_crds(CRD.read_text())
        await until(lambda: said[-1:] == [()], "aware that nothing is lost")
        watch.cancel()
    assert said == [(FROM,), [ResourceKind.NETWORK_QOS], ()]
