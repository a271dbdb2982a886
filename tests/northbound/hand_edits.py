"""What somebody does by hand to rows, sets and switches of ours, in any way that `edits.py` doesn't have."""

from collections.abc import Mapping
from typing import cast

import attrs
from hypothesis import strategies as st

from nqosd.compiler.desired import OWNER
from tests.northbound.database import ModelDatabase
from tests.northbound.desires import ADDRESSES, GROUPS, PORTS, SETS, SWITCHES
from tests.northbound.edits import Add
from tests.northbound.tables import Row
from tests.northbound.worlds import stored_rows

OWNED = ("QoS", "Address_Set", "Port_Group")
NAMES = {
    "Address_Set": (*SETS, "by_hand"),
    "Port_Group": (*GROUPS, "by_hand"),
    "Logical_Switch": (*SWITCHES, "by_hand"),
    "Logical_Switch_Port": (*PORTS, "by_hand"),
}


NEW_OWNER = {"give away": "other", "take back": "nqosd"}


@attrs.frozen
class HandEdit:
    """What is done to one of the rows of a table; `pick` chooses it, among those of the owner nqosd where one owns."""

    what: str
    table: str
    pick: int
    value: object = None

    def apply(self, database: ModelDatabase) -> None:
        """Make the change, if there is a row."""
        rows = database.tables[self.table]
        uuids = [uuid for uuid in sorted(rows) if self._concerns(rows[uuid])]
        if not uuids:
            return
        uuid = uuids[self.pick % len(uuids)]
        if self.what == "remove":
            database.remove(self.table, uuid)
        elif self.what == "double":
            self._attach(database, database.add(self.table, **rows[uuid]), stays=True)
        elif self.what in {"move", "share"}:
            self._attach(database, uuid, stays=self.what == "share")
        elif self.what != "rename" or self._is_free(database):
            database.edit(self.table, uuid, **self._columns(database, rows[uuid]))

    def _concerns(self, row: Row) -> bool:
        return self.table not in OWNED or self.what == "take back" or _external_ids(row).get(OWNER) == "nqosd"

    def _is_free(self, database: ModelDatabase) -> bool:
        return self.table == "Logical_Switch" or not database.rows(self.table, name=self.value)

    def _columns(self, database: ModelDatabase, row: Row) -> Mapping[str, object]:
        match self.what:
            case "rename":
                return {"name": self.value}
            case "give away" | "take back":
                return {"external_ids": {**_external_ids(row), OWNER: NEW_OWNER[self.what]}}
            case "fill":
                return {"addresses": frozenset({self.value})}
            case "gather":
                return {"ports": frozenset(database.tables["Logical_Switch_Port"])}
            case "widen":
                return {"match": f"{row['match']} || ip4"}
            case _:
                return cast("Mapping[str, object]", self.value)

    def _attach(self, database: ModelDatabase, uuid: str, *, stays: bool) -> None:
        switches = sorted(database.tables["Logical_Switch"])
        if not switches:
            return
        to = switches[cast("int", self.value) % len(switches)]
        _attach(database, to, uuid)
        for other in switches if not stays else ():
            if other != to:
                rules = cast("frozenset[str]", database.tables["Logical_Switch"][other]["qos_rules"])
                database.edit("Logical_Switch", other, qos_rules=rules - {uuid})


def _attach(database: ModelDatabase, switch: str, uuid: str) -> None:
    rules = cast("frozenset[str]", database.tables["Logical_Switch"][switch]["qos_rules"])
    database.edit("Logical_Switch", switch, qos_rules=rules | {uuid})


def _external_ids(row: Row) -> Mapping[str, str]:
    return cast("Mapping[str, str]", row["external_ids"])


_NOTHING: st.SearchStrategy[object] = st.none()


def _drawn(
    what: str, tables: tuple[str, ...], values: st.SearchStrategy[object] = _NOTHING
) -> st.SearchStrategy[HandEdit]:
    return st.builds(HandEdit, st.just(what), st.sampled_from(tables), st.integers(0, 5), values)


_COLUMNS = st.sampled_from([{"priority": 7}, {"action": {"dscp": 1}}, {"direction": "from-lport"}])
_EXTERNAL_IDS = stored_rows().map(lambda row: {"external_ids": dict(row.external_ids("nqosd"))})
_SWITCH = st.integers(0, 3)


def hand_edits() -> st.SearchStrategy[HandEdit | Add]:
    """Draw an edit."""
    return st.one_of(
        _drawn("remove", tuple(NAMES)),
        st.sampled_from(sorted(NAMES)).flatmap(lambda table: _drawn("rename", (table,), st.sampled_from(NAMES[table]))),
        _drawn("give away", OWNED),
        _drawn("take back", OWNED),
        _drawn("forget", OWNED, st.just({"external_ids": {OWNER: "nqosd"}})),
        _drawn("be for another", ("QoS",), _EXTERNAL_IDS),
        _drawn("fill", ("Address_Set",), st.sampled_from(ADDRESSES)),
        _drawn("gather", ("Port_Group",)),
        _drawn("set", ("QoS",), _COLUMNS),
        _drawn("widen", ("QoS",)),
        _drawn("move", ("QoS",), _SWITCH),
        _drawn("share", ("QoS",), _SWITCH),
        _drawn("double", ("QoS",), _SWITCH),
        st.builds(Add, st.just("Logical_Switch"), st.sampled_from(SWITCHES)),
        st.builds(Add, st.just("Logical_Switch_Port"), st.sampled_from(PORTS)),
    )
