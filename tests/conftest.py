"""Fixtures that hand real services to tests, and the logs of those services in the report of a failed test.

A service that isn't installed fails the test and names the command that installs it; nothing is skipped.
"""

import secrets
import signal
from collections.abc import Generator, Iterator

import pytest
from hypothesis import settings

from tests.examples import examples
from tests.reach import reaches_service
from tests.services.etcd import Etcd
from tests.services.generation import GENERATIONS, OvnGeneration
from tests.services.kubernetes import ApiServer
from tests.services.ovn import OvnCentral
from tests.services.ovsdb import OvsdbServer
from tests.services.process import LEFT_BY_FAILURE, RUNNING

settings.register_profile(
    "any speed", parent=settings.default, max_examples=examples(), deadline=None
)  # a busy machine is no fault
settings.load_profile("any speed")

# A shell starts what runs in the background with SIGINT ignored, and so would the commands that tests end with it.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture
def ovn_generation(request: pytest.FixtureRequest) -> OvnGeneration:
    """Give the newest generation, or with `@pytest.mark.parametrize(..., indirect=True)` the one that a test asks for.

    `@every_generation` of `tests.services.generation` runs a test on each.
    """
    chosen = getattr(request, "param", GENERATIONS[-1])
    assert isinstance(chosen, OvnGeneration)
    return chosen


@pytest.fixture
def ovsdb_nb(ovn_generation: OvnGeneration) -> Iterator[OvsdbServer]:
    """Give a server with an empty Northbound database."""
    with OvsdbServer(ovn_generation, "nb") as server:
        yield server


@pytest.fixture
def ovn_central(ovn_generation: OvnGeneration) -> Iterator[OvnCentral]:
    """Give empty Northbound and Southbound databases with northd between them."""
    with OvnCentral(ovn_generation) as central:
        yield central


@pytest.fixture(scope="session")
def api_server() -> Iterator[ApiServer]:
    """Give a kube-apiserver that all tests of the run share: a test keeps to a `namespace` of its own."""
    with Etcd() as etcd, ApiServer(etcd) as server:
        yield server


@pytest.fixture
def namespace(api_server: ApiServer) -> Iterator[str]:
    """Give a new namespace on the shared server, and delete it and what is in it afterwards."""
    name = f"test-{secrets.token_hex(4)}"
    api_server.kubectl("create", "namespace", name)
    yield name
    api_server.delete_namespace(name)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests that start a service, so that `make unit` can leave them out."""
    for item in items:
        if isinstance(item, pytest.Function):
            fixtures = [each.func for found in item._fixtureinfo.name2fixturedefs.values() for each in found]
            if reaches_service([item.function, *fixtures]):
                item.add_marker("services")


def pytest_runtest_setup() -> None:
    """Forget what services logged before this test."""
    LEFT_BY_FAILURE.clear()
    for service in RUNNING:
        service.mark_log()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Add the end of every service's log to the report of a failed test."""
    report = yield
    if report.failed:
        logs = [*LEFT_BY_FAILURE, *(service.tail_logs() for service in RUNNING)]
        report.sections += [("service log", log) for log in logs]
    return report
