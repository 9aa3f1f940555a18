"""Lets other tasks be mapped over a second XCom of an operator: ``expand(run_id=list.output["run_ids"])``."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import XComArg

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import BaseOperator

RETURN_VALUE = "return_value"


class _MappableKeys:
    """
    Overrides of an XComArg whose keys all hold a list as long as the return value.

    Airflow maps over return values alone: it records the length of that list only. A key whose list always has the
    same length can be mapped over just as well, so it passes itself off as the return value where Airflow asks, and is
    pulled by its own key all the same.
    """

    operator: Any

    key: str

    def __reduce__(self) -> tuple[Any, ...]:
        # The class is made of Airflow's own at run time, so it cannot be found by its name.
        return _mappable, (self.operator, self.key)

    def __getitem__(self, key: str) -> Any:
        return type(self)(operator=self.operator, key=key)  # type: ignore[call-arg]

    def iter_references(self) -> Iterator[tuple[Any, str]]:
        yield self.operator, RETURN_VALUE


def mappable_output(operator: BaseOperator) -> XComArg:
    """
    Give an operator's output, of which every key can be mapped over.

    :param operator: An operator whose XComs are lists, all as long as its return value.
    :return: What ``operator.output`` is to be.
    """
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
