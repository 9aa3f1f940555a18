"""
Let tasks be mapped over another XCom than the return value: ``expand(run_id=list_runs.output["run_ids"])``.

Airflow maps over return values alone, and refuses other keys when the Dag is parsed: it records the length of the
return value only. A key whose list always has that length can be mapped over just as well. Mapping over the return
value itself (``expand(run_id=list_runs.output)``) is no substitute: it holds whole runs, or no ids where ``fields``
leaves them out.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import XComArg

from tallyfy_provider.exceptions import TallyfyInputError
from tallyfy_provider.utils.suggestions import did_you_mean

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import BaseOperator

RETURN_VALUE = "return_value"


class _MappableKeys:
    """Overrides of an XComArg that refers to the return value for its length, and is pulled by its own key."""

    operator: Any

    key: str

    def __reduce__(self) -> tuple[Any, ...]:
        # The class is derived from Airflow's at run time, so pickle cannot find it by its name.
        return _mappable, (self.operator, self.key)

    def __getitem__(self, key: str) -> Any:
        mappable, others = (RETURN_VALUE, self.operator.list_key), ("count",)
        if key in mappable:
            return type(self)(operator=self.operator, key=key)  # type: ignore[call-arg]
        if key in others:
            return super().__getitem__(key)  # type: ignore[misc]
        keys = (*mappable, *others)
        hint = did_you_mean(str(key), keys) or f"; the keys are {', '.join(keys)}."
        raise TallyfyInputError(f"output[{key!r}]: {type(self.operator).__name__} pushes no such XCom{hint}")

    # Airflow's own refuse every key but that of the return value.
    def map(self, f: Any) -> Any:
        return XComArg.map(self, f)  # type: ignore[arg-type]

    def zip(self, *others: XComArg, **options: Any) -> Any:
        return XComArg.zip(self, *others, **options)  # type: ignore[arg-type]

    def concat(self, *others: XComArg) -> Any:
        return XComArg.concat(self, *others)  # type: ignore[arg-type]

    def iter_references(self) -> Iterator[tuple[Any, str]]:
        yield self.operator, RETURN_VALUE


def mappable_output(operator: BaseOperator) -> XComArg:
    """Return the output of an operator with a ``list_key``, whose list is always as long as its return value."""
    return _mappable(operator, RETURN_VALUE)


def _mappable(operator: BaseOperator, key: str) -> XComArg:
    plain = type(XComArg(operator=operator))  # where that class lives differs between Airflow 2 and 3
    arg: XComArg = _class_on(plain)(operator=operator, key=key)
    return arg


_classes: dict[type, type[Any]] = {}


def _class_on(plain: type) -> type[Any]:
    if plain not in _classes:
        _classes[plain] = type("MappableXComArg", (_MappableKeys, plain), {"__slots__": ()})
    return _classes[plain]
