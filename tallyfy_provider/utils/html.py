"""Compare texts that Tallyfy may return as HTML."""

from __future__ import annotations

import html
import re
from typing import Any

_TAG = re.compile(r"<[^>]*>")


def readings(content: Any) -> set[str]:
    """Return a text as it is and as HTML, both without white space, which HTML changes; empty for no text."""
    text = "" if content is None else str(content)
    texts = (text, html.unescape(text), html.unescape(_TAG.sub("", text)))
    return {"".join(each.replace("\ufeff", "").split()) for each in texts} - {""}
