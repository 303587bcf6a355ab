"""What the site shows of files outside docs/: pages of the repository's root stand in for those that point to them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
PAGES = {"contributing.md": "CONTRIBUTING.md", "security.md": "SECURITY.md", "changelog.md": "CHANGELOG.md"}
"""Pages of the site, and the file of the root that each shows."""


def on_page_markdown(markdown: str, page: Any, **others: Any) -> str:
    """A page's text, with links that lead out of docs/ on GitHub leading to the same pages here, or nowhere."""
    here = "../" * page.file.src_uri.count("/")
    if root := PAGES.get(page.file.src_uri):
        markdown = (ROOT / root).read_text(encoding="utf-8").replace("](docs/", "](")
    for name, root in PAGES.items():
        markdown = re.sub(rf"\]\((?:\.\./)*{re.escape(root)}", f"]({here}{name}", markdown)
    return re.sub(r"\[([^]]*)\]\((?:\.\./)+tests/[^)]*\)", r"\1", markdown)
