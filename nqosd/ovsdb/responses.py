"""What a server may answer to the requests that python-ovs and the replica make of it.

In: a request, and what was answered. Out: what is wrong about it, in words. The rule: python-ovs believes, passes over
in silence or fails at what isn't of the form of RFC 7047 and ovsdb-server(7); so nothing reaches it that isn't.
"""

import reprlib

import msgspec
from ovs.db.idl import SchemaHelper
from ovs.jsonrpc import Message

from nqosd.ovsdb.connection import Request

_SERVER_TABLE = "Database"

_DISPENSABLE = ("monitor_cancel", "set_db_change_aware", "unlock")
"""Requests that may be refused, since nothing depends on them."""


def find_wrong(request: Request, message: Message) -> str | None:
    """Say what is wrong about an answer, or None when it is of use; for schemas of others' databases see `schema`."""
    if message.type == Message.T_ERROR:
        return None if request.method in _DISPENSABLE else f"the server refuses {request}: {excerpt(message.error)}"
    if _is_well_formed(request, message.result):
        return None
    return f"the server's answer to {request} is not of the right form: {excerpt(message.result)}"


def is_transaction_answer(answers: object, operations: int) -> bool:
    """Say whether these can be the answers to so many operations: each is null or an object."""
    return (
        isinstance(answers, list)
        and len(answers) >= operations
        and all(each is None or _is_operation_answer(each) for each in answers)
    )


def is_update(method: str, params: list[object]) -> bool:
    """Say whether these can be the parameters of an `update`, `update2` or `update3`."""
    is_third = method == "update3"
    return (
        len(params) == (3 if is_third else 2) and (not is_third or isinstance(params[1], str)) and _is_rows(params[-1])
    )


def excerpt(value: object) -> str:
    """Return the beginning of a value, however large it is and however deeply nested."""
    return reprlib.repr(value)


def _is_well_formed(request: Request, result: object) -> bool:
    if request.method == "lock":
        return isinstance(result, dict) and isinstance(result.get("locked"), bool)
    if request.method == "get_schema":
        return _is_server_schema(result)
    if request.method == "monitor_cond":
        return isinstance(result, dict)
    if request.method == "monitor_cond_since":
        return (
            isinstance(result, list)
            and [type(each) for each in result[:2]] == [bool, str]
            and len(result) == 3  # noqa: PLR2004 (found, last transaction, rows)
            and _is_rows(result[2])
        )
    return True


def _is_server_schema(result: object) -> bool:
    """Say whether python-ovs can read the schema of `_Server`; it tries this by itself, but then goes on without."""
    try:
        helper = SchemaHelper(None, result)
        helper.register_table(_SERVER_TABLE)
        return _SERVER_TABLE in helper.get_idl_schema().tables
    except Exception:  # noqa: BLE001 (anything may be raised for anything that isn't a schema)
        return False


def _is_rows(value: object) -> bool:
    return isinstance(value, dict | msgspec.Raw)


def _is_operation_answer(value: object) -> bool:
    return isinstance(value, dict) and isinstance(value.get("error", ""), str)
