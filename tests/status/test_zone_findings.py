"""What zones find otherwise than before, and nothing else, is looked at again."""

from hypothesis import given, settings
from hypothesis import strategies as st

from nqosd.status.digests import Digests
from nqosd.status.reports import Renewal, Reports
from nqosd.status.zone_findings import ZoneFindings
from nqosd.status.zone_report import ZoneFinding, ZoneReport
from tests.examples import examples

KEYS = [*(f"team-a/{number}" for number in range(9)), "team-b/0"]
FEW = KEYS[:3] + KEYS[-1:]
FINDINGS = st.sampled_from([ZoneFinding("Blocked"), ZoneFinding("Blocked", "why"), ZoneFinding("Applied", "warned")])
DIGESTS = st.lists(st.sampled_from(FEW), max_size=2).map(Digests)
REPORTS = st.builds(
    ZoneReport,
    st.sampled_from("ab"),
    st.integers(1, 9),
    st.just({}),
    st.dictionaries(st.sampled_from(FEW), FINDINGS, max_size=3),
    st.dictionaries(st.sampled_from(["team-a", "team-b"]), DIGESTS, max_size=2),
)


def test_digests_that_change_are_news_of_their_policies_alone() -> None:
    """Also where two zones digest the same policy; where any may fail, of each policy of the namespace."""
    found, before = ZoneFindings(), dict[str, ZoneReport]()

    def news(zone: str, digests: Digests | None) -> set[str]:
        report = ZoneReport(zone, 20, overflow={} if digests is None else {"team-a": digests})
        found.replace(zone, before.get(zone), report)
        before[zone] = report
        return set(found.drain(KEYS))

    assert news("a", Digests(KEYS[:3])) == set(KEYS[:3])
    assert news("a", Digests(KEYS[:3])) == set()
    assert news("a", Digests(KEYS[:4])) == {KEYS[3]}
    assert news("b", Digests(KEYS[3:5])) == set(KEYS[3:5])
    assert news("a", Digests(KEYS[1:3])) == {KEYS[0], KEYS[3]}
    assert news("b", None) == set(KEYS[3:5])
    assert news("b", Digests()) == set(KEYS[:9])
    assert news("b", Digests(KEYS[:1])) == set(KEYS[:9])


def test_what_changes_between_two_looks_is_news_once() -> None:
    """Whatever comes first."""
    found = ZoneFindings()
    old, new = ZoneReport("a", 1, findings={KEYS[0]: ZoneFinding("Blocked")}), ZoneReport("a", 2)
    found.replace("a", None, old)
    found.replace("a", old, new)
    found.replace("b", None, ZoneReport("b", 1, overflow={"team-a": Digests()}))
    found.replace("b", None, ZoneReport("b", 1, overflow={"team-a": Digests([KEYS[1]])}))
    assert found.drain(KEYS) == set(KEYS[:9])
    assert found.drain(KEYS) == set()


@given(st.lists(st.lists(REPORTS, max_size=3), max_size=6))
@settings(max_examples=examples(), deadline=None)
def test_a_policy_that_is_no_news_stands_as_before(looks: list[list[ZoneReport]]) -> None:
    """However reports come and go: what stands otherwise is news, and all is as if each look began from nothing."""
    held, zones = Reports(), frozenset("ab")
    before = {key: held.view(zones, 0.0).standing(key, 1, zones) for key in FEW}
    for number, reports in enumerate(looks):
        renewals = {each.zone: Renewal(each, f"2026-11-28T10:00:{number:02}Z") for each in reports}
        held.listed(renewals.values(), number * 100.0)
        anew = Reports()
        anew.listed(renewals.values(), number * 100.0)
        view, expected = held.view(zones, number * 100.0), anew.view(zones, number * 100.0)
        now = {key: view.standing(key, 1, zones) for key in FEW}
        assert now == {key: expected.standing(key, 1, zones) for key in FEW}
        news = view.findings.drain(FEW)
        for key in FEW:
            if key not in news:
                assert (now[key].failing, now[key].warnings) == (before[key].failing, before[key].warnings)
        before = now
