"""What MkDocs is told beyond its configuration: the order of the pages, and links that leave docs/.

In: `docs/index.md`, and the text of each page. Out: the navigation; pages whose links into the checkout are plain text,
since the site holds the pages only. Rule: a link to a file that isn't in the checkout is left as it is, so that the
strict build refuses it.
"""

import os
import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import Files
from mkdocs.structure.pages import Page

LISTED = re.compile(r"^- \[([^]]+)\]\((\w[\w-]*\.md)\)", re.MULTILINE)
LINK = re.compile(r"\[([^]]+)\]\(((?:\.\./|examples/)[^)#\s]+)(#[^)\s]*)?\)")


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Take the navigation from the lists in the index: a menu for each of its headings."""
    _top, *parts = re.split(r"^## ", Path(config.docs_dir, "index.md").read_text(), flags=re.MULTILINE)
    menus = [{part.partition("\n")[0]: [{title: page} for title, page in LISTED.findall(part)]} for part in parts]
    config.nav = [{"Overview": "index.md"}, *menus]
    return config


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:  # noqa: ARG001 - MkDocs
    """Turn links to files of the checkout into their paths; the first page needs no menu beside it."""
    if page.is_homepage:
        page.meta["hide"] = ["navigation"]
    folder = Path(config.docs_dir, page.file.src_uri).parent
    root = Path(config.docs_dir).parent

    def plain(link: re.Match[str]) -> str:
        target = Path(os.path.normpath(folder / link[2]))
        if not target.exists() or not target.is_relative_to(root):
            return link[0]
        path = f"`{target.relative_to(root)}`"
        return path if link[1].strip("`") in (str(target.relative_to(root)), link[2]) else f"{link[1]} ({path})"

    return LINK.sub(plain, markdown)
