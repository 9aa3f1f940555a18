"""Suggest the right name for one that is not known."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def did_you_mean(given: str, choices: Iterable[str]) -> str:
    """Return the nearest choice, such as ``"; did you mean 'owners'?"``, to end a message; empty where none is near."""
    by_folded = {choice.casefold(): choice for choice in choices}
    nearest = difflib.get_close_matches(given.strip().casefold(), by_folded, n=1, cutoff=0.6)
    return f"; did you mean {by_folded[nearest[0]]!r}?" if nearest else ""
