"""What is overridden of python-ovs: listed with its reason, and read in the version that is pinned."""

import hashlib
import importlib
import inspect
import pkgutil
import types
from collections.abc import Iterator

import pytest

import nqosd.ovsdb
from nqosd.ovsdb import overrides

READ = {
    "ovs.db.idl:Idl._Idl__clear": "9fe33c63253f7e76",
    "ovs.db.idl:Idl._Idl__do_parse_update": "6b4fb8809b89610a",
    "ovs.db.idl:Idl.compose_cond_change": "75164145f4a8d205",
    "ovs.db.idl:Idl.force_reconnect": "bc8d40276967bd05",
    "ovs.db.idl:Idl.restart_fsm": "6171ffd2547c863d",
    "ovs.db.idl:Idl.run": "229496b24fd16a40",
    "ovs.db.idl:Idl.wait": "b032009e3b434063",
    "ovs.db.idl:Transaction._process_reply": "30a5f67334a35cc8",
    "ovs.db.idl:Transaction.commit": "a92f62551f03e7ab",
    "ovs.jsonrpc:Connection.error": "ab02dc50789ddcdb",
    "ovs.jsonrpc:Connection.recv": "e0260b6801492011",
    "ovs.jsonrpc:Connection.recv_wait": "e03bc6f67b185d76",
    "ovs.jsonrpc:Connection.run": "0cdb43355ec04315",
    "ovs.jsonrpc:Connection.send": "8e1ff1841d811bbe",
    "ovs.jsonrpc:Session.recv": "5afe63157bc86402",
    "ovs.jsonrpc:Session.run": "2efa18ea20ba12dc",
    "ovs.reconnect:Reconnect.disconnected": "7b18614c2a3a4394",
    "ovs.stream:SSLStream._open": "86b4d065709d00bb",
    "ovs.stream:SSLStream.connect": "2b6a6c7c97eec6d0",
    "ovs.stream:Stream.connect_wait": "555894bb44b4944e",
}
"""The beginning of the digest of what python-ovs does there, as it was read when the reasons were written."""


def modules() -> Iterator[types.ModuleType]:
    """Import every module of the package."""
    for found in pkgutil.iter_modules(nqosd.ovsdb.__path__):
        yield importlib.import_module(f"nqosd.ovsdb.{found.name}")


def overridden(kind: type) -> Iterator[str]:
    """Give what a class overrides of python-ovs's classes, but for `__init__`."""
    bases = [base for base in kind.__mro__ if base.__module__.startswith("ovs.")]
    for name in vars(kind):
        base = next((base for base in bases if name in vars(base)), None)
        if base is not None and not name.endswith("__"):
            yield f"{base.__module__}:{base.__name__}.{name}"


def test_every_override_is_listed_with_its_reason() -> None:
    """What classes of `nqosd.ovsdb` override of python-ovs is what the list gives reasons for."""
    kinds = [each for module in modules() for each in vars(module).values() if isinstance(each, type)]
    found = {name for kind in kinds if kind.__module__.startswith("nqosd.") for name in overridden(kind)}
    assert found == set(overrides.OVERRIDDEN)


@pytest.mark.parametrize("name", overrides.OVERRIDDEN)
def test_what_is_overridden_is_what_was_read(name: str) -> None:
    """python-ovs does there what it did when the override was written; else read it again, then change the digest."""
    source = inspect.getsource(pkgutil.resolve_name(name))
    assert hashlib.sha256(source.encode()).hexdigest()[:16] == READ[name]


def test_a_python_ovs_without_one_of_them_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """The import fails, and names what is missing and the version that has it."""
    monkeypatch.delattr("ovs.db.idl.Idl._Idl__clear")
    with pytest.raises(ImportError, match=r"ovs\.db\.idl:Idl\._Idl__clear: nqosd needs ovs==4\.0\.0"):
        overrides.check()
