"""Where the time of one pod goes inside the daemon: decode, index, compile, diff, and taking the echo.

In: a size. Out: microseconds for each stage, the median over many pods, measured in this process with the daemon's own
parts. Rule: the parts are called as the daemon calls them; the round trip to the server is the floor of the benchmark.
"""

import statistics
import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import TypeVar

from nqosd.api.changes import ResourceKind
from nqosd.api.objects import Pod
from nqosd.compiler.desired import Desired
from nqosd.compiler.incremental import IncrementalCompiler
from nqosd.compiler.settings import Settings
from nqosd.informers.reflector import Reflector
from nqosd.northbound.plan.plan import make_plan
from nqosd.northbound.plan.plan_options import PlanOptions
from nqosd.northbound.plan.scope import PlanScope
from nqosd.northbound.replica.replica import Replica
from nqosd.ovsdb import schema, wire
from tests.api import manifests
from tests.informers.wire import BY_KIND
from tools.bench.workload import NODE, Pods, Size, policy

SAMPLES = 500
OWNER = "nqosd"
_EVENT = b'{"type":"ADDED","object":%b}'

_T = TypeVar("_T")


def stages(size: Size) -> Mapping[str, float]:
    """Measure one pod after another on a cluster that has converged."""
    pods, compiler, reflector = (
        Pods(size.policies),
        IncrementalCompiler(Settings()),
        Reflector(BY_KIND[ResourceKind.POD], 0.0),
    )
    policies = Reflector(BY_KIND[ResourceKind.NETWORK_QOS], 0.0)
    compiler.apply(
        policies.lines([_EVENT % manifests.wire(policy(each)) for each in range(size.policies)], 0.0).changes
    )
    compiler.apply(reflector.lines([_EVENT % pods.render(each, each) for each in range(size.pods)], 0.0).changes)
    replica = _filled(compiler.desired)
    index = compiler._membership._filled
    times: dict[str, list[float]] = {}
    for number in range(size.pods, size.pods + SAMPLES):
        line = _EVENT % pods.render(number, number)
        step = _timed(times, "decode, with the informer's bookkeeping", partial(reflector.lines, [line], 0.0))
        pod = step.changes[0].new
        assert isinstance(pod, Pod)
        _timed(times, "index: the selections that it is in", partial(index.of, pod))
        delta = _timed(times, "compile, index included", partial(compiler.apply, step.changes))
        scope = PlanScope(frozenset(delta.rows), {name: each.added | each.removed for name, each in delta.sets.items()})
        plan_options = PlanOptions(OWNER, may_wait=compiler.may_wait)
        _timed(times, "diff", partial(make_plan, compiler.desired, replica, scope, plan_options))
        for name, members in delta.sets.items():
            update = {"modify": {"addresses": ["set", sorted(members.added)]}}
            _timed(times, "taking the echo into the replica", partial(replica.apply, schema.ADDRESS_SET, name, update))
    return {stage: statistics.median(each) * 1e6 for stage, each in times.items()}


def _filled(desired: Desired) -> Replica:
    """Give a replica that holds what is desired; a name stands for a row's uuid."""
    replica = Replica(OWNER)
    replica.apply(schema.SWITCH, NODE, {"insert": {"name": NODE}})
    for name, each in desired.address_sets.items():
        columns = {
            "name": name,
            "addresses": ["set", sorted(each.addresses)],
            "external_ids": wire.string_map(each.external_ids(OWNER)),
        }
        replica.apply(schema.ADDRESS_SET, name, {"insert": columns})
    replica.take_changes()
    return replica


def _timed(times: dict[str, list[float]], stage: str, work: Callable[[], _T]) -> _T:
    begin = time.perf_counter()
    result = work()
    times.setdefault(stage, []).append(time.perf_counter() - begin)
    return result
