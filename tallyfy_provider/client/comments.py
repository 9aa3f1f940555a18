"""Tells whether a comment is there already. Pure."""

from __future__ import annotations

import html
import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from tallyfy_provider.utils.timestamps import parse_timestamp

_TAG = re.compile(r"<[^>]*>")

Thread = Mapping[str, Any]


def find_comment(
    threads: Sequence[Thread],
    content: str,
    *,
    label: str | None = None,
    known: Collection[str] = (),
    since: float | None = None,
) -> dict[str, Any] | None:
    """
    Find a comment by what it says.

    Tallyfy may hand text back as HTML, so only the words are compared.

    :param threads: Threads as the API gave them.
    :param content: What it says.
    :param label: Such as ``problem``; None means any.
    :param known: Ids of threads that it is not.
    :param since: When it can have been written at the earliest, in seconds since the epoch; None means ever.
    :return: The newest that fits; None where there is none.
    """
    for thread in reversed(threads):
        if str(thread.get("id")) in known or (label is not None and thread.get("label") != label):
            continue
        if since is not None and (parse_timestamp(thread.get("created_at")) or 0.0) < since:
            continue
        if _words(thread.get("content")) & _words(content):
            return dict(thread)
    return None


def _words(content: Any) -> set[str]:
    """Give what a text says as it is, and as HTML, without white space."""
    text = str(content or "")
    readings = (text, html.unescape(text), html.unescape(_TAG.sub("", text)))
    return {"".join(reading.split()) for reading in readings} - {""}
