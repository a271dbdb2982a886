"""A copy of the replica, as `kubectl nqos` takes it from afar, is as good as the replica."""

import json

from nqosd.compiler.desired import Direction, QosRow, RowKey
from nqosd.compiler.switches import Switch
from nqosd.northbound.replica.replica import Replica
from nqosd.northbound.replica.stored import OVN_KUBERNETES
from nqosd.ovsdb import schema, wire

KEY = RowKey("shop/gold", 0, "default", "blue")
ROW = QosRow(KEY, Direction.TO_LPORT, 100, "ip4.src == $nqosd_a && inport == @nqosd_g", 10, 2000, 100)


def filled() -> Replica:
    """Make a replica of rows of ours and of others, sets of both kinds, and a switch with a way out."""
    replica = Replica("nqosd")
    columns: dict[str, object] = {
        "direction": "to-lport",
        "priority": 100,
        "match": ROW.match,
        "action": wire.string_map(ROW.action),
    }
    ours = columns | {"bandwidth": wire.string_map(ROW.bandwidth)}
    theirs = columns | {"action": ["map", [["mark", 7]]], "external_ids": ["map", [["k8s.ovn.org/id", "egress"]]]}
    rows: dict[str, dict[str, dict[str, object]]] = {
        schema.QOS: {
            "q1": ours | {"external_ids": wire.string_map(ROW.external_ids("nqosd"))},
            "q2": ours | {"external_ids": ["map", [["nqosd.io/owner", "nqosd"]]]},
            "q3": theirs,
            "q4": columns | {"direction": "from-lport"},
            "q5": columns | {"external_ids": wire.string_map(OVN_KUBERNETES)},
        },
        schema.ADDRESS_SET: {"a1": {"name": "nqosd_a", "addresses": "10.0.0.1"}},
        schema.PORT_GROUP: {"g1": {"name": "nqosd_g", "ports": ["uuid", "p1"]}},
        schema.SWITCH_PORT: {"p1": {"name": "pod", "type": ""}, "p2": {"name": "way out", "type": "localnet"}},
        schema.SWITCH: {
            "s1": {
                "name": "blue",
                "qos_rules": wire.uuid_set(["q1", "q2", "q3", "q4", "q5"]),
                "ports": wire.uuid_set(["p1", "p2"]),
                "acls": wire.uuid_set(["c1", "c2"]),
            },
            "s2": {"name": "green", "acls": ["uuid", "c1"]},
        },
        schema.ACL: {"c1": {"action": "allow-stateless"}},
        schema.GLOBAL: {"n1": {"name": "zone", "options": ["map", [["northd_internal_version", "25.03.0"]]]}},
    }
    for table, each in rows.items():
        for uuid, row in each.items():
            replica.apply(table, uuid, {"insert": row})
    return replica


def test_a_copy_answers_alike() -> None:
    """Through JSON and back, a copy knows the same rows, sets, switches and versions, and gives the same copy."""
    original, copy = filled(), Replica("nqosd")
    for table, uuid, row in original.copied():
        copy.apply(table, uuid, {"insert": json.loads(json.dumps(row))})
    assert list(copy.copied()) == list(original.copied())
    for one in (original, copy):
        assert [each.uuid for each in one.rows.get(KEY)] == ["q1"]
        assert one.rows.get(KEY) == original.rows.get(KEY)
        assert [each.uuid for each in one.rows.unreadable()] == ["q2"]
        assert one.rows.switches_of("q1") == {"s1"}
        assert one.switches == original.switches
        assert (one.zone, one.northd_version) == ("zone", "25.03.0")
        assert one.address_sets.get("nqosd_a") == original.address_sets.get("nqosd_a")
        assert one.port_groups.get("nqosd_g") == original.port_groups.get("nqosd_g")
        assert one.ports.uuid_of("pod") == "p1"
    assert not copy.switches["green"].has_acls
    (mark,) = copy.switches["blue"].others
    assert copy.switches["blue"] == Switch(("way out",), (mark,), has_acls=True, theirs=True)
    assert mark.mark == 7
    assert [uuid for table, uuid, _row in copy.copied() if table == schema.QOS] == ["q1", "q2", "q3", "q5"]
