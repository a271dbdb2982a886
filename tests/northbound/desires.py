"""Small desired states: few names, so that everything meets everything."""

from collections.abc import Iterable

from hypothesis import strategies as st

from nqosd.compiler.desired import AddressSet, Desired, Direction, PortGroup, QosRow, RowKey

SWITCHES = ("node1", "node2", "node3")
SETS = ("set_a", "set_b", "set_c", "set_d")
GROUPS = ("group_a", "group_b")
ADDRESSES = ("10.0.0.1", "10.0.0.2", "10.0.0.3", "fd00::1")
PORTS = ("ns_pod1", "ns_pod2", "ns_pod3")


def row(
    key: RowKey,
    *,
    source: str = "set_a",
    others: Iterable[str] = (),
    priority: int = 10000,
    rate: int | None = 20000,
) -> QosRow:
    """Return a row of some policy whose senders are in `source`, a set or a port group."""
    test = f"inport == @{source}" if source in GROUPS else f"ip4.src == ${source}"
    match = " && ".join([test, *(f"ip4.dst == ${name}" for name in others)])
    return QosRow(key, Direction.TO_LPORT, priority, match, dscp=20, rate=rate, sets=tuple(sorted({source, *others})))


def key(policy: str = "games/video", rule: int = 0, switch: str = "node1", part: str = "") -> RowKey:
    """Return the key of a row on the default network."""
    return RowKey(policy, rule, "default", switch, part)


def address_set(name: str, *addresses: str) -> AddressSet:
    """Return a set of addresses."""
    return AddressSet(name, f"the selection of {name}", set(addresses))


def desired(rows: Iterable[QosRow] = (), sets: Iterable[AddressSet] = (), groups: Iterable[PortGroup] = ()) -> Desired:
    """Return a desired state."""
    return Desired(
        {each.key: each for each in rows}, {each.name: each for each in sets}, {each.name: each for each in groups}
    )


KEYS = st.builds(
    key,
    policy=st.sampled_from(["games/video", "games/voice"]),
    rule=st.integers(0, 1),
    switch=st.sampled_from(SWITCHES),
    part=st.sampled_from(["", "ip6"]),
)


@st.composite
def rows_of(draw: st.DrawFn, sets: Iterable[str]) -> dict[RowKey, QosRow]:
    """Draw rows that refer to the given sets, and now and then to one that isn't desired."""
    names = sorted(sets) or ["set_a"]
    pick = st.sampled_from(names) if draw(st.integers(0, 7)) else st.sampled_from(SETS + GROUPS)
    found = {}
    for each in draw(st.lists(KEYS, max_size=5, unique=True)):
        others = draw(st.lists(st.sampled_from([name for name in names if name in SETS] or ["set_a"]), max_size=1))
        found[each] = row(
            each,
            source=draw(pick),
            others=[name for name in others if name in sets],
            priority=draw(st.sampled_from([10000, 10020])),
            rate=draw(st.sampled_from([None, 20000])),
        )
    return found


@st.composite
def desired_states(draw: st.DrawFn) -> Desired:
    """Draw a whole desired state."""
    sets = {
        name: AddressSet(name, draw(st.sampled_from(["one", "two"])), draw(st.sets(st.sampled_from(ADDRESSES))))
        for name in draw(st.sets(st.sampled_from(SETS)))
    }
    groups = {
        name: PortGroup(name, "ports", draw(st.sets(st.sampled_from(PORTS))))
        for name in draw(st.sets(st.sampled_from(GROUPS)))
    }
    return Desired(draw(rows_of([*sets, *groups])), sets, groups)
