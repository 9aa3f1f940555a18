"""Numbers of things in messages."""

from __future__ import annotations


def counted(number: int, noun: str) -> str:
    """Return a number with its noun, such as ``1 run`` or ``12,300 runs``; the plural is regular."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"
