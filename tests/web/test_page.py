"""The status page in a real browser, on a screen of a phone's size.

The picture of it in docs is made by `tests/statistics/test_show.py`, where there is traffic to count.
"""

import json
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from nqosd.commands.get_tables import detail as detail_tables
from nqosd.web.page import Asked, _policies
from nqosd.web.policy_page import MembersPage, policy_page
from nqosd.web.views import (
    PolicyDetail,
    PolicyState,
    RivalState,
    RowState,
    RuleState,
    SelectionState,
    Statistics,
)
from tests.services.browser import PHONE, Browser
from tests.services.daemon import Nqosd
from tests.services.ovsdb import OvsdbServer

GUIDE = Path("docs/examples/guide").resolve()
FONT_SIZES = "[...document.querySelectorAll('body *')].map(each => parseFloat(getComputedStyle(each).fontSize)).join()"
EVIL = "<script>document.title = 'owned'</script><img src=x onerror=\"document.title = 'owned'\">"
BROKEN = f"""
apiVersion: k8s.ovn.org/v1alpha1
kind: NetworkQoS
metadata: {{name: broken, namespace: default}}
spec:
  priority: 5
  egress:
  - dscp: 64
    classifier:
      to: [{{ipBlock: {{cidr: {json.dumps(EVIL)}}}}}]
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Give a folder with the guide's manifests."""
    for manifest in GUIDE.iterdir():
        shutil.copy(manifest, tmp_path)
    return tmp_path


@pytest.fixture
def daemon(ovsdb_nb: OvsdbServer, folder: Path) -> Iterator[Nqosd]:
    """Run the daemon on that folder, with the switches of the guide."""
    for switch in ("ovn.stream_ovn-worker", "ovn.stream_ovn-worker2"):
        ovsdb_nb.nbctl("ls-add", switch)
    with Nqosd([ovsdb_nb.unix], manifests=[folder]) as running:
        running.wait_until(lambda: running.metric("nqosd_replica_rows", table="QoS") == 2, what="done with the guide")
        running.settle()
        yield running


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Run a browser."""
    with Browser() as running:
        yield running


def shown(browser: Browser, daemon: Nqosd, path: str = "") -> str:
    """Open the page, or another one; gives what a reader sees."""
    browser.open(f"http://127.0.0.1:{daemon.port}/{path}")
    return browser.text()


def test_what_a_phone_shows(browser: Browser, daemon: Nqosd) -> None:
    """Role, lock, policy, rounds and informers can be read without scrolling sideways, in letters of a good size."""
    text = shown(browser, daemon)
    assert text.startswith("nqosd active")
    assert "nqosd, held: this daemon writes" in text
    assert "Policies: 1, 0 with trouble" in text
    assert "default/qos-external Applied" in text
    assert "In force on network ovn-stream." in text
    assert "transactions committed\t1" in text
    assert "NetworkQoS\t1\tall known" in text
    assert browser.evaluate("[innerWidth, innerHeight]") == list(PHONE)
    assert browser.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert min(map(float, str(browser.evaluate(FONT_SIZES)).split(","))) >= 13
    assert browser.evaluate("document.querySelector('#problems')") is None
    browser.evaluate("document.querySelector('details').open = true")
    row = "rule 0 on ovn.stream_ovn-worker2: to-lport, priority 12180, DSCP 20, 20000 kbps, burst 100 kb"
    assert row in browser.text()
    assert browser.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert "dropped" not in browser.text()


def test_text_from_outside_stays_text(browser: Browser, daemon: Nqosd, folder: Path) -> None:
    """What a policy contains is shown as it is written, and runs nothing; the policy with trouble stands first."""
    (folder / "broken.yaml").write_text(BROKEN)
    daemon.wait_until(lambda: daemon.metric("nqosd_policies", state="Invalid") == 1, what="done with a policy")
    text = shown(browser, daemon)
    assert "Policies: 2, 1 with trouble" in text
    assert "<script>document.title = 'owned'</script><img src=x" in text
    assert "spec.egress[0].dscp: 64 is not an integer from 0 to 63" in text
    assert text.index("default/broken Invalid") < text.index("default/qos-external Applied")
    assert browser.evaluate("document.title") == "nqosd"
    assert browser.evaluate("document.querySelectorAll('script, img').length") == 0
    assert browser.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_a_filter(browser: Browser, daemon: Nqosd, folder: Path) -> None:
    """Policies are narrowed by namespace and by any text of theirs, without a script, and what was asked stays text."""
    (folder / "broken.yaml").write_text(BROKEN.replace("namespace: default", "namespace: other"))
    daemon.wait_until(lambda: daemon.metric("nqosd_policies", state="Invalid") == 1, what="done with a policy")
    text = shown(browser, daemon)
    assert "other/broken" in text
    assert "default/qos-external" in text
    browser.evaluate("document.querySelector('[name=namespace]').value = 'default'")
    browser.evaluate("document.querySelector('button').click()")
    while "namespace=default" not in str(browser.evaluate("location.search")):
        time.sleep(0.1)
    text = shown(browser, daemon, "?namespace=default&text=IN+FORCE")
    assert "Policies: 2, 1 with trouble" in text
    assert "1 policy of these; all" in text
    assert "default/qos-external" in text
    assert "other/broken" not in text
    assert "0 policies of these" in shown(browser, daemon, "?text=%3Cscript%3Edocument.title%20=%201%3C/script%3E")
    assert browser.evaluate("document.title") == "nqosd"


def test_the_page_of_a_policy(browser: Browser, daemon: Nqosd, folder: Path) -> None:
    """It has rules, rows with their matches, sets with their members, and the rows of others that win."""
    above = (GUIDE / "nqos.yaml").read_text().replace("priority: 10", "priority: 90").replace("qos-external", "above")
    (folder / "above.yaml").write_text(above)
    daemon.wait_until(lambda: daemon.metric("nqosd_replica_rows", table="QoS") == 4, what="done with a policy")
    shown(browser, daemon)
    assert "/policy/default/above" in str(browser.evaluate("document.querySelector('article a').href"))
    text = shown(browser, daemon, "policy/default/qos-external")
    assert text.startswith("NetworkQoS default/qos-external Applied")
    assert "0\t20\t20000 kbps, burst 100 kb\tto 0.0.0.0/0 except 10.11.12.13/32, " in text
    assert "Rows: 2" in text
    assert "ip4.src == $nqosd_" in text
    assert "ip4.dst == {0.0.0.0/0 except 10.11.12.13, 172.16.0.0/12, 192.168.0.0/16}" in text
    assert text.count("as OVN has it") == 2
    whole = str(browser.evaluate("document.querySelector('li details code').textContent"))
    assert "ip4.dst == {0.0.0.0/5, 8.0.0.0/7, 10.0.0.0/13, " in whole
    assert "Sets: 2" in text
    assert "10.245.4.3" in text
    assert "default/above\t0\tovn.stream_ovn-worker\t28180 over 12180\t1" in text
    assert browser.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert "Loses to" not in shown(browser, daemon, "policy/default/above")
    assert "there is no NetworkQoS default/none" in shown(browser, daemon, "policy/default/none")


def test_pages_are_bounded() -> None:
    """However large a policy, its page and the list stay small, and each member can be turned to."""
    problems = ("x" * 5_000,) * 30
    policy = PolicyState("ns", "p", 1, ready=False, reason="Large", message="m" * 32_768, problems=problems,
                         warnings=("w",) * 30, networks=(), switches=(), rows=5_000)  # fmt: skip
    row = RowState("ns/p", 0, "", "net", "switch", "to-lport", 1, 2, 3, None, "ip4" * 100_000, waits=False)
    members = tuple(f"10.{number >> 8}.{number & 255}.1" for number in range(1_000))
    detail = PolicyDetail(
        policy, (RuleState(0, "y" * 100_000, 1, 2, 3),) * 1_000, (row,) * 5_000,
        tuple(SelectionState(f"nqosd_{number}", "address set", "of", members) for number in range(500)),
        (RivalState("ns/q", 0, "switch", 2, 1, 1),) * 5_000, more_rivals=True, statistics=(),
    )  # fmt: skip
    assert len(policy_page(detail, MembersPage())) < 2_000_000
    assert "there are more" in policy_page(detail, MembersPage())
    assert "there are more" not in policy_page(msgspec.structs.replace(detail, more_rivals=False), MembersPage())
    titles = [title for title, _table, _entries in detail_tables(msgspec.structs.asdict(detail))]
    assert "loses to these, found first, and to more" in titles
    assert members[500] not in policy_page(detail, MembersPage())
    assert members[500] in policy_page(detail, MembersPage("nqosd_7", 500))
    assert len("".join(_policies([policy] * 5_000, [row] * 5_000, Statistics((), {}), Asked()))) < 5_000_000


def test_a_script_could_not_run(browser: Browser, daemon: Nqosd) -> None:
    """Even markup that got into the page runs nothing and loads nothing: the security policy forbids it."""
    shown(browser, daemon)
    put = "(() => {{ const each = document.createElement('{0}'); {1}; document.body.append(each); return 1 }})()"
    assert browser.evaluate(put.format("script", "each.textContent = 'document.title = 1'")) == 1
    assert (
        browser.evaluate(put.format("img", "each.setAttribute('onerror', 'document.title = 2'); each.src = 'x:'")) == 1
    )
    assert browser.evaluate("document.title") == "nqosd"


def test_an_exporter_that_does_not_answer(browser: Browser, ovsdb_nb: OvsdbServer, folder: Path) -> None:
    """An exporter that is away is named with the reason, and the page is there all the same."""
    away = "http://127.0.0.1:1"
    with Nqosd([ovsdb_nb.unix], manifests=[folder], options={"stats": {"endpoints": [away]}}) as running:
        text = shown(browser, running)
    assert f"no statistics from {away}: Connection refused; does `nqosd stats` listen there?" in text
    assert "Policies: 1" in text


def test_a_database_that_is_gone(browser: Browser, daemon: Nqosd, ovsdb_nb: OvsdbServer) -> None:
    """What is waited for stands first, with the reason."""
    ovsdb_nb.stop()
    daemon.wait_until(lambda: daemon.probe("readyz")[0] == 503, what="aware of it")
    text = shown(browser, daemon)
    assert text.startswith("nqosd unknown")
    assert "waiting for northbound: " in text
    assert "not held: this daemon writes nothing" in text
    assert "(not connected)" in text
