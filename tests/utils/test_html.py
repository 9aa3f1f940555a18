"""Texts that may be HTML, as people read them."""

from __future__ import annotations

import pytest

from tallyfy_provider.utils.html import as_plain_text


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (None, None),
        ("", ""),
        ("a < b and c > d", "a < b and c > d"),
        ("\ufeffName", "Name"),
        ("<p>One &amp; <b>two</b></p><p>three<br/>four</p>", "One & two\nthree\nfour"),
        ('<img alt="x > y"><i>kept</i>', "kept"),
        ('<p title="a < b">kept</p>', "kept"),
        ("<a class=link href='x?a<b>c' download>kept</a>", "kept"),
        ('<p title="without an end>kept</p> "kept"', 'kept\n"kept"'),
        ("<p>1 < 2 > 0, <3</p>", "1 < 2 > 0, <3"),
        ("<p>1 < 2</p>", "1 < 2"),
        ("<style>p { }</style><SCRIPT src='x'>if (a < b) {}</Script >a<!-- <b>no</b> -->b", "ab"),
        ("<b>a</b><!-- without an end", "a<!-- without an end"),
        ("<b>a</b><script>without an end", "awithout an end"),
    ],
)
def test_html_is_read_as_a_browser_shows_it(content, expected):
    assert as_plain_text(content) == expected


@pytest.mark.parametrize(
    "piece", ["<", "<a", "<!--", "<script ", "<style>", "</p ", "<br ", "&", "<p>x</p>", "<a b='", "<a b=\"' c='\" "]
)
def test_a_long_text_of_what_looks_like_html_is_read_at_once(piece):
    assert as_plain_text("<b>end</b>" + piece * (200_000 // len(piece))).startswith("end")
