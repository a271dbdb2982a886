"""`python -m tools.docs.screenshots`: pictures of the site and of the status page, for somebody who looks at them.

In: build/site (`make docs`), and a daemon with the guide's objects. Out: build/screenshots, each page on desk and
phone, light and dark. Rule: nothing here passes or fails; whether it is ugly, a person says.
"""

import shutil
import sys
import tempfile
from pathlib import Path

from tests.checkout import ROOT
from tests.services.browser import DESK, PHONE, Browser
from tests.services.daemon import Nqosd
from tests.services.generation import GENERATIONS
from tests.services.ovsdb import OvsdbServer
from tools.docs.serving import serving

OUT = ROOT / "build/screenshots"
PAGES = ("", "install/", "choosing/", "networkqos/", "dataplane-matrix/", "faq/")
STATUS_PAGES = ("", "policy/default/qos-external")


def main() -> int:
    """Take all of them; names on the command line choose pages of the site."""
    shutil.rmtree(OUT, ignore_errors=True)
    OUT.mkdir(parents=True)
    with serving(ROOT / "build/site") as site:
        _take(site, "site", tuple(f"{name}/" for name in sys.argv[1:]) or PAGES)
    if not sys.argv[1:]:
        _status_page()
    return 0


def _status_page() -> None:
    with tempfile.TemporaryDirectory() as folder, OvsdbServer(GENERATIONS[-1]) as database:
        for file in (ROOT / "docs/examples/guide").iterdir():
            shutil.copy(file, folder)
        for switch in ("ovn.stream_ovn-worker", "ovn.stream_ovn-worker2"):
            database.nbctl("ls-add", switch)
        with Nqosd([database.unix], manifests=[Path(folder)]) as daemon:
            daemon.wait_until(lambda: daemon.metric("nqosd_replica_rows", table="QoS") == 2, what="done with the guide")
            _take(f"http://127.0.0.1:{daemon.port}", "status", STATUS_PAGES)


def _take(base: str, kind: str, pages: tuple[str, ...]) -> None:
    for where, size in {"desk": DESK, "phone": PHONE}.items():
        with Browser(size=size) as browser:
            for scheme in ("light", "dark"):
                browser.prefer(scheme)
                for page in pages:
                    browser.open(f"{base}/{page}")
                    file = OUT / f"{kind}-{page.strip('/').replace('/', '-') or 'index'}-{where}-{scheme}.png"
                    browser.picture(file)
                    print(file.relative_to(ROOT))


if __name__ == "__main__":
    sys.exit(main())
