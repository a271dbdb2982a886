"""What is overridden of python-ovs 4.0.0, and why.

In: the installed python-ovs. Out: an ImportError where it lacks one of these. Rule: a class of ours that inherits from
one of python-ovs overrides nothing that isn't listed here; `tests/ovsdb/test_overrides.py` holds the list against the
code, and what python-ovs itself does there against what was read when these reasons were written.
"""

import pkgutil
from collections.abc import Mapping

from ovs.version import VERSION

__all__ = ["OVERRIDDEN", "VERSION", "check"]

_SLOW = "slow to parse, loses a character that two reads cut, copies all output for each piece that is sent"

OVERRIDDEN: Mapping[str, str] = {
    "ovs.db.idl:Idl._Idl__clear": "the rows are kept by the replica",
    "ovs.db.idl:Idl._Idl__do_parse_update": "it makes an object of each row, which costs time and memory",
    "ovs.db.idl:Idl.compose_cond_change": "updates come under the old name until the server knows the new one",
    "ovs.db.idl:Idl.force_reconnect": "it doesn't say why the server isn't fit",
    "ovs.db.idl:Idl.restart_fsm": "a server whose schema lacks a column must be noticed before it is monitored",
    "ovs.db.idl:Idl.run": "it waits for an answer for ever",
    "ovs.db.idl:Idl.wait": "it doesn't wait at all while it has a condition to send and no connection",
    "ovs.db.idl:Transaction._process_reply": "it keeps no answers, and believes one of any form",
    "ovs.db.idl:Transaction.commit": "where it fails the IDL believes for ever that a transaction is open",
    "ovs.jsonrpc:Connection.error": "it keeps what was queued",
    "ovs.jsonrpc:Connection.recv": _SLOW,
    "ovs.jsonrpc:Connection.recv_wait": "it doesn't know the messages that are whole already",
    "ovs.jsonrpc:Connection.run": _SLOW,
    "ovs.jsonrpc:Connection.send": _SLOW,
    "ovs.jsonrpc:Session.recv": "messages that were not asked for must not reach the IDL",
    "ovs.jsonrpc:Session.run": "it makes its own kind of connection, and reads the files of TLS only once",
    "ovs.reconnect:Reconnect.disconnected": "it doesn't say why a connection was lost",
    "ovs.stream:SSLStream._open": "it doesn't name the file of TLS that can't be read, and waits at a FIFO",
    "ovs.stream:SSLStream.connect": "it reduces each refusal to an error number",
    "ovs.stream:Stream.connect_wait": "it keeps a core busy during the handshake",
}


def check() -> None:
    """See that the installed python-ovs has what is overridden.

    Raises:
        ImportError: it doesn't; the message names what is missing.
    """
    for name in OVERRIDDEN:
        try:
            pkgutil.resolve_name(name)
        except AttributeError:
            raise ImportError(f"this python-ovs has no {name}: nqosd needs ovs==4.0.0") from None
