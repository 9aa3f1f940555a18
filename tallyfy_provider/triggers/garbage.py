"""
Keep Python's garbage collector off what thousands of waits have in memory.

A full collection looks through all that Airflow and the waits hold, and stops the event loop for a third of a second.
Almost all of it lives until the triggerer ends. So once many waits run, what is there is put aside (``gc.freeze``).
What is freed later is freed as ever, but for reference cycles: those are given back when many waits have ended.
"""

from __future__ import annotations

import gc

#: Fewer waits are no trouble.
FEW = 500
#: Put aside again when there are so many times more waits.
_GROWTH = 1.25

_settled = 0


def settle(waits: int) -> None:
    """Put aside what is in memory if many waits have joined; give it back if many have ended."""
    global _settled
    if waits > max(FEW, _settled * _GROWTH):
        gc.freeze()
        _settled = waits
    elif _settled and waits < _settled / 2:
        gc.unfreeze()
        _settled = 0
