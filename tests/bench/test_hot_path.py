"""What one event costs inside the daemon, counted in calls and bytes: flat, whatever the cluster holds.

Counts of calls are the same on every machine, so they can be held to a limit; times can't.
"""

import gc
import sys
import tracemalloc
from collections.abc import Callable
from types import FrameType

import attrs
import pytest

from nqosd.api.changes import ResourceKind
from nqosd.compiler.desired import Delta
from nqosd.compiler.incremental import IncrementalCompiler
from nqosd.compiler.settings import Settings
from nqosd.informers.reflector import Reflector
from nqosd.northbound.plan.operations import OperationKind
from tests.api.manifests import wire
from tests.informers.wire import BY_KIND
from tools import one_event
from tools.bench.workload import Pods, Size, policy

SMALL, LARGE, MANY_POLICIES = Size(200, 100), Size(4_000, 100), Size(1_900, 1_000)
"""Of the latter's peers and senders there are nearly as many as a namespace may have."""
CALLS = 300
"""Calls, of Python and of C, for one pod from bytes to delta; there were 269, and 293 with very many policies.

Of very many selectors those that may choose the pod are counted first, to see whether it takes long. The ranges of its
switch aren't known, so its address is counted among those outside of them, too: 21 of these calls.
"""
WAY = 175
"""Calls of functions of nqosd, from the bytes of a pod's event to its mutation; there were 165 in fewer files."""
FILES = 53
"""Files in which these functions stand; 48 before members of sets, their sizes and places of pods had their own."""
BYTES = 11_000
"""Bytes at most at a time for the same; there were 7,500."""
EVENT = b'{"type":"ADDED","object":%b}'


@attrs.frozen
class Pipeline:
    """A reflector of pods and a compiler that have taken a whole cluster."""

    size: Size
    pods: Pods
    reflector: Reflector
    compiler: IncrementalCompiler

    @classmethod
    def of(cls, size: Size) -> "Pipeline":
        """Take a cluster."""
        pods, compiler = Pods(size.policies), IncrementalCompiler(Settings())
        policies = Reflector(BY_KIND[ResourceKind.NETWORK_QOS], 0.0)
        compiler.apply(policies.lines([EVENT % wire(policy(number)) for number in range(size.policies)], 0.0).changes)
        pipeline = cls(size, pods, Reflector(BY_KIND[ResourceKind.POD], 0.0), compiler)
        for number in range(size.pods):
            pipeline.take(pods.render(number, number))
        return pipeline

    def take(self, pod: bytes) -> Delta:
        """Take a pod that came: decode, see whether it takes long, index, compile."""
        changes = self.reflector.lines([EVENT % pod], 0.0).changes
        assert not self.compiler.takes_long(self.compiler.settings, changes)
        return self.compiler.apply(changes)


@pytest.fixture(scope="module", params=[SMALL, LARGE, MANY_POLICIES], ids=str)
def pipeline(request: pytest.FixtureRequest) -> Pipeline:
    """Give each size of cluster in turn."""
    return Pipeline.of(request.param)


def calls(work: Callable[[], object]) -> int:
    """Count the calls of Python and of C functions that some work makes; the garbage collector's don't count."""
    counted = 0

    def count(_frame: FrameType, event: str, _argument: object) -> None:
        nonlocal counted
        counted += event in {"call", "c_call"}

    before, was_enabled = sys.getprofile(), gc.isenabled()
    gc.disable()
    sys.setprofile(count)
    try:
        work()
    finally:
        sys.setprofile(before)
        if was_enabled:
            gc.enable()
    return counted


def test_one_pod_touches_its_own_sets_only(pipeline: Pipeline) -> None:
    """The delta of a new pod names the sets that it enters, no row and no policy."""
    number = pipeline.size.pods + 1
    delta = pipeline.take(pipeline.pods.render(number, number))
    assert [len(members.added) for members in delta.sets.values()] == [1]
    assert not delta.rows
    assert not delta.policies


def test_one_pod_takes_few_calls(pipeline: Pipeline) -> None:
    """The calls for one pod, from bytes to delta, stay under a limit that is the same for every size of cluster."""
    number = pipeline.size.pods + 2
    pod = pipeline.pods.render(number, number)
    assert calls(lambda: pipeline.take(pod)) <= CALLS


def test_the_way_from_bytes_to_mutation_is_short() -> None:
    """A pod that enters a set comes to one mutation, by few calls in few files."""
    way = one_event.walk()
    assert [each.kind for each in way.operations] == [OperationKind.WAIT, OperationKind.SET_MUTATE]
    assert way.calls.total() <= WAY
    assert len(way.calls) <= FILES


def test_one_pod_takes_little_memory(pipeline: Pipeline) -> None:
    """What one pod takes for the moment and for good stays under a limit that is the same for every size."""
    number = pipeline.size.pods + 3
    pods = [pipeline.pods.render(number + each, number) for each in range(20)]
    pipeline.take(pods.pop())
    gc.collect()
    taken = []
    tracemalloc.start()
    try:
        for pod in pods:
            tracemalloc.reset_peak()
            before, _ = tracemalloc.get_traced_memory()
            pipeline.take(pod)
            taken.append(tracemalloc.get_traced_memory()[1] - before)
    finally:
        tracemalloc.stop()
    assert sorted(taken)[len(taken) // 2] <= BYTES


def test_an_unchanged_pod_costs_a_comparison(pipeline: Pipeline) -> None:
    """A pod that is sent again as it was ends in the informer: there is no change to compile."""
    pod = pipeline.pods.render(0, 10**9)
    assert pipeline.reflector.lines([EVENT % pod], 0.0).changes == []
