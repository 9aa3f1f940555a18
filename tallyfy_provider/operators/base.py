"""What every operator of this package has in common: a connection to Tallyfy."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import BaseOperator

if TYPE_CHECKING:
    from tallyfy_provider.hooks.tallyfy import TallyfyHook


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
