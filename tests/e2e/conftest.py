"""A cluster of a test's own: a real API server with the kinds that nqosd reads, and its rights."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.services.etcd import Etcd
from tests.services.kubernetes import ApiServer

ACCOUNT = "system:serviceaccount:kube-system:nqosd"
"""The user as whom the daemon works: it has the rights of config/rbac and no others."""


@pytest.fixture(scope="module")
def cluster() -> Iterator[ApiServer]:
    """Start an API server; `cluster.kubeconfig(ACCOUNT)` is what the daemon gets."""
    with Etcd() as etcd, ApiServer(etcd) as server:
        for crd in [*Path("config/crd").glob("*.yaml"), *Path("tests/services/manifests").glob("*.yaml")]:
            server.apply_crds(crd.read_text())
        server.kubectl("apply", "-f", "config/rbac/")
        server.tokens[ACCOUNT] = server.kubectl("create", "token", "nqosd", "-n", "kube-system").strip()
        yield server
