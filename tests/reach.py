"""What a test can reach: whether it starts a real service, found in its code and in that of its fixtures.

In: functions and classes. Out: yes or no. Rule: whatever a name of a module of the tests or of the tools stands for is
followed, so that a test that uses a service through a helper counts too.
"""

import functools
import inspect
import types
from collections.abc import Iterable, Iterator

from tests.services.process import Service

OF_TESTS = ("tests.", "tools.")


def reaches_service(roots: Iterable[object]) -> bool:
    """Say whether any of these functions and classes uses a service, itself or through others."""
    waiting, seen = list(roots), set[int]()
    while waiting:
        item = waiting.pop()
        item = getattr(item, "__func__", item)  # a class method, or a static one
        item = inspect.unwrap(item) if callable(item) else item
        if id(item) in seen:
            continue
        seen.add(id(item))
        if isinstance(item, type) and issubclass(item, Service):
            return True
        if isinstance(item, type | property | types.FunctionType):
            waiting += _used_by(item)
    return False


@functools.cache
def _used_by(item: type | property | types.FunctionType) -> tuple[object, ...]:
    """Give what the code of a function, or of a class's methods, names, as far as it belongs to the tests."""
    if isinstance(item, type):
        return tuple(filter(_is_of_tests, [*item.__bases__, *vars(item).values()]))
    if isinstance(item, property):
        return tuple(filter(None, (item.fget, item.fset)))
    return tuple(_named_by(item))


def _named_by(function: types.FunctionType) -> Iterator[object]:
    for name in _names(function.__code__):
        value = function.__globals__.get(name)
        if _is_of_tests(value):
            yield value
        elif isinstance(value, types.ModuleType) and value.__name__.startswith(OF_TESTS):
            yield from (each for each in map(vars(value).get, _names(function.__code__)) if _is_of_tests(each))


def _is_of_tests(value: object) -> bool:
    return isinstance(value, property) or str(getattr(value, "__module__", "")).startswith(OF_TESTS)


def _names(code: types.CodeType) -> Iterator[str]:
    """Give the names in a piece of code, and in the code within it."""
    yield from code.co_names
    for each in code.co_consts:
        if isinstance(each, types.CodeType):
            yield from _names(each)
