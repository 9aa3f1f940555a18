"""Read texts that Tallyfy may return as HTML."""

from __future__ import annotations

import html
import re
from typing import Any

# No pattern reads on to the end from more than one place: a text of a megabyte would take hours.
# A tag in good form may have "<" and ">" in the values of its attributes.
_TAG = re.compile(
    r"""<[a-z][\w:-]*(?:\s+[\w:@.-]+(?:\s*=\s*(?:"[^"]{0,500}"|'[^']{0,500}'|[^\s"'<>=]+))?){0,30}\s*/?>|<[a-z/!?][^<>]*>""",
    re.IGNORECASE,
)
#: Where something begins that a browser does not show at all, and where each of these ends.
_UNSEEN = re.compile(r"<(script|style)\b|<!--", re.IGNORECASE)
_ENDS = {
    "script": re.compile(r"</script\s*>", re.IGNORECASE),
    "style": re.compile(r"</style\s*>", re.IGNORECASE),
    "": re.compile(r"-->"),
}
#: Where a browser begins a new line.
_LINE = re.compile(r"<br\s*/?>|</(?:p|div|li|tr|h[1-6]|blockquote|pre|ul|ol|table)\s*>", re.IGNORECASE)
#: Tags by which text is taken for HTML: "a < b" is none.
_LOOKS_LIKE_HTML = re.compile(r"</?[a-z][^<>]*>|<!--|&(?:#\d+|#x[0-9a-f]+|\w+);", re.IGNORECASE)

#: A tag; and a tag or an entity of HTML that was cut off, with the sign of the cut.
WHOLE_TAG = re.compile(r"<[a-zA-Z/][^<>]*>")
_CUT_HTML = re.compile(r"(<[a-zA-Z/!]?[^<>]*|&#?\w*[^\w&]*)$")
#: How often HTML may be escaped; a server may escape what was escaped before.
_MOST_ESCAPES = 3


def letters_of(content: Any, *, is_cut: bool = False) -> str:
    """Return a text in small letters, without HTML, white space, what is invisible, and signs that escape others."""
    text = str(content or "")
    for _ in range(_MOST_ESCAPES):
        text = WHOLE_TAG.sub("", text)
        text = html.unescape(_CUT_HTML.sub("", text) if is_cut else text)
    kept = (letter for letter in text if letter.isprintable() and not letter.isspace() and letter != "\\")
    return "".join(kept).casefold()


def readings(content: Any) -> set[str]:
    """Return a text as it is and as HTML, both without white space, which HTML changes; empty for no text."""
    text = "" if content is None else str(content)
    texts = (text, html.unescape(text), html.unescape(_TAG.sub("", text)))
    return {"".join(each.replace("\ufeff", "").split()) for each in texts} - {""}


def as_plain_text(content: Any) -> str | None:
    """Return a text that may be HTML as people read it: without tags, a line for each block; None for no text."""
    if content is None:
        return None
    text = str(content).replace("\ufeff", "")
    if not _LOOKS_LIKE_HTML.search(text):
        return text
    lines = html.unescape(_TAG.sub("", _LINE.sub("\n", _without_unseen(text)))).replace("\xa0", " ").splitlines()
    return "\n".join(line.strip() for line in lines if line.strip())


def _without_unseen(text: str) -> str:
    """Return HTML without scripts, styles and comments; what does not end is left, as text that people typed."""
    kept, at, endless = [], 0, set()
    while begin := _UNSEEN.search(text, at):
        kind = (begin[1] or "").lower()
        end = None if kind in endless else _ENDS[kind].search(text, begin.end())
        kept.append(text[at : begin.start() if end else begin.end()])
        if end is None:
            endless.add(kind)
        at = end.end() if end else begin.end()
    return "".join([*kept, text[at:]])
