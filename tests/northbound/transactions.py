"""Random transactions for the replay: what the daemon plans, what others do, and either with something wrong in it.

In: a seeded generator, a database. Out: operations of RFC 7047. The rule: only tables and columns that nqosd uses; and
no operation may wait, since the server would, for ever.
"""

import copy
from collections.abc import Callable, Mapping
from random import Random
from typing import cast

from nqosd.compiler.desired import OWNER, Desired, PortGroup
from nqosd.northbound.plan.plan import make_plan
from nqosd.northbound.plan.plan_options import PlanOptions
from nqosd.northbound.plan.scope import PlanScope
from tests.northbound.database import ModelDatabase
from tests.northbound.desires import ADDRESSES, GROUPS, PORTS, SETS, SWITCHES, address_set, key, row

Body = Mapping[str, object]
Changed = dict[str, object]

NOBODY = "00000000-1111-2222-3333-444444444444"
STRANGE: tuple[object, ...] = (
    -1, 32767, 32768, 1 << 63, 1.5, True, None, "", "x", "to-lport", "both", [], {}, ["set", []], ["set", ["x", "x"]],
    ["set", ["x", "y"]], ["set", ["x"]], ["set", [1]], ["map", []], ["map", [["a", "b"]]],
    ["map", [["a", "b"], ["a", "c"]]], ["map", [["dscp", 1]]], ["map", [["dscp", 64]]], ["map", [["dscp", -1]]],
    ["map", [["mark", 70]]], ["map", [["rate", 0]]], ["map", [["rate", 1], ["burst", 1 << 32]]], ["map", [["a"]]],
    ["map", ["a"]], ["uuid", NOBODY], ["uuid", "x"], ["named-uuid", "nobody"], ["named-uuid", "1"],
    ["set", [["uuid", NOBODY], ["uuid", NOBODY]]], ["set", [["uuid", NOBODY]]], "nul\0", "\ud800", "ä",
    ["set", ["a\0"]],
)  # fmt: skip
COLUMNS = (
    "name",
    "addresses",
    "ports",
    "qos_rules",
    "priority",
    "direction",
    "match",
    "action",
    "bandwidth",
    "external_ids",
    "nothing",
)


CONDITIONS: tuple[object, ...] = (
    [["_uuid", "==", ["uuid", NOBODY]]], [["_uuid", "==", ["uuid", "x"]]], [["_uuid", "==", "x"]], [["_uuid"]], "x",
    [["nothing", "==", "x"]], [["_uuid", "=", ["uuid", NOBODY]]], [[["_uuid", "==", ["uuid", NOBODY]]]], [[1, "==", 2]],
    [["_uuid", "==", ["named-uuid", "row0"]]],
)  # fmt: skip


def transactions(random: Random, database: ModelDatabase) -> list[Body]:
    """Make one transaction that fits the database as it is now, or nearly."""
    made = planned(random, database) if random.random() < 0.8 else foreign(random, database)
    bodies = [copy.deepcopy(dict(body)) for body in made] or [dict(foreign(random, database)[0])]
    if random.random() < 0.5:
        random.choice(FAULTS)(random, bodies)
    return list(bodies)


def planned(random: Random, database: ModelDatabase) -> list[Body]:
    """Plan some desired state."""
    desired = random_desired(random)
    may_wait = random.random() < 0.3
    plan_options = PlanOptions("nqosd", prune=random.random() < 0.9, may_wait=lambda _key: may_wait)
    plan = make_plan(desired, database.replica, PlanScope.whole(desired, database.replica), plan_options)
    return [operation.body for operation in plan.operations]


def random_desired(random: Random) -> Desired:
    """Desire something."""
    sets = {name: address_set(name, *_some(random, ADDRESSES)) for name in _some(random, SETS)}
    groups = {name: PortGroup(name, "ports", set(_some(random, PORTS))) for name in _some(random, GROUPS)}
    names = [*sets, *groups]
    rows = [
        row(
            key(random.choice(["games/video", "games/voice"]), random.randrange(2), random.choice(SWITCHES)),
            source=random.choice(names),
            priority=random.choice([10000, 10020]),
            rate=random.choice([None, 20000]),
        )
        for _ in range(random.randrange(6) if names else 0)
    ]
    return Desired({each.key: each for each in rows}, sets, groups)


def foreign(random: Random, database: ModelDatabase) -> list[Body]:
    """Do what others do: switches and sets come and go, rows change."""
    table = random.choice(["Logical_Switch", "Address_Set", "Port_Group", "QoS"])
    uuids = sorted(database.tables[table])
    names = {"Logical_Switch": SWITCHES, "Address_Set": SETS, "Port_Group": GROUPS}.get(table, ())
    if table == "QoS":
        columns = {"match": "ip4", "priority": 5, "direction": "to-lport", "external_ids": _ids(random)}
        switches = sorted(database.tables["Logical_Switch"])
        made: list[Body] = [{"op": "insert", "table": table, "uuid-name": "theirs", "row": columns}]
        if switches and random.random() < 0.8:
            mutations = [["qos_rules", "insert", ["named-uuid", "theirs"]]]
            made.append(
                {
                    "op": "mutate",
                    "table": "Logical_Switch",
                    "where": _where(random.choice(switches)),
                    "mutations": mutations,
                }
            )
        return made
    row_: Changed = {"name": random.choice(names)}
    if table != "Logical_Switch":
        row_["external_ids"] = _ids(random)
    what = random.random()
    if what < 0.5 or not uuids:
        return [{"op": "insert", "table": table, "row": row_}]
    uuid = random.choice(uuids)
    if what < 0.75:
        return [{"op": "update", "table": table, "where": _where(uuid), "row": row_}]
    if database.tables[table][uuid].get("ports") and table == "Logical_Switch":
        return [{"op": "delete", "table": table, "where": _where(NOBODY)}]
    return [{"op": "delete", "table": table, "where": _where(uuid)}]


def _ids(random: Random) -> object:
    return ["map", [[OWNER, random.choice(["nqosd", "other"])], ["a", "b"]]]


def _where(uuid: str) -> list[object]:
    return [["_uuid", "==", ["uuid", uuid]]]


def _some(random: Random, values: tuple[str, ...]) -> list[str]:
    return [each for each in values if random.random() < 0.5]


def _leave_out_an_operation(random: Random, bodies: list[Changed]) -> None:
    del bodies[random.randrange(len(bodies))]


def _repeat_an_operation(random: Random, bodies: list[Changed]) -> None:
    bodies.insert(random.randrange(len(bodies) + 1), copy.deepcopy(random.choice(bodies)))


def _exchange_operations(random: Random, bodies: list[Changed]) -> None:
    random.shuffle(bodies)


def _leave_out_a_member(random: Random, bodies: list[Changed]) -> None:
    body = random.choice(bodies)
    del body[random.choice([each for each in sorted(body) if each != "timeout"])]  # without it a server waits for ever


def _add_a_member(random: Random, bodies: list[Changed]) -> None:
    random.choice(bodies)[random.choice(["comment", "where", "row", "uuid-name"])] = random.choice(STRANGE[:20])


def _change_a_member(random: Random, bodies: list[Changed]) -> None:
    body = random.choice(bodies)
    member = random.choice([each for each in sorted(body) if each not in {"timeout", "until"}])
    body[member] = random.choice(
        {
            "op": ["insert", "update", "delete", "mutate", "wait", "nothing", 1],
            "table": ["QoS", "Address_Set", "Port_Group", "Logical_Switch", "Nothing", "", 1],
            "uuid-name": ["row0", "row1", "1", "", "a-b", 1],
        }.get(member, list(STRANGE))
    )


def _change_a_column(random: Random, bodies: list[Changed]) -> None:
    rows = [body["row"] for body in bodies if isinstance(body.get("row"), dict)]
    rows += [
        each for body in bodies if isinstance(body.get("rows"), list) for each in cast("list[object]", body["rows"])
    ]
    if rows:
        columns = cast("Changed", random.choice(rows))
        columns[random.choice([*columns, random.choice(COLUMNS)])] = random.choice(STRANGE)


def _change_a_condition(random: Random, bodies: list[Changed]) -> None:
    found = [body for body in bodies if "where" in body]
    if found:
        random.choice(found)["where"] = random.choice(CONDITIONS)


def _change_a_mutation(random: Random, bodies: list[Changed]) -> None:
    found = [mutation for body in bodies for mutation in cast("list[list[object]]", body.get("mutations", []))]
    if found:
        mutation, place = random.choice(found), random.randrange(4)
        if place == 0:
            mutation[0] = random.choice(COLUMNS)
        elif place == 1:
            mutation[1] = random.choice(["insert", "delete", "+=", "nothing", 1])
        elif place == 2:
            mutation[2] = random.choice(STRANGE)
        else:
            del mutation[random.randrange(3)]


def _name_a_member_twice(random: Random, bodies: list[Changed]) -> None:
    mutations = [each for body in bodies for each in cast("list[list[object]]", body.get("mutations", []))]
    values = [mutation[2] for mutation in mutations]
    values += [
        each for body in bodies for each in cast("Changed", body.get("row", {})).values() if isinstance(each, list)
    ]
    contents = [cast("list[list[object]]", value)[1] for value in values if isinstance(value, list) and len(value) == 2]
    if contents := [each for each in contents if isinstance(each, list) and each]:
        content = random.choice(contents)
        content.append(copy.deepcopy(random.choice(content)))


def _use_another_row(random: Random, bodies: list[Changed]) -> None:
    places = [body["where"] for body in bodies if isinstance(body.get("where"), list)]
    if len(places) > 1:
        random.choice([body for body in bodies if isinstance(body.get("where"), list)])["where"] = random.choice(places)


FAULTS: tuple[Callable[[Random, list[Changed]], None], ...] = (
    _leave_out_an_operation,
    _repeat_an_operation,
    _exchange_operations,
    _leave_out_a_member,
    _add_a_member,
    _change_a_member,
    _change_a_column,
    _change_a_column,
    _change_a_condition,
    _change_a_mutation,
    _change_a_mutation,
    _name_a_member_twice,
    _use_another_row,
)
