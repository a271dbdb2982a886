"""Others who edit or delete rows of the daemon by hand: one daemon for all edits, since each is put right."""

from collections.abc import Callable, Iterator

import pytest

from tests.faults.cluster import Cluster
from tests.faults.hands import own_row, own_set
from tests.faults.site import Site, open_site
from tests.services.generation import GENERATIONS
from tests.services.ovsdb import OvsdbServer

Edit = Callable[[str, str, str], list[str]]
"""From the uuid of one of our rows, the name of one of our sets and the row's switch, to arguments of ovn-nbctl."""

EDITS: dict[str, Edit] = {
    "a row's priority": lambda row, _set, _switch: ["set", "QoS", row, "priority=7"],
    "a row's match": lambda row, _set, _switch: ["set", "QoS", row, 'match="ip4"'],
    "a row's mark": lambda row, _set, _switch: ["set", "QoS", row, "action:dscp=63"],
    "a row's limit": lambda row, _set, _switch: ["set", "QoS", row, "bandwidth:rate=1"],
    "a row's direction": lambda row, _set, _switch: ["set", "QoS", row, "direction=from-lport"],
    "a row's meaning": lambda row, _set, _switch: ["set", "QoS", row, "external_ids:nqosd.io/rule=17"],
    "a row's policy, so that it is nobody's": lambda row, _set, _switch: [
        "remove", "QoS", row, "external_ids", "nqosd.io/policy"],
    "a row's switch": lambda row, _set, switch: [
        "remove", "Logical_Switch", switch, "qos_rules", row,
        "--", "add", "Logical_Switch", "blue_n2", "qos_rules", row],
    "a row on two switches": lambda row, _set, _switch: ["add", "Logical_Switch", "blue_n1", "qos_rules", row],
    "a row deleted": lambda row, _set, switch: ["remove", "Logical_Switch", switch, "qos_rules", row],
    "all rows of a switch deleted": lambda _row, _set, switch: ["qos-del", switch],
    "an address added": lambda _row, name, _switch: ["add", "Address_Set", name, "addresses", '"192.0.2.1"'],
    "all addresses removed": lambda _row, name, _switch: ["clear", "Address_Set", name, "addresses"],
    "a set renamed": lambda _row, name, _switch: ["set", "Address_Set", name, "name=elsewhere"],
    "a set deleted": lambda _row, name, _switch: ["destroy", "Address_Set", name],
}  # fmt: skip


@pytest.mark.parametrize("edit", EDITS)
def test_someone_edits_or_deletes_our_rows_by_hand(editable_site: Site, edit: str) -> None:
    """Everything is put right at once, the rows of others are left alone, and a changed row is told in an Event."""
    site = editable_site
    before, repaired = site.settle(), site.daemon.metric("nqosd_repaired_rows_total")
    row, name = own_row(site, "n1"), own_set(site)
    site.nb.nbctl(*EDITS[edit](row, name, "n1"))
    if edit == "all rows of a switch deleted":  # then those of others are gone too, and not ours to restore
        site.note_others()
    after = site.settle()
    assert after.own == before.own
    assert site.daemon.metric("nqosd_repaired_rows_total") > repaired


def test_someone_takes_our_mark_off_a_set(editable_site: Site) -> None:
    """It isn't ours any more, so it is left alone and the status says what is in the way; deleted, it is made anew."""
    site = editable_site
    before, name = site.settle(), own_set(site)
    site.nb.nbctl("clear", "Address_Set", name, "external_ids")
    site.daemon.wait_until(lambda: "Blocked" in site.conditions(), what="saying that the set is in the way")
    site.nb.nbctl("destroy", "Address_Set", name)
    assert site.settle().own == before.own


@pytest.fixture(scope="module")
def editable_site(faulty_cluster: Cluster) -> Iterator[Site]:
    """Give a site with a daemon that the tests of a module share, if each leaves it as it was."""
    with OvsdbServer(GENERATIONS[-1]) as nb, open_site(faulty_cluster, nb) as found:
        found.fill()
        found.start_daemon()
        yield found
