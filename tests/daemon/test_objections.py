"""What the log says once, because nobody else would."""

from collections.abc import Callable

import pytest
from structlog.testing import capture_logs

from nqosd.api.changes import Change, Object, ResourceKind
from nqosd.api.objects import Attachment, NetworkAttachment, Node, Pod, Topology
from nqosd.compiler.incremental import IncrementalCompiler
from nqosd.compiler.settings import NEWEST_TESTED, OvnVersion, Settings
from nqosd.config.options import Limits
from nqosd.daemon import log_budget
from nqosd.daemon.objections import PODS, Objections
from tests.services.generation import LATEST

NEWER = (NEWEST_TESTED[0] + 1, 3)


@pytest.mark.parametrize(
    ("seen", "said"),
    [
        ([NEWEST_TESTED, None, (22, 3)], []),
        ([NEWER, NEWER, None, NEWER], [NEWER]),
        ([NEWER, NEWEST_TESTED, NEWER], [NEWER, NEWER]),
    ],
    ids=["known", "newer", "back and forth"],
)
def test_a_newer_northd_is_said_once(seen: list[OvnVersion | None], said: list[OvnVersion]) -> None:
    """A northd that is newer than any tested one is one line in the log, until it is another one."""
    objections, compiler = Objections(), IncrementalCompiler(Settings())
    with capture_logs() as logs:
        for version in seen:
            compiler.configure(Settings(ovn=version))
            objections.take([], [], compiler, None)
    assert [each["ovn"] for each in logs] == ["{}.{:02}".format(*each) for each in said]


def test_the_newest_tested_is_what_the_matrix_measures() -> None:
    """The release that isn't warned of is the newest one that `make dataplane` runs."""
    assert "{}.{:02}".format(*NEWEST_TESTED) == LATEST.series


def unreadable(namespace: str, number: int) -> Change:
    """A pod with a mistake, another one each time."""
    pod = Pod(namespace, "a", problem=f"not an address: {number}")
    return Change(ResourceKind.POD, pod.key, Pod(namespace, "a", problem="not an address"), pod)


def ignored(namespace: str, number: int) -> Change:
    """A definition that says another topology than an older one."""
    nad = NetworkAttachment(namespace, f"d{number}", network="flat", topology=Topology.LAYER2, created="2026-01-02")
    return came(ResourceKind.NETWORK_ATTACHMENT_DEFINITION, nad)


def refused(namespace: str, number: int) -> Change:
    """A pod that claims the address of an older one."""
    return came(ResourceKind.POD, claimant(namespace, f"p{number}", "2026-01-02"))


def came(kind: ResourceKind, each: Object) -> Change:
    """Say that an object came."""
    return Change(kind, each.key, None, each)


def claimant(namespace: str, name: str, created: str) -> Pod:
    """A pod with the one address."""
    attachments = (Attachment("default", ("10.0.0.1",)),)
    return Pod(namespace, name, node="n1", attachments=attachments, created=created)


@pytest.mark.parametrize("change", [unreadable, ignored, refused], ids=lambda change: str(change.__name__))
def test_a_namespace_does_not_fill_the_log(
    change: Callable[[str, int], Change], monkeypatch: pytest.MonkeyPatch
) -> None:
    """However much of what a namespace's users write doesn't count, the log says so much, and what others wrote."""
    monkeypatch.setattr(log_budget, "LINES", 10)
    monkeypatch.setattr(log_budget, "REFILL", 3600.0)
    objections, compiler = Objections(), IncrementalCompiler(Settings())
    older = NetworkAttachment("shop", "d", network="flat", created="2026-01-01")
    compiler.apply(
        [
            came(ResourceKind.NODE, Node("n1")),
            came(ResourceKind.POD, claimant("shop", "a", "2026-01-01")),
            came(ResourceKind.NETWORK_ATTACHMENT_DEFINITION, older),
        ]
    )
    found = [*(change("evil", number) for number in range(100)), change("zoo", 0)]
    compiler.apply(found)
    with capture_logs() as logs:
        objections.take(found, [each.key for each in found], compiler, None)
    lines = [str(each) for each in logs]
    assert sum("evil/" in line for line in lines) == 10
    assert sum("zoo/" in line for line in lines) == 1
    assert sum("too often" in line for line in lines) == 1


def test_of_a_crowd_few_are_said() -> None:
    """Where many pods of a namespace claim an older pod's address at once, some are named, and the others counted."""
    objections, compiler = Objections(), IncrementalCompiler(Settings())
    compiler.apply([came(ResourceKind.NODE, Node("n1")), came(ResourceKind.POD, claimant("shop", "a", "2026-01-01"))])
    found = [*(refused("evil", number) for number in range(PODS + 7)), refused("zoo", 0)]
    delta = compiler.apply(found)
    with capture_logs() as logs:
        objections.take([], delta.pods, compiler, None)
    assert [str(each).count("evil/") for each in logs if "pod" in each].count(1) == PODS
    assert [each["pods"] for each in logs if "pods" in each] == [7]
    assert any(each.get("pod") == "zoo/p0" for each in logs)


def test_too_many_definitions_are_said_once() -> None:
    """A namespace with more definitions than are looked at is one line, until it has had fewer."""
    objections, compiler = Objections(), IncrementalCompiler(Settings(limits=Limits(definitions=2)))
    kind = ResourceKind.NETWORK_ATTACHMENT_DEFINITION
    every = [NetworkAttachment("evil", f"d{number}", network=f"n{number}") for number in range(5)]
    steps = [every[:3], every[3:], [], every[3:4]]
    with capture_logs() as logs:
        for number, step in enumerate(steps):
            compiler.apply([came(kind, each) for each in step])
            if number == 2:
                compiler.apply([Change(kind, each.key, each, None) for each in every[1:]])
            objections.take([], [], compiler, None)
        compiler.apply([came(kind, every[1])])
        objections.take([], [], compiler, None)
    assert [each["namespace"] for each in logs] == ["evil", "evil"]
    assert "the 2 that limits.definitions allows" in logs[0]["why"]
