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
    plain = type(XComArg(operator=operator))  # where that class lives differs between Airflow 2 and 3
    mappable = type("MappableXComArg", (_MappableKeys, plain), {"__slots__": ()})
    arg: XComArg = mappable(operator=operator)
    return arg
