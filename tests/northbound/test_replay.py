"""The model database answers as a real ovsdb-server does, so that what tests learn from it holds."""

import pytest

from tests.northbound.database import ModelDatabase
from tests.northbound.ovsdb_types import CLOSED, RefusedError
from tests.services.generation import OvnGeneration, every_installed_generation
from tools.replay import replay

TRANSACTIONS = 150
"""For each generation; `make replay` does thousands."""


@every_installed_generation
def test_the_model_answers_as_a_real_server(ovn_generation: OvnGeneration) -> None:
    """Plans and broken plans, one after the other, get the same answers and leave the same rows."""
    answers = replay(ovn_generation, TRANSACTIONS)
    assert sum(answers.values()) == TRANSACTIONS
    assert answers[""] > TRANSACTIONS // 4
    assert {"constraint violation", "syntax error", "timed out", "ovsdb error", CLOSED} <= answers.keys()


def test_a_refused_transaction_changes_nothing() -> None:
    """When its second operation is refused, what the first one did is undone, and the error says which it was."""
    database = ModelDatabase()
    row = {"op": "insert", "table": "Address_Set", "row": {"name": "set_a"}}
    with pytest.raises(RefusedError, match="set contains duplicate") as refused:
        database.transact(row, {**row, "row": {"name": "set_b", "addresses": ["set", ["10.0.0.1", "10.0.0.1"]]}})
    assert (refused.value.place, refused.value.done) == (1, ["uuid"])
    assert database.tables["Address_Set"] == {}
