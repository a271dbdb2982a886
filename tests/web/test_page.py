"""The status page in a real browser, on a screen of a phone's size.

The picture of it in docs is made by `tests/statistics/test_show.py`, where there is traffic to count.
"""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

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


def shown(browser: Browser, daemon: Nqosd) -> str:
    """Open the page; gives what a reader sees."""
    browser.open(f"http://127.0.0.1:{daemon.port}/")
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
    assert f"no statistics from {away}: Cannot connect to host 127.0.0.1:1" in text
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
