"""What MkDocs does with each page: links that leave docs/ lead to the repository, and messages come from the code."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))
from docs_messages import with_tables

ROOT = Path(__file__).resolve().parent.parent
_LINK = re.compile(r"(?P<text>\]\()(?P<target>(?:\.\./)+[^)#\s]+)(?P<anchor>#[^)\s]*)?\)")


def on_page_markdown(markdown: str, *, page: Any, config: Any, **_: Any) -> str:
    """Turn relative links that leave docs/ into addresses in the repository, and fill the page of messages.

    :param markdown: text of the page.
    :param page: the page.
    :param config: MkDocs' configuration.
    :return: the text with those links replaced; one that leads nowhere stays, and is reported by MkDocs.
    """
    if page.file.src_uri == "operate/messages.md":
        markdown = with_tables(markdown)
    docs = Path(config["docs_dir"])
    folder = (docs / page.file.src_uri).parent

    def replaced(link: re.Match[str]) -> str:
        target = Path(os.path.normpath(folder / link["target"]))
        if target.is_relative_to(docs) or not target.exists():
            return link[0]
        kind = "tree" if target.is_dir() else "blob"
        address = f"{config['repo_url']}/{kind}/main/{target.relative_to(ROOT)}"
        return f"{link['text']}{address}{link['anchor'] or ''})"

    return _LINK.sub(replaced, markdown)
