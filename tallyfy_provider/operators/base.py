"""What the operators have in common: the connection's hook, and the end of a task that finds nothing."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, get_args

from airflow.providers.common.compat.sdk import AirflowSkipException, BaseOperator

from tallyfy_provider.exceptions import TallyfyError
from tallyfy_provider.utils import arguments

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from tallyfy_provider.hooks.tallyfy import TallyfyHook

OnEmpty = Literal["pass", "skip", "fail"]


class TallyfyBaseOperator(BaseOperator):
    """
    An operator with a connection to Tallyfy.

    :param tallyfy_conn_id: The Airflow connection, of type ``tallyfy``; templated.
    """

    ui_color = "#dcefe3"

    def __init__(self, *, tallyfy_conn_id: str = "tallyfy_default", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.tallyfy_conn_id = tallyfy_conn_id

    @cached_property
    def hook(self) -> TallyfyHook:
        """The hook, imported when it is needed: a Dag is parsed often and seldom run."""
        from tallyfy_provider.hooks.tallyfy import TallyfyHook

        return TallyfyHook(self.tallyfy_conn_id)

    def _push(self, context: Context, **xcoms: Any) -> None:
        """Push XComs beside the return value, unless the Dag author wants none."""
        if not self.do_xcom_push:
            return
        for key, value in xcoms.items():
            context["ti"].xcom_push(key=key, value=value)


def check_on_empty(on_empty: OnEmpty) -> None:
    """Refuse a value of ``on_empty`` that is not one of its choices."""
    arguments.choice("on_empty", on_empty, get_args(OnEmpty))


def end_empty(on_empty: OnEmpty, message: str) -> None:
    """Skip or fail a task that found nothing, as its ``on_empty`` says; return for ``pass``."""
    if on_empty == "skip":
        raise AirflowSkipException(f"{message} (on_empty='skip').")
    if on_empty == "fail":
        raise TallyfyError(f"{message} (on_empty='fail').")
