"""What isn't ours on switches, as the replica has it, and rows of no policy. The server is a model."""

import pytest
from msgspec.structs import replace

from nqosd.compiler.desired import MARK_PART, OVERRIDE, RETURNED, Direction, QosRow, RowKey
from nqosd.compiler.switches import OtherRow, Switch
from nqosd.northbound.replica.replica import Replica
from nqosd.northbound.replica.stored import key_of
from tests.northbound.cases import SENDERS, TALKERS, VIDEO, VOICE, converged
from tests.northbound.database import ModelDatabase
from tests.northbound.desires import desired
from tests.northbound.worlds import contents_of

pytestmark = pytest.mark.usefixtures("impatience")

THEIRS = {"k8s.ovn.org/owner-type": "EgressIP", "k8s.ovn.org/id": "their-id"}
MATCH = "ip4.src == $served && ct.trk && ct.rpl"
MARK = OtherRow("their-id", "from-lport", 103, MATCH, 42)
MIRROR = QosRow(
    RowKey("", 0, "default", "node1", f"{MARK_PART}their-id"), Direction.TO_LPORT, 32766, MATCH, dscp=None, mark=42
)


def egress_ip(database: ModelDatabase, switch: str, **columns: object) -> str:
    """Put a row of EgressIP on a switch; return its uuid."""
    theirs = {"direction": "from-lport", "priority": 103, "match": MATCH, "action": {"mark": 42}}
    row = database.add("QoS", **{**theirs, "external_ids": THEIRS, **columns})
    rules = database.tables["Logical_Switch"][switch]["qos_rules"]
    assert isinstance(rules, frozenset)
    database.edit("Logical_Switch", switch, qos_rules=rules | {row})
    return row


def test_ports_that_lead_out_are_told_by_their_type() -> None:
    """A port counts once it has its type and stands on a switch, whatever comes first and whatever it is called."""
    database = ModelDatabase()
    first = database.add("Logical_Switch_Port", name="out", type="router")
    second = database.add("Logical_Switch_Port", name="z")
    third = database.add("Logical_Switch_Port", name="far", type="remote")
    switch = database.add("Logical_Switch", name="node1", ports=frozenset({second, third}))
    assert database.replica.switches == {"node1": Switch()}
    database.edit("Logical_Switch_Port", second, type="localnet")
    assert database.replica.switches == {"node1": Switch(("z",))}
    database.edit("Logical_Switch", switch, ports=frozenset({first, second}))
    assert database.replica.switches == {"node1": Switch(("out", "z"))}
    database.edit("Logical_Switch_Port", first, name="in")
    database.edit("Logical_Switch_Port", second, type="")
    assert database.replica.switches == {"node1": Switch(("in",))}
    database.edit("Logical_Switch", switch, ports=frozenset({second}), name="node2", acls=frozenset({"a"}))
    assert database.replica.switches == {"node2": Switch(has_acls=True)}


def test_marks_of_others_are_followed() -> None:
    """A row of others that sets a packet mark counts on each of its switches, until it goes; ours and others don't."""
    database = ModelDatabase()
    one, two = (database.add("Logical_Switch", name=name) for name in ("node1", "node2"))
    row = egress_ip(database, one)
    egress_ip(database, two, action={"dscp": 3})
    egress_ip(database, two, external_ids={**THEIRS, "nqosd.io/owner": "nqosd"})
    assert database.replica.switches == {"node1": Switch((), (MARK,)), "node2": Switch()}
    database.edit("QoS", row, match="ip6", external_ids={})
    assert database.replica.switches["node1"].others == (OtherRow("", "from-lport", 103, "ip6", 42),)
    database.edit("Logical_Switch", one, qos_rules=frozenset())
    assert database.replica.switches == {"node1": Switch(), "node2": Switch()}


def test_rows_that_a_row_above_the_old_controllers_may_suppress_are_followed() -> None:
    """Of others' rows those in its direction are, but for the old controller's and other instances', also by copies."""
    database = ModelDatabase()
    switch = database.add("Logical_Switch", name="node1")
    old = {"k8s.ovn.org/owner-type": "NetworkQoS", "k8s.ovn.org/name": "games:video"}
    other = {"k8s.ovn.org/owner-type": "EgressQoS", "k8s.ovn.org/name": "games"}
    for ids in (other, old, {"nqosd.io/owner": "another"}):
        row = {"direction": "to-lport", "match": "ip4", "action": {"dscp": 8}}
        egress_ip(database, switch, **row, external_ids=ids)
    expected = {"node1": Switch(others=(OtherRow("", "to-lport", 103, "ip4", None),), theirs=True)}
    assert database.replica.switches == expected
    copy = Replica("nqosd")
    for table, uuid, columns in database.replica.copied():
        copy.apply(table, uuid, {"insert": columns})
    assert copy.switches == expected


def test_rows_of_the_old_controller_are_followed() -> None:
    """Each of its switches is told from others, until it has none of its rows any more, and so is a copy's."""
    database = ModelDatabase()
    one, _ = (database.add("Logical_Switch", name=name) for name in ("node1", "node2"))
    old = {"k8s.ovn.org/owner-type": "NetworkQoS", "k8s.ovn.org/name": "games:video"}
    row = egress_ip(database, one, action={"dscp": 8}, external_ids=old)
    assert database.replica.switches == {"node1": Switch(theirs=True), "node2": Switch()}
    assert database.replica.rows.theirs == {"games/video": 1}
    database.refill()
    assert database.replica.switches["node1"].theirs
    database.edit("QoS", row, external_ids={})
    assert (database.replica.switches["node1"], database.replica.rows.theirs) == (Switch(), {})
    database.edit("QoS", row, external_ids=old)
    database.edit("Logical_Switch", one, qos_rules=frozenset())
    assert database.replica.switches["node1"] == Switch()


def test_it_is_the_same_as_long_as_it_says_the_same() -> None:
    """Ports of pods, our own rows and a new connection leave what is seen as it is: the very same object."""
    database = ModelDatabase()
    out = database.add("Logical_Switch_Port", name="out", type="router")
    switch = database.add("Logical_Switch", name="node1", ports=frozenset({out}))
    egress_ip(database, switch)
    seen = database.replica.switches
    port = database.add("Logical_Switch_Port", name="pod")
    database.edit("Logical_Switch", switch, ports=frozenset({out, port}))
    egress_ip(database, switch, external_ids={"nqosd.io/owner": "nqosd"})
    database.refill()
    assert database.replica.switches is seen
    assert database.replica.size["QoS"] == 1


def test_keys_of_rows_of_no_policy_are_read_back() -> None:
    """What external_ids say of such a row is the key that it was written with; a policy is never taken for none."""
    for part in (RETURNED, OVERRIDE, f"{MARK_PART}their-id"):
        row = replace(MIRROR, key=replace(MIRROR.key, part=part))
        assert key_of(row.external_ids("me")) == row.key
    ids = replace(VIDEO, key=replace(VIDEO.key, part=f"{MARK_PART}x")).external_ids("me")
    assert key_of(ids) == replace(VIDEO.key, part=f"{MARK_PART}x")


async def test_a_mirror_comes_with_the_first_row_and_lingers_with_the_last(database: ModelDatabase) -> None:
    """It is written in the transaction of the row that it makes up for, and goes in the one that detaches that row."""
    rounds = await converged(database, desired([VOICE], [TALKERS]))
    switch = database.rows("Logical_Switch", name="node1")[0]
    theirs = egress_ip(database, switch)
    await rounds.settle()
    rounds.driver.transactions.clear()
    result = await rounds.round(desired([VIDEO, VOICE, MIRROR], [SENDERS, TALKERS]))
    assert result.operations["row_insert"] == 2
    assert len(rounds.driver.transactions) == 1
    rounds.may_wait = lambda _key: True
    await rounds.round(desired([VOICE], [TALKERS]))
    assert contents_of(database).rows.keys() == {VIDEO.key, VOICE.key, MIRROR.key}
    other = replace(VOICE, key=replace(VOICE.key, rule=1))
    await rounds.round(desired([VOICE, other], [TALKERS]))
    assert contents_of(database).rows.keys() == {VOICE.key, other.key}
    assert theirs in database.tables["QoS"]


async def test_rows_of_others_wake_nobody(database: ModelDatabase) -> None:
    """A row of others that comes, changes and goes is no change of ours, whatever sets its match names."""
    rounds = await converged(database)
    await rounds.settle()
    rounds.woken.clear()
    row = egress_ip(database, database.rows("Logical_Switch", name="node1")[0], match="ip4.src == $set_a")
    database.edit("QoS", row, match="ip4.src == $set_b", action={"dscp": 1})
    database.edit("Logical_Switch", database.rows("Logical_Switch", name="node1")[0], acls=frozenset({"a"}))
    rounds.tell()
    assert not rounds.woken.is_set()
