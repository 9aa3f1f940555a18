"""Immutable values and the pure functions that change them; no I/O."""
