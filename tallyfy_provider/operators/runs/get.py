"""GetRunOperator: get one run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tallyfy_provider.operators.runs.base import RunOperator
from tallyfy_provider.utils import arguments


class GetRunOperator(RunOperator):
    """
    Get a run (a process of Tallyfy), archived or not.

    :param include: What to get along with it (Tallyfy's ``with``), such as ``tasks`` or ``ko_form_fields``; templated.
        An archived run is found only without it.
    :param fields: Names of the fields to keep, templated; None keeps all.
    """

    template_fields: Sequence[str] = (*RunOperator.template_fields, "include", "fields")

    def __init__(
        self, *, include: Sequence[str] | str = (), fields: Sequence[str] | str | None = None, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.include = include
        self.fields = fields

    def _act(self, run_id: str) -> dict[str, Any]:
        kept, include = arguments.names("fields", self.fields), arguments.includes(self.include)
        run = self.hook.get_run(run_id, include) if include else self.hook.find_run(run_id)
        return run if kept is None else {name: run.get(name) for name in kept}
