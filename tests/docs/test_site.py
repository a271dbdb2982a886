"""The pages build into a site without a warning; every link leads somewhere, and every page can be found."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs.generate import ROOT, files
from tests.docs.hooks import LISTED

DOCS = ROOT / "docs"
LINK = re.compile(r"\]\((?!https?:|#)([^)#\s]+)")


def build(root: Path) -> subprocess.CompletedProcess[str]:
    """Build the site of a checkout."""
    mkdocs = [sys.executable, "-m", "mkdocs", "build", "--strict", "--clean"]
    command = [*mkdocs, "--config-file", f"{root}/tests/docs/mkdocs.yml", "--site-dir", f"{root}/build/site"]
    return subprocess.run(command, check=False, capture_output=True, text=True, timeout=120)


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """Copy what the build reads, but for what pages only link to."""
    for part in ("docs", "tests/docs"):
        shutil.copytree(ROOT / part, tmp_path / part)
    for part in (
        "nqosd",
        "config",
        "systemd",
        "README.md",
        "CHANGELOG.md",
        "SECURITY.md",
        "Makefile",
        "pyproject.toml",
    ):
        (tmp_path / part).symlink_to(ROOT / part)
    for folder in (ROOT / "tests").iterdir():
        if folder.name != "docs":
            (tmp_path / "tests" / folder.name).symlink_to(folder)
    return tmp_path


def test_the_site_builds(checkout: Path) -> None:
    """The strict build has nothing to complain of, and makes a page of each file."""
    done = build(checkout)
    assert done.returncode == 0, done.stdout + done.stderr
    made = {page.parent.name for page in (checkout / "build/site").glob("*/index.html")}
    assert made >= {page.stem for page in DOCS.glob("*.md")} - {"index"}


def test_the_build_refuses_links_to_nowhere(checkout: Path) -> None:
    """A link to a page, a heading or a file that isn't there fails the build, and each is named."""
    wrong = ("nowhere.md", "concepts.md#no-such-heading", "../nowhere.toml")
    page = checkout / "docs/concepts.md"
    page.write_text("\n".join([page.read_text(), *(f"[x]({link})" for link in wrong)]))
    done = build(checkout)
    assert done.returncode != 0
    said = done.stdout + done.stderr
    assert [link for link in wrong if link not in said] == []


def test_the_index_lists_every_page() -> None:
    """No page of docs/ is missing in the index, which is the navigation of the site."""
    listed = {name for _title, name in LISTED.findall((DOCS / "index.md").read_text())}
    assert listed == {page.name for page in DOCS.glob("*.md")} - {"index.md"}


@pytest.mark.parametrize("page", ["README.md", "CHANGELOG.md"])
def test_links_of_the_top_level_lead_somewhere(page: str) -> None:
    """What README and changelog link to is in the checkout."""
    links = LINK.findall((ROOT / page).read_text())
    assert [link for link in links if not (ROOT / link).exists()] == []


@pytest.mark.parametrize("name", files())
def test_generated_files_are_current(name: str) -> None:
    """What is made from the code is what the code makes; `make reference` writes it anew."""
    assert (ROOT / name).read_text() == files()[name], f"{name} is out of date: run `make reference`"
