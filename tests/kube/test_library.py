"""kubernetes-asyncio without its generated models: what is imported, and what happens with another layout of it.

Each test has a process of its own, since a module is imported once.
"""

import json
import subprocess
import sys

import pytest

LOADED = """
import json, sys
from nqosd.kube import library
found = [each for each in sys.modules if each.startswith("kubernetes_asyncio.")]
assert type(sys.modules.get("urllib3")).__name__ != "_Later"
print(json.dumps([found, callable(library.ApiClient.call_api)]))
"""
OTHERWISE = 'import sys; sys.modules["kubernetes_asyncio.client.{}"] = None'
"""As if a version had no such module: importing it fails."""


def loaded(before: str = "") -> tuple[list[str], str]:
    """Give the modules of the library that are there after an import, and what was logged."""
    done = subprocess.run([sys.executable, "-c", before + LOADED], capture_output=True, text=True, check=True)
    *log, last = done.stdout.splitlines()
    found, works = json.loads(last)
    assert works
    return found, "\n".join(log) + done.stderr


def test_neither_models_nor_calls_are_imported() -> None:
    """The installed version has the layout that saves the models, without a word in the log."""
    found, log = loaded()
    assert "kubernetes_asyncio.config.kube_config" in found
    assert not [each for each in found if ".client.models." in each or ".client.api." in each]
    assert not log


@pytest.mark.parametrize("module", ["api_client", "configuration"])
def test_another_layout_is_imported_whole_and_named(module: str) -> None:
    """Where a module isn't where it was, the library works as it is meant to be imported, and an error is logged.

    What stood in for another library while it was tried doesn't stay.
    """
    found, log = loaded(OTHERWISE.format(module))
    assert "kubernetes_asyncio.client.models.v1_pod" in found
    assert "kubernetes-asyncio isn't laid out as nqosd knows it" in log
    assert f"kubernetes_asyncio.client.{module}" in log


def test_urllib3_is_imported_by_its_first_use() -> None:
    """A header for a login by password, the one thing that the library needs urllib3 for, is made all the same."""
    code = """
import sys
from nqosd.kube.library import Configuration
assert "urllib3" not in sys.modules
configuration = Configuration()
configuration.username, configuration.password = "a", "b"
print(configuration.get_basic_auth_token())
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "Basic YTpi\n"


def test_what_nothing_here_uses_is_imported_by_its_first_call() -> None:
    """Dates in objects and calls in threads, which the library could do, work all the same."""
    code = """
import sys
from nqosd.kube.library import ApiClient
assert not {"dateutil.parser", "multiprocessing.pool"} & set(sys.modules)
library = sys.modules[ApiClient.__module__]
print(library.parse("2026-11-27").date(), library.ThreadPool(1).apply(len, ["abc"]))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "2026-11-27 3\n"
