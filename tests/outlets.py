"""What a task's context has for each of its outlets: events, and from Airflow 3.3 on a state store."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any


class ByOutlet:
    """
    Things by their assets or aliases, made when they are asked for.

    No dict: assets of Airflow 3.0 and 3.1 cannot be keys of one.
    """

    def __init__(self, make: Callable[[], Any]) -> None:
        self._make = make
        self._made: list[tuple[Any, Any]] = []

    def __getitem__(self, outlet: Any) -> Any:
        for known, made in self._made:
            if known == outlet:
                return made
        self._made.append((outlet, self._make()))
        return self._made[-1][1]


def outlet_events() -> ByOutlet:
    """Return events as a task may fill them."""
    return ByOutlet(lambda: SimpleNamespace(extra={}))


def state_stores() -> ByOutlet:
    """Return state stores of assets."""

    def store() -> SimpleNamespace:
        values: dict[str, Any] = {}
        return SimpleNamespace(get=values.get, set=values.__setitem__)

    return ByOutlet(store)
