"""
Page numbers and sizes whose pages overlap. Pure.

A page is named by its number and its size, so it begins at a multiple of its size. Two pages of the same size never
share a row. Pages of slightly different sizes do: 1 of 100 rows ends where 2 of 99 rows has begun one row before.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

from tallyfy_provider.client.paging.page import PageRequest


@lru_cache(maxsize=4096)
def overlapping(end: int, overlap: int, largest: int) -> PageRequest | None:
    """
    Return the page that begins ``overlap`` rows before ``end``, or earlier, and reaches furthest behind it.

    :param end: Index behind the last row that is covered.
    :param overlap: Rows that the page shares with what is covered, at least.
    :param largest: Largest size of a page.
    :return: The page; None where no page crosses ``end`` so (all sizes up to ``largest`` divide it).
    """
    latest_start = end - overlap
    if latest_start < 0:
        return PageRequest(1, largest) if largest > end else None
    best: PageRequest | None = None
    for size in range(largest, 0, -1):
        if best is not None and latest_start + size <= best.stop:
            break  # no smaller page reaches further
        page = PageRequest(latest_start // size + 1, size)
        if page.stop > max(end, best.stop if best else 0):
            best = page
    return best


def following(page: PageRequest, overlap: int, largest: int, stop: float) -> Iterator[PageRequest]:
    """
    Yield the pages that continue from a page, each overlapping the one before it.

    :param page: The page to continue from.
    :param overlap: Rows that neighbours share, at least.
    :param largest: Largest size of a page.
    :param stop: Index behind the last row that is wanted.
    :return: Pages, up to the one that holds the last row.
    """
    while page.stop < stop:
        after = overlapping(page.stop, overlap, largest)
        if after is None:
            return
        yield after
        page = after
