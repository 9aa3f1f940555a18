"""Bases of the operators on runs: those that read the runs that match filters, and those that act on one run."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from tallyfy_provider.client.redaction import without_guest_links
from tallyfy_provider.client.runs.filters import RUN_FILTERS
from tallyfy_provider.exceptions import TallyfyInputError, TallyfyResponseError
from tallyfy_provider.links.tallyfy import TallyfyRunLink
from tallyfy_provider.operators.base import OnEmpty, TallyfyBaseOperator, check_on_empty
from tallyfy_provider.utils import arguments

if TYPE_CHECKING:
    from datetime import date, datetime

    from airflow.providers.common.compat.sdk import Context

    from tallyfy_provider.client.paging.prefetch import OnIncomplete
    from tallyfy_provider.client.runs.filters import RunFilters


class FilteredRunsOperator(TallyfyBaseOperator):
    """Base of the operators that read all runs which match filters."""

    template_fields: Sequence[str] = (
        "filters",
        "fields",
        "created_after",
        "created_before",
        "max_runs",
        "tallyfy_conn_id",
    )
    template_fields_renderers: ClassVar[dict[str, str]] = {"filters": "json"}
    default_on_incomplete: ClassVar[OnIncomplete] = "warn"

    def __init__(
        self,
        *,
        filters: RunFilters | Mapping[str, Any] | str | None = None,
        fields: Sequence[str] | str | None = None,
        created_after: str | date | None = None,
        created_before: str | date | None = None,
        max_runs: int | str | None = None,
        on_empty: OnEmpty = "pass",
        strict_filters: bool = False,
        on_incomplete: OnIncomplete | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.filters = filters
        self.fields = fields
        self.created_after = created_after
        self.created_before = created_before
        self.max_runs = max_runs
        self.on_empty = on_empty
        self.strict_filters = strict_filters
        self.on_incomplete = on_incomplete or self.default_on_incomplete
        with arguments.checking_literals(self):
            # Names of filters are never templates, and values often are not.
            if isinstance(filters, Mapping):
                RUN_FILTERS.check_names(filters)
                RUN_FILTERS.check_literals(filters)
            for name in ("created_after", "created_before"):
                if arguments.is_literal(getattr(self, name)):
                    arguments.timestamp(name, getattr(self, name))
            check_on_empty(on_empty)
            arguments.boolean("strict_filters", strict_filters)
            arguments.choice("on_incomplete", self.on_incomplete, ("warn", "fail"))

    def _created(self) -> dict[str, datetime]:
        """Return the bounds on ``created_at`` that are set; refuse an empty window, which looks like a quiet day."""
        bounds = {name: arguments.timestamp(name, getattr(self, name)) for name in ("created_after", "created_before")}
        given = {name: bound for name, bound in bounds.items() if bound is not None}
        if len(given) == 2 and given["created_after"] >= given["created_before"]:
            after, before = (bound.isoformat().replace("+00:00", "Z") for bound in given.values())
            raise TallyfyInputError(
                f"No run can be created from {after} on (created_after) and before {before} (created_before). Where "
                "both come from the data interval: with Airflow 3 a cron schedule has an empty one unless its "
                "timetable is CronDataIntervalTimetable."
            )
        return given

    def _report_mismatches(self, mismatches: Iterable[Any], outcome: str) -> None:
        """Warn of runs that were not asked for, or fail with ``strict_filters``."""
        for mismatch in mismatches:
            if self.strict_filters:
                raise TallyfyResponseError(f"{mismatch} The task has strict_filters=True.")
            self.log.warning("%s %s; strict_filters=True makes this an error.", mismatch, outcome)


class RunOperator(TallyfyBaseOperator):
    """
    Base of the operators on one run. Returns the run as Tallyfy gave it, without guest links.

    :param run_id: The run's id; templated.
    :param tallyfy_conn_id: The Airflow connection, of type ``tallyfy``; templated.
    :raises TallyfyNotFoundError: There is no such run.
    """

    template_fields: Sequence[str] = ("run_id", "tallyfy_conn_id")
    operator_extra_links = (TallyfyRunLink(),)

    def __init__(self, *, run_id: str | int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.run_id = run_id

    def execute(self, context: Context) -> dict[str, Any]:
        """Act on the run."""
        arguments.raise_wrong_literal(self)
        run_id = arguments.run_id(self.run_id)
        TallyfyRunLink.persist(context, run_id)
        run: dict[str, Any] = without_guest_links(self._act(run_id))
        return run

    @abstractmethod
    def _act(self, run_id: str) -> dict[str, Any]:
        """Do what the operator is for, and return the run as it is afterwards."""
