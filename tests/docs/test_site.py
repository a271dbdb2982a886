"""The pages build into a site without a warning; every link leads somewhere, and every page can be found."""

import functools
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from nqosd import __version__
from tests.checkout import ROOT
from tests.docs.console import blocks
from tests.services.browser import DESK, Browser
from tools.docs.generate import files
from tools.docs.hooks import LISTED
from tools.docs.serving import serving

FEWEST_WORDS = 40
DOCS = ROOT / "docs"
HOST = r"""["']?(?:https?:)?//[^>)]*"""
FOREIGN = re.compile(rf"<(?:script|img|iframe|link)[^>]*(?:src|href)={HOST}|url\({HOST}")
BY_SCRIPTS = (".md-search-result__link", ".md-version__link", ".md-code__button, .md-clipboard")
"""What scripts put into a page: what search found, the versions, and buttons that copy."""
LINK = re.compile(r"\]\((?!https?:|#)([^)#\s]+)")


def run(root: Path, *command: str) -> subprocess.CompletedProcess[str]:
    """Run a command of the site's tools on a checkout."""
    programs = Path(sys.executable).parent
    environment = {**os.environ, "PATH": f"{programs}:{os.environ['PATH']}", "NO_MKDOCS_2_WARNING": "1"}
    with_config = [*command, "--config-file", f"{root}/tools/docs/mkdocs.yml"]
    return subprocess.run(
        with_config, cwd=root, env=environment, check=False, capture_output=True, text=True, timeout=300
    )


def copied(folder: Path) -> Path:
    """Copy what the build reads, but for what pages only link to."""
    for part in ("docs", "tools/docs"):
        shutil.copytree(ROOT / part, folder / part)
    for part in (
        "nqosd",
        "config",
        "systemd",
        "tests",
        "README.md",
        "CHANGELOG.md",
        "SECURITY.md",
        "Makefile",
        "pyproject.toml",
    ):
        (folder / part).symlink_to(ROOT / part)
    for each in (ROOT / "tools").iterdir():
        if each.name != "docs":
            (folder / "tools" / each.name).symlink_to(each)
    return folder


def holds(browser: Browser, expression: str) -> bool:
    """Say whether an expression is true in the page that a browser shows."""
    return bool(browser.evaluate(expression))


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the site as a release makes it: a version of it in a branch, here taken out into a folder."""
    root = copied(tmp_path_factory.mktemp("checkout"))
    git = ["git", "-C", str(root)]
    for words in ("init -q", "config user.name x", "config user.email x@example.com", "commit -q --allow-empty -m x"):
        subprocess.run([*git, *words.split()], check=True)
    done = run(root, "mike", "deploy", "0.1", "latest", "--alias-type", "copy")
    assert done.returncode == 0, done.stdout + done.stderr
    made = tmp_path_factory.mktemp("site")
    archive = subprocess.run([*git, "archive", "gh-pages"], check=True, capture_output=True).stdout
    subprocess.run(["tar", "--extract", "--directory", str(made)], input=archive, check=True)
    return made


def test_the_site_builds(site: Path) -> None:
    """The strict build has nothing to complain of, and makes a page of each file in the folder of its version."""
    made = {page.parent.name for page in (site / "0.1").glob("*/index.html")}
    assert made >= {page.stem for page in DOCS.glob("*.md")} - {"index"}
    assert [each["version"] for each in json.loads((site / "versions.json").read_text())] == ["0.1"]


def test_no_page_loads_anything_from_elsewhere(site: Path) -> None:
    """No picture, script, font or style has an address of another host."""
    for file in (*(site / "0.1").rglob("*.html"), *(site / "0.1").rglob("*.css")):
        assert FOREIGN.findall(file.read_text()) == [], file


def test_the_site_works_in_a_browser(site: Path) -> None:
    """Search finds a page, versions are offered, blocks can be copied, and all that was loaded came from the site."""
    with serving(site) as base, Browser(size=DESK) as browser:
        browser.open(f"{base}/0.1/install/?q=burst")
        for selector in BY_SCRIPTS:
            found = f"document.querySelectorAll('{selector}').length > 0"
            browser.wait_until(functools.partial(holds, browser, found), what=f"showing {selector}")
        loaded = str(
            browser.evaluate("performance.getEntriesByType('resource').map(each => each.name).join(' ')")
        ).split()
        assert loaded
        assert [each for each in loaded if not each.startswith(base)] == []


def test_the_build_refuses_links_to_nowhere(tmp_path: Path) -> None:
    """A link to a page, a heading or a file that isn't there fails the build, and each is named."""
    wrong = ("nowhere.md", "concepts.md#no-such-heading", "../nowhere.toml")
    checkout = copied(tmp_path)
    page = checkout / "docs/concepts.md"
    page.write_text("\n".join([page.read_text(), *(f"[x]({link})" for link in wrong)]))
    done = run(checkout, "mkdocs", "build")
    assert done.returncode != 0
    said = done.stdout + done.stderr
    assert [link for link in wrong if link not in said] == []


def test_the_index_lists_every_page() -> None:
    """No page of docs/ is missing in the index, which is the navigation of the site, and none is empty."""
    assert [page.name for page in DOCS.glob("*.md") if len(page.read_text().split()) < FEWEST_WORDS] == []
    listed = {name for _title, name in LISTED.findall((DOCS / "index.md").read_text())}
    assert listed == {page.name for page in DOCS.glob("*.md")} - {"index.md"}


@pytest.mark.parametrize("page", ["README.md", "CHANGELOG.md"])
def test_links_of_the_top_level_lead_somewhere(page: str) -> None:
    """What README and changelog link to is in the checkout."""
    links = LINK.findall((ROOT / page).read_text())
    assert [link for link in links if not (ROOT / link).exists()] == []


def test_the_changelog_has_this_version() -> None:
    """The newest version of the changelog is that of the checkout, and what comes after it has a place above it."""
    headings = re.findall(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text(), flags=re.MULTILINE)
    assert headings[:2] == ["Unreleased", __version__]


@pytest.mark.parametrize("name", files())
def test_generated_files_are_current(name: str) -> None:
    """What is made from the code is what the code makes; `make reference` writes it anew."""
    assert (ROOT / name).read_text() == files()[name], f"{name} is out of date: run `make reference`"


@pytest.mark.parametrize("page", ["README.md", "docs/index.md"])
def test_short_ways_are_those_of_the_page_on_installing(page: str) -> None:
    """What the first pages say of installing stands in docs/install.md too, where a test runs it."""
    shown = [line for _first, block in blocks(ROOT / page, "sh") for line in block.splitlines()]
    run = {line for _first, block in blocks(DOCS / "install.md", "sh") for line in block.splitlines()}
    assert shown
    assert [line for line in shown if line not in run] == []


def test_the_readme_is_short() -> None:
    """It takes at most 120 lines; what it no longer says, the pages do."""
    assert len((ROOT / "README.md").read_text().splitlines()) <= 120
