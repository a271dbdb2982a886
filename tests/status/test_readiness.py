"""`Ready` is True only if every zone with senders has applied this generation, and the status stays small."""

import json
from collections.abc import Iterable, Mapping
from unittest.mock import Mock

import attrs
import pytest
from msgspec.structs import replace

from nqosd.api.networkqos import Condition, NetworkQoS
from nqosd.api.problems import Problem
from nqosd.compiler.policy_reports import PolicyReport
from nqosd.config.options import Limits
from nqosd.northbound.results import Lacking
from nqosd.status import zone_state
from nqosd.status.conditions import condition, fails_everywhere
from nqosd.status.digests import Digests, digest_of
from nqosd.status.entry import PolicyStatus
from nqosd.status.readiness import APPLIED, StatusVerdict, ZoneCounts, sum_up
from nqosd.status.reports import OLD, Renewal, Reports
from nqosd.status.zone_report import (
    LARGEST,
    LONG,
    LONGER,
    MAX_MESSAGE,
    OF_NAMESPACE,
    NamespaceFindings,
    ZoneFinding,
    ZoneReport,
    decode_report,
    finding_of,
    together,
)
from nqosd.status.zone_state import PolicyStanding, Progress, ZoneState
from tests.status.findings import listed_of
from tests.status.policies import INVALID, policy, report

KEY = "team-a/video"
MINE = condition(policy(), report("default"), "a")
WAITS = ZoneFinding("WaitingForSwitch", "Waiting for logical switch x.")


def summed(
    reports: Iterable[ZoneReport],
    sources: Iterable[str],
    *,
    zones: Iterable[str] = "abc",
    needed: int = 10,
    mine: Condition = MINE,
    silent: Iterable[str] = (),
    fails_everywhere: bool = False,
) -> StatusVerdict:
    """Sum up for team-a/video in zone a what zones report that have just renewed, or not for long."""
    held = Reports()
    held.listed([Renewal(each, "2026-11-24T10:00:00Z") for each in reports], 0.0)
    for each in reports:
        if each.zone not in silent:
            held.renewed(Renewal(each, "2026-11-24T10:01:00Z"), OLD)
    standing = held.view(frozenset(zones), OLD).standing(KEY, needed, frozenset(sources) or frozenset("a"))
    is_alone = frozenset(zones) == {"a"}
    return sum_up(mine, "a", frozenset(sources), standing, is_alone=is_alone, fails_everywhere=fails_everywhere)


def zone(name: str, version: int = 10, **findings: ZoneFinding) -> ZoneReport:
    """Give a zone's report."""
    return ZoneReport(name, version, findings={f"team-a/{key}": each for key, each in findings.items()})


def test_one_zone() -> None:
    """One zone that has applied the policy is enough, in the words that users know, and its own message stays."""
    said = summed([zone("a")], "a", zones="a")
    assert (said.summary, said.counts) == ("NetworkQoS Destinations applied", ZoneCounts(1, 1))
    assert said.conditions == (replace(MINE, type="Ready"),)


def test_one_zone_of_which_another_daemon_speaks() -> None:
    """What this one says of itself is old where its report, which a standby has written, says otherwise."""
    stale = condition(policy(), report(), "a", Lacking(switches=("x",)))
    said = summed([zone("a")], "a", zones="a", mine=stale)
    assert (said.ready.status, said.ready.reason, said.ready.message) == (
        "True",
        "Applied",
        "Applied in 1 zone with senders.",
    )


def test_all_zones() -> None:
    """With several zones their number is said, and none has a condition of its own."""
    said = summed([zone("a"), zone("b"), zone("c")], "abc")
    assert (said.summary, said.counts, len(said.conditions)) == (APPLIED, ZoneCounts(3, 3), 1)
    assert (said.ready.status, said.ready.message) == ("True", "Applied in 3 zones with senders.")


def test_no_zone_with_senders() -> None:
    """A policy without senders is True, once this zone has looked at it."""
    mine = condition(policy(), report(), "a")
    said = summed([zone("a"), zone("b")], "", mine=mine)
    assert (said.ready.status, said.ready.reason, said.counts) == ("True", "NoSourcePods", ZoneCounts())
    assert said.ready.message == "The policy is valid; it selects no pod.", "in any zone, not in this one"
    assert summed([zone("a", 9)], "", mine=mine).ready.status == "Unknown"


def test_senders_in_other_zones_only() -> None:
    """A zone without senders speaks for those that have them, not for itself."""
    mine = condition(policy(), report(), "a")
    said = summed([zone("a"), zone("b")], "b", mine=mine)
    assert (said.ready.reason, said.ready.message) == ("Applied", "Applied in 1 zone with senders.")


@pytest.mark.parametrize("own", ["a", "b", "c"])
def test_what_is_well_depends_on_nobody(own: str) -> None:
    """Whichever zone's daemon sums up says the same, so that a failover writes nothing."""
    held = Reports()
    held.listed([Renewal(zone(each), "2026-11-24T10:00:00Z") for each in "abc"], 0.0)
    standing = held.view(frozenset("abc"), 0.0).standing(KEY, 10, frozenset("a"))
    said = sum_up(
        condition(policy(), report(*(("default",) if own == "a" else ())), own), own, frozenset("a"), standing
    )
    assert (said.ready.reason, said.ready.message) == ("Applied", "Applied in 1 zone with senders.")


def test_a_zone_that_fails() -> None:
    """It is named with its message, others like it are counted, and each has a condition."""
    said = summed([zone("a"), zone("b", video=WAITS)], "ab")
    assert said.summary == "Not applied in zone b: Waiting for logical switch x."
    assert (said.ready.status, said.ready.reason) == ("False", "WaitingForSwitch")
    assert said.ready.message == f"{said.summary} (1 of 2 zones are ready)"
    assert [(each.type, each.status, each.message) for each in said.conditions[1:]] == [
        ("Ready-In-Zone-b", "False", "Waiting for logical switch x.")
    ]
    more = summed([zone("a"), zone("b", video=WAITS), zone("c", video=WAITS)], "abc")
    assert more.summary == "Not applied in zone b (and in 1 other zone): Waiting for logical switch x."
    assert more.counts == ZoneCounts(3, 1, 2)


def test_a_zone_that_is_behind() -> None:
    """A report that doesn't reach up to the policy's generation, or is none, counts for nothing."""
    said = summed([zone("a"), zone("b", 9)], "abc")
    assert said.summary == "Waiting for zone b and 1 other zone"
    assert (said.ready.status, said.ready.reason) == ("Unknown", "WaitingForZone")
    assert [each.type for each in said.conditions[1:]] == ["Ready-In-Zone-b", "Ready-In-Zone-c"]
    assert summed([zone("a"), zone("b", 9, video=WAITS)], "ab").ready.reason == "WaitingForZone"


def test_a_namespace_that_is_pending() -> None:
    """Of a namespace with something to write only what was done before counts; others don't wait for it."""
    pending = ZoneReport("b", 20, {"team-a": 9, "team-c": 3})
    assert summed([zone("a"), pending], "ab").ready.reason == "WaitingForZone"
    assert summed([zone("a"), pending], "ab", needed=9).ready.status == "True"
    assert summed([zone("a"), ZoneReport("b", 20, {"team-b": 9})], "ab").ready.status == "True"


def test_a_silent_zone() -> None:
    """A zone that hasn't renewed its report is named with the time of the last; one that fails weighs more."""
    said = summed([zone("a"), zone("b")], "ab", silent="b")
    assert said.summary == "No report from zone b since 2026-11-24T10:00:00Z"
    assert (said.ready.status, said.ready.reason) == ("Unknown", "ZoneSilent")
    assert said.conditions[1].type == "Ready-In-Zone-b"
    assert summed([zone("a"), zone("b"), zone("c", video=WAITS)], "abc", silent="b").ready.status == "False"


def test_a_silent_zone_without_senders() -> None:
    """A zone in which nobody sends may be silent, or missing, or fail."""
    said = summed([zone("a"), zone("b", video=WAITS), zone("c")], "a", zones="abcd", silent="c")
    assert said.ready.status == "True"


@pytest.mark.parametrize("reason", ["TooLarge", "Invalid"])
def test_a_zone_that_can_not_tell_whether_it_has_senders(reason: str) -> None:
    """It counts for whoever sums up, as it does where it sums up itself; not if it is silent, or hasn't looked."""
    failing = ZoneFinding(reason, "why")
    assert summed([zone("a"), zone("b", video=failing)], "a", zones="ab").ready.reason == reason
    assert summed([zone("a"), zone("b", video=failing)], "a", zones="ab", silent="b").ready.status == "True"
    assert summed([zone("a"), zone("b", 9, video=failing)], "a", zones="ab").ready.status == "True"
    assert summed([zone("a"), zone("b", video=failing)], "a", zones="a").ready.status == "True"


def test_an_invalid_policy() -> None:
    """What is wrong with the policy itself needs no zone's word."""
    said = summed([zone("a")], "", mine=condition(policy(valid=False), INVALID, "a"), fails_everywhere=True)
    assert (said.ready.status, said.ready.reason, len(said.conditions)) == ("False", "Invalid", 1)
    assert said.summary == "Not applied: spec.egress[0].classifier.to[0].ipBlock.cidr: 'bogus' is not a CIDR"


def test_warnings_of_other_zones() -> None:
    """What a zone warns of is said, once, whichever zone says it."""
    mine = condition(policy(), report("default", warnings=("here",)), "a")
    warned = ZoneFinding("Applied", "there")
    said = summed([zone("a"), zone("b", video=warned), zone("c", video=warned)], "abc", mine=mine)
    assert said.ready.message == "Applied in 3 zones with senders. Warning: here there"


@pytest.mark.parametrize("lacking", ["silent", "behind", "failing"])
def test_warnings_while_a_zone_is_not_well(lacking: str) -> None:
    """What zones warn of is said as well while another one has not applied the policy, as on moving node by node."""
    mine = condition(policy(), report("default", warnings=("here",)), "a")
    warned = zone("b", video=ZoneFinding("Applied", "there"))
    third = {"silent": zone("c"), "behind": zone("c", 9), "failing": zone("c", video=WAITS)}[lacking]
    said = summed([zone("a"), warned, third], "abc", mine=mine, silent="c" if lacking == "silent" else "")
    assert said.ready.status != "True"
    assert said.ready.message.endswith("(2 of 3 zones are ready) Warning: here there")


def test_a_zone_that_fails_repeats_no_warning() -> None:
    """Its own message has the warnings already."""
    lacks = Lacking(("x",))
    mine = condition(policy(), report("default", warnings=("here",)), "a", lacks)
    said = summed([zone("a", video=WAITS), zone("b", video=ZoneFinding("Applied", "there"))], "ab", mine=mine)
    assert said.ready.message.endswith("database yet. (1 of 2 zones are ready) Warning: here there")


def test_a_report_survives_its_text() -> None:
    """What was encoded is read again; anything else is no report."""
    full = ZoneReport(
        "b", 20, {"team-a": 9}, {KEY: WAITS}, {"team-b": Digests(["team-b/x", "team-b/y"]), "team-c": Digests()}
    )
    assert decode_report(full.encode()) == full
    assert [decode_report(text) for text in ("", "5", "{}", '{"zone": 1, "version": 2}', "\ud800")] == [None] * 5


def test_findings() -> None:
    """Zones report what fails there; not what fails everywhere, unless only this daemon can't make anything of it.

    And nothing of an applied policy without senders there, which nobody asks about. Of others no zone knows whether it
    has senders; limits may be others in another zone, and another one may not know yet that there is room again.
    """
    invalid, late = condition(policy(valid=False), INVALID, "z"), condition(policy(), report(), "z", Lacking(("x",)))
    warned = condition(policy(), report("default", warnings=("w",)), "z")
    beyond = replace(MINE, status="False", reason="TooLarge", message="m")
    tied = replace(beyond, reason="TooManyTies")
    here, elsewhere = frozenset("yz"), frozenset("y")
    standings = {
        "invalid": PolicyStanding(policy(), invalid, None, fails_everywhere=True),
        "ours": PolicyStanding(policy(), invalid, frozenset(), fails_everywhere=True),
        "beyond a limit": PolicyStanding(policy(), beyond, frozenset(), fails_everywhere=True),
        "tied": PolicyStanding(policy(), tied, frozenset(), fails_everywhere=True),
        "of too many members": PolicyStanding(policy(), beyond, frozenset()),
        "well": PolicyStanding(policy(), MINE, here),
        "warned": PolicyStanding(policy(), warned, here),
        "late": PolicyStanding(policy(), late, here),
        "late, one of any zones": PolicyStanding(policy(), late, None),
        "late, of another zone": PolicyStanding(policy(), late, elsewhere),
        "late, of none": PolicyStanding(policy(), late, frozenset()),
    }
    found = {key: each.finding("z", is_ours=key == "ours") for key, each in standings.items()}
    assert {key for key, each in found.items() if each and each.is_everywhere} == {"beyond a limit", "tied"}
    assert {key: (each.reason, each.message) for key, each in found.items() if each is not None} == {
        "ours": ("Invalid", invalid.message),
        "beyond a limit": ("TooLarge", "m"),
        "tied": ("TooManyTies", "m"),
        "of too many members": ("TooLarge", "m"),
        "warned": ("Applied", "w"),
        "late": ("WaitingForSwitch", late.message),
        "late, one of any zones": ("WaitingForSwitch", late.message),
    }


def test_very_many_policies_beyond_limits_are_not_reported() -> None:
    """Each zone knows of them; of no more than a thousand each is known, since limits may differ."""
    beyond, late = ZoneFinding("TooLarge", "m", is_everywhere=True), ZoneFinding("WaitingForSwitch", "m")
    few, many = ({f"a/{number:04}": beyond for number in range(most)} for most in (1_000, 1_001))
    found = NamespaceFindings.of(few)
    assert (len(found.findings), len(found.others)) == (0, 1_000)
    assert NamespaceFindings.of(many | {"a/late": late}) == NamespaceFindings({"a/late": late})


def test_what_fails_everywhere() -> None:
    """What follows from the policies alone; rows and members depend on the zone."""

    def failing(limit: str) -> PolicyReport:
        return replace(report(), ready=False, problems=(Problem("spec", "m", limit),))

    limits = [each.name for each in attrs.fields(Limits)]
    assert {each for each in limits if not fails_everywhere(failing(each))} == {
        "rows",
        "members",
        "namespace_rows",
        "namespace_members",
    }
    assert fails_everywhere(INVALID)
    assert not fails_everywhere(report())


def test_a_policy_without_senders_that_fails() -> None:
    """Nobody reports it, and each zone knows it."""
    failing = replace(MINE, status="False", reason="TooLarge", message="m")
    said = summed([zone("a"), zone("b")], "", zones="ab", mine=failing)
    assert (said.ready.status, said.ready.reason) == ("False", "TooLarge")
    assert summed([zone("a", 9), zone("b")], "", zones="ab", mine=failing).ready.reason == "WaitingForZone"


def test_a_namespace_of_failures_costs_nobody_else() -> None:
    """Of a namespace in which more policies fail than a report lists all others count as failing, and no other's."""
    failing = replace(MINE, status="False", reason="Blocked", message="m" * 5000)
    found, overflow = listed_of((f"bad/{number:04}", failing) for number in range(1000))
    assert (len(found), list(overflow)) == (OF_NAMESPACE, ["bad"])
    told = ZoneReport("b", 20, {}, found, overflow)
    assert len(told.encode()) < 20_000
    assert summed([zone("a"), told], "ab").ready.status == "True"


def test_of_many_failures_each_is_known() -> None:
    """Of a namespace in which very many policies fail, those that don't are Ready, and no other, whoever sums up."""
    failing = replace(MINE, status="False", reason="Blocked", message="m")
    found, overflow = listed_of((f"team-a/{number:04}", failing) for number in range(1000))
    reported = decode_report(ZoneReport("b", 20, {}, found, overflow).encode())
    assert reported is not None
    assert reported.overflow == overflow
    held = Reports()
    held.listed([Renewal(each, "2026-11-24T10:00:00Z") for each in (zone("a"), reported)], 0.0)
    view = held.view(frozenset("ab"), 0.0)
    keys = [*(f"team-a/{number:04}" for number in range(1000)), "team-a/1000", "team-a/video", "team-b/0001"]
    fails = [key for key in keys if view.standing(key, 10, frozenset("ab")).failing]
    assert fails == keys[:1000]
    others = [key for key in fails if key not in found]
    said = {each.message for key in others for each in view.standing(key, 10, frozenset("ab")).failing.values()}
    assert said == {"too many policies of namespace team-a fail there to say why each does"}


def test_of_many_failures_of_a_version_before_any_may_be_one() -> None:
    """A report that names a namespace and says nothing more calls none of its policies applied but those it names."""
    text = '{"zone":"b","version":10,"findings":{"team-a/audio":["Blocked",""]},"overflow":["team-a"]}'
    told = decode_report(text)
    assert told is not None
    assert summed([zone("a"), told], "ab").ready.reason == "Blocked"
    assert (
        summed([zone("a"), replace(told, overflow={"team-a": Digests(["team-a/audio"])})], "ab").ready.status == "True"
    )


@pytest.mark.parametrize("digests", ["x", "AAA=", "é", "AAAAAAA="])
def test_a_report_with_digests_that_are_none_is_none(digests: str) -> None:
    """Nothing of it is believed."""
    assert decode_report(f'{{"zone":"b","version":10,"overflow":["a"],"digests":{{"a":"{digests}"}}}}') is None


def test_of_many_failures_this_zone_says_its_own_reason() -> None:
    """What is beyond the findings that a report lists has its reason all the same where the same zone sums up."""
    failing = condition(policy(), report(), "a", Lacking(switches=("x",)))
    crowded = ZoneReport("a", 10, overflow={"team-a": Digests([KEY])})
    said = summed([crowded], "a", zones="a", mine=failing)
    assert (said.ready.reason, said.ready.message) == (
        "WaitingForSwitch",
        f"Not applied in zone a: {failing.message}",
    )
    assert [(each.reason, each.message) for each in said.zones] == [("WaitingForSwitch", failing.message)]


def test_a_report_fits_into_an_annotation() -> None:
    """Of a report that would be too long some namespaces are named alone, until it fits, and no more of them."""
    findings = {f"{'n' * 60}-{number}/{'p' * 250}": ZoneFinding("Blocked") for number in range(2000)}
    told = ZoneReport("b", 20, {}, findings)
    text = told.encode()
    assert LARGEST - 2_000 < len(text) <= LARGEST
    again = decode_report(text)
    assert again is not None
    namespaces = {key.partition("/")[0] for key in again.findings}
    assert (len(namespaces | again.overflow.keys()), namespaces & again.overflow.keys()) == (2000, set())


def test_very_many_namespaces_with_few_failures_cost_no_other() -> None:
    """What is listed however long the report is makes nobody else's policies count as failing."""
    theirs = {f"{'n' * 59}{number:04}/p": ZoneFinding("Blocked") for number in range(600)}
    mine = {f"team/{number}": ZoneFinding("Blocked") for number in range(9)}
    told = decode_report(ZoneReport("b", 20, {}, theirs | mine).encode())
    assert told is not None
    assert (told.findings, told.overflow) == (theirs | mine, {})


def test_few_failures_in_many_namespaces_are_digested_beyond_a_larger_size() -> None:
    """A thousand zones may write such reports at each change; which policies fail is known all the same."""
    theirs = {
        f"{each:03}{'n' * 40}/{number}{'p' * 240}": ZoneFinding("Blocked") for each in range(110) for number in range(5)
    }
    mine = {f"team/{number}": WAITS for number in range(5)}
    told = decode_report(text := ZoneReport("b", 20, {}, theirs | mine).encode())
    assert told is not None
    assert LONG < len(text) <= LONGER + 2_000
    assert all(told.findings[key] == WAITS for key in mine)
    assert all(key in told.findings or digest_of(key) in told.overflow[key.partition("/")[0]] for key in theirs)
    assert all(told.overflow.values())
    assert len(told.findings) + sum(map(len, told.overflow.values())) == len(theirs | mine)


def test_what_digests_do_not_shorten_much_is_listed_though_others_are_digested() -> None:
    """However many namespaces have long names: who has few findings has them, with the reasons."""
    theirs = {f"{each:03}{'n' * 60}/{'p' * 240}": ZoneFinding("Blocked") for each in range(500)}
    mine = {f"team-{each}/{number}": ZoneFinding("WaitingForSwitch", "w") for each in range(8) for number in range(2)}
    told = decode_report(ZoneReport("b", 20, {}, theirs | mine).encode())
    assert told is not None
    assert all(told.findings[key].reason == "WaitingForSwitch" for key in mine)
    assert len(told.overflow) == len(theirs)


def test_what_is_hardly_shorter_as_digests_costs_nobody_else() -> None:
    """However many namespaces there are in each of which one policy fails: others are listed with their reasons."""
    theirs = {f"{each:04}{'n' * 59}/w": WAITS for each in range(1200)}
    mine = {f"team/a-rather-usual-name-{number}": WAITS for number in range(5)}
    told = decode_report(ZoneReport("b", 20, {}, {key: ZoneFinding("Blocked") for key in theirs} | mine).encode())
    assert told is not None
    assert all(told.findings[key] == WAITS for key in mine)
    assert (len(told.findings), told.overflow) == (1205, {})


def test_a_long_report_digests_what_there_is_most_of() -> None:
    """Each policy that fails is known, those that fail are no others, and who has little to say is listed."""
    failing = {f"team-{each}/{number:03}": ZoneFinding("Blocked", "m") for each in range(10) for number in range(99)}
    told = ZoneReport("b", 20, {}, failing | {"team-x/audio": WAITS})
    assert len(told.encode()) <= LONG + 500
    again = decode_report(told.encode())
    assert again is not None
    assert again.findings["team-x/audio"] == WAITS
    listed = {key for key in again.findings if again.findings[key].fails}
    known = {key for key in failing if key in listed or digest_of(key) in again.overflow[key.partition("/")[0]]}
    assert known == failing.keys()
    assert sum(map(len, again.overflow.values())) + len(listed) == len(failing) + 1


def test_digests_take_the_place_of_what_is_longer() -> None:
    """Where one policy fails in each of very many namespaces, a digest would be longer, and others aren't to blame."""
    found = {f"{'n' * 36}{number:04}/p": ZoneFinding("Blocked") for number in range(999)}
    told = decode_report(ZoneReport("b", 20, {}, found).encode())
    assert told is not None
    assert (told.findings, told.overflow) == (found, {})


def test_a_long_report_costs_who_has_little_to_say_nothing() -> None:
    """What fails in namespaces with few failures is said, with why, however much fails in some others."""
    theirs = {f"bad-{each}/{number:04}": ZoneFinding("Blocked", "m" * 99) for each in range(9) for number in range(999)}
    mine = {f"team-{each}/web": WAITS for each in range(8)} | {"team-0/warned": ZoneFinding("Applied", "w")}
    by_namespace: dict[str, dict[str, ZoneFinding]] = {}
    for key, finding in (theirs | mine).items():
        by_namespace.setdefault(key.partition("/")[0], {})[key] = finding
    found, overflow = together({name: NamespaceFindings.of(each) for name, each in by_namespace.items()})
    text = ZoneReport("b", 20, {}, found, overflow).encode()
    told = decode_report(text)
    assert told is not None
    assert len(text) <= LONG + 500
    assert {key: told.findings.get(key) for key in mine} == mine
    assert sum(map(len, told.overflow.values())) > 2 * 999


def test_who_has_a_message_is_not_cut_before_who_has_none() -> None:
    """Though that is longer: of very many namespaces in which one policy fails those are cut that have long names."""
    theirs = {f"{'n' * 36}{number:04}/p": ZoneFinding("Blocked") for number in range(600)}
    mine = {f"team-{each}/web": ZoneFinding("WaitingForSwitch", "m" * 200) for each in range(8)}
    told = decode_report(ZoneReport("b", 20, {}, theirs | mine).encode())
    assert told is not None
    assert {key: told.findings.get(key) for key in mine} == mine
    assert all(key in told.findings for key in theirs)


def test_what_is_listed_no_more_is_digested_with_the_others() -> None:
    """A namespace of which only some were listed has all that fail among its digests."""
    failing = {f"team-a/{number:04}": ZoneFinding("Blocked", "m" * 300) for number in range(5000)}
    of_namespace = NamespaceFindings.of(failing)
    told = decode_report(ZoneReport("b", 20, {}, of_namespace.findings, {"team-a": of_namespace.others}).encode())
    assert told is not None
    assert (len(told.findings), len(told.overflow["team-a"])) == (0, 5000)


def test_long_names_of_failures_cost_nobody_else() -> None:
    """However much fails in some namespaces, in another one what is well stays well, and what fails says why."""
    failing = replace(MINE, status="False", reason="TooLarge", message='"' * MAX_MESSAGE)
    theirs = {f"{number:02}{'n' * 60}/{policy:02}{'p' * 240}": failing for number in range(15) for policy in range(60)}
    mine = replace(failing, reason="WaitingForSwitch", message="why")
    found, overflow = listed_of([*theirs.items(), ("team-b/audio", mine)])
    told = decode_report(ZoneReport("b", 20, {}, found, overflow).encode())
    assert told is not None
    assert told.findings["team-b/audio"] == ZoneFinding("WaitingForSwitch", "why")
    assert "team-b" not in told.overflow
    assert {key.partition("/")[0] for key in theirs} <= told.overflow.keys()


def test_a_report_is_urgent_when_it_reaches_what_others_wait_for() -> None:
    """Not before, as it tells them nothing, nor 20 s later; also where a namespace was late, or versions go back."""
    state = ZoneState()

    def committed(version: int, *policies: NetworkQoS, pending: str = "") -> bool:
        state.is_urgent = False
        progress = Progress("a", version, frozenset("ab"), frozenset({pending} - {""}))
        state.committed(progress, [PolicyStanding(each, MINE, frozenset("a")) for each in policies], (), 0.0)
        return state.is_urgent

    first, second, third = (attrs.evolve(policy(), name=name, resource_version=name) for name in ("10", "20", "5"))
    assert committed(10, first)
    assert not committed(11)
    assert not committed(20, second, pending="team-a")
    assert not committed(21, pending="team-a")
    assert committed(22)
    assert not committed(23)
    assert not committed(19, attrs.evolve(second, name="19", resource_version="24"))
    assert committed(24)
    assert not committed(23, attrs.evolve(second, name="30", resource_version="30"))
    assert committed(5, third)


def test_a_round_costs_no_look_at_what_fails_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """One namespace may have tens of thousands of policies that fail; only those are looked at that stand otherwise."""
    look, lists = Mock(wraps=finding_of), Mock(wraps=NamespaceFindings.of)
    monkeypatch.setattr(zone_state, "finding_of", look)
    monkeypatch.setattr(NamespaceFindings, "of", lists)
    state, failing = ZoneState(), replace(MINE, status="False", reason="TooLarge", message="m")
    theirs = [NetworkQoS("bad", f"{number}") for number in range(100)]
    progress = Progress("a", 20, frozenset("ab"))
    state.committed(progress, [PolicyStanding(each, failing, frozenset("a")) for each in theirs], (), 0.0)
    look.reset_mock()
    lists.reset_mock()
    state.committed(progress, [PolicyStanding(policy(), failing, frozenset("a"))], (), 1.0)
    assert (look.call_count, lists.call_count) == (1, 1)
    assert state.report is not None
    assert state.report.findings[KEY] == ZoneFinding("TooLarge", "m")
    state.committed(progress, (), [KEY, *(each.key for each in theirs)], 2.0)
    assert state.report.findings == {}


@pytest.mark.parametrize("number", [1, 20, 1000])
def test_the_status_is_bounded(number: int) -> None:
    """However many zones fail and whatever they say, ten have a condition, and the status is below 16 KiB."""
    names = [f"node-{index:04}.{'x' * 200}" for index in range(number)]
    finding = ZoneFinding("Blocked", "é" * 256)
    reports = [zone(name, video=finding) for name in names]
    said = summed(reports, names, zones=names)
    write = PolicyStatus(policy(), said).write("2026-11-24T12:00:00Z", 0.0)
    assert write is not None
    assert len(said.conditions) == 1 + min(number, 10)
    assert said.counts == ZoneCounts(number, 0, number)
    body: Mapping[str, object] | object = write.body[-1]
    assert len(json.dumps(body, ensure_ascii=False).encode()) < 16_384


def test_who_hears_of_some_pods_asks_all_zones() -> None:
    """Where senders may be anywhere each zone counts, and one that fails is named though nobody knows of any there."""

    def said(*reports: ZoneReport, silent: str = "") -> StatusVerdict:
        held = Reports()
        held.listed([Renewal(each, "2026-11-24T10:00:00Z") for each in reports], 0.0)
        for each in reports:
            if each.zone not in silent:
                held.renewed(Renewal(each, "2026-11-24T10:01:00Z"), OLD)
        zones = frozenset("abc")
        return sum_up(MINE, "a", zones, held.view(zones, OLD).standing(KEY, 10, zones), knows_senders=False)

    well = said(zone("a"), zone("b"), zone("c"))
    assert (well.ready.status, well.ready.message, well.counts) == ("True", "Applied in all 3 zones.", ZoneCounts(3, 3))
    assert said(zone("a"), zone("b", video=WAITS), zone("c")).ready.reason == "WaitingForSwitch"
    assert said(zone("a"), zone("b", 9), zone("c")).ready.reason == "WaitingForZone"
    assert said(zone("a"), zone("b"), zone("c"), silent="c").ready.reason == "ZoneSilent"


@pytest.mark.parametrize("lacks", ["switches", "obstacles"])
def test_the_status_of_a_policy_on_many_switches_is_bounded(lacks: str) -> None:
    """Where one database has its rows on 400 switches and something is wrong with each, it is below 16 KiB too."""
    each = tuple(f"{number}-{'é' * 1000}" for number in range(400))
    networks = tuple(f"network-{number}-{'n' * 200}" for number in range(400))
    lacking = Lacking(switches=each) if lacks == "switches" else Lacking(obstacles=each)
    mine = condition(policy(), report(*networks, warnings=each), "a", lacking)
    findings, overflow = listed_of([(KEY, mine)])
    said = summed([ZoneReport("a", 10, {}, findings, overflow)], "a", zones="a", mine=mine)
    write = PolicyStatus(policy(), said).write("2026-11-24T12:00:00Z", 0.0)
    assert write is not None
    assert said.ready.status == "False"
    assert len(json.dumps(write.body[-1], ensure_ascii=False).encode()) < 16_384
