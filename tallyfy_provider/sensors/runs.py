"""Sensors on runs, the processes of Tallyfy."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from tallyfy_provider.client.runs.filters import RUN_FILTERS, encode
from tallyfy_provider.client.runs.status import compact
from tallyfy_provider.exceptions import TallyfyInputError
from tallyfy_provider.links.tallyfy import TallyfyRunLink
from tallyfy_provider.sensors.base import TallyfySensor
from tallyfy_provider.utils import arguments
from tallyfy_provider.waiting.conditions import WAIT_FOR, CountRule, StatusRule, WaitResult

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context
    from airflow.triggers.base import BaseTrigger

    from tallyfy_provider.client.runs.filters import RunFilters

RunIds = str | int | Sequence[str | int]


class RunStatusSensor(TallyfySensor):
    """
    Wait until a run (a process of Tallyfy) is complete, or several are.

    Poking, rescheduling and deferring return the same: the runs that were waited for, in a compact form
    (:data:`~tallyfy_provider.client.runs.status.COMPACT_FIELDS`), or raise the same exception. A transient error
    (Tallyfy is unreachable, a response cannot be read) does not end the wait unless it lasts longer than
    ``fault_tolerance``; then it is raised. A run that does not exist ends the wait at once.

    :param run_id: The run's id or a list of ids; templated, or an XCom.
    :param allowed_statuses: Statuses that are a success, a list or text with commas; templated. None means complete.
    :param failed_statuses: Statuses, templated, that fail the task, without retries: people ended the process, and
        retrying changes nothing. None means archived (before it was complete), unless that is allowed or skipped. Add
        ``problem`` and ``issue`` to fail when people report one; by default the wait goes on.
    :param skipped_statuses: Statuses that skip the task; templated.
    :param wait_for: ``all`` runs, or ``any`` of them.
    :param fault_tolerance: How long transient errors are tolerated, in seconds or as a timedelta.
    :param deferrable: Wait in the triggerer, without a worker slot; the default is Airflow's
        ``[operators] default_deferrable``.
    :param tallyfy_conn_id: The Airflow connection, of type ``tallyfy``; templated.
    :raises TallyfyRunFailedError: A run ended in one of ``failed_statuses``.
    :raises TallyfyNotFoundError: A run is neither among the live runs nor among the archived ones.
    :raises TallyfyError: Tallyfy refused the request, or was unreachable for longer than ``fault_tolerance``.
    """

    template_fields: Sequence[str] = (
        "run_id",
        "allowed_statuses",
        "failed_statuses",
        "skipped_statuses",
        "tallyfy_conn_id",
    )
    operator_extra_links = (TallyfyRunLink(),)
    ui_color = "#dbe9f6"

    def __init__(
        self,
        *,
        run_id: RunIds,
        allowed_statuses: Iterable[str] | None = None,
        failed_statuses: Iterable[str] | None = None,
        skipped_statuses: Iterable[str] | None = None,
        wait_for: Literal["all", "any"] = "all",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.run_id = run_id
        self.allowed_statuses = allowed_statuses
        self.failed_statuses = failed_statuses
        self.skipped_statuses = skipped_statuses
        self.wait_for = wait_for
        with arguments.checking_literals(self):
            arguments.refuse_unstable("run_id", run_id)
            arguments.choice("wait_for", wait_for, WAIT_FOR)
            StatusRule.check_literals(allowed_statuses, failed_statuses, skipped_statuses)

    @property
    def rule(self) -> StatusRule:
        """What ends the wait, and how."""
        return StatusRule.build(
            allowed=self.allowed_statuses,
            failed=self.failed_statuses,
            skipped=self.skipped_statuses,
            wait_for=self.wait_for,
        )

    def execute(self, context: Context) -> Any:
        """Wait in the mode that was asked for."""
        arguments.raise_wrong_literal(self)
        for status in self.rule.unknown_statuses:
            self.log.warning("Tallyfy does not document the status %r; it may never be reached.", status)
        # The first poke reports an invalid id, honouring soft_fail.
        with suppress(TallyfyInputError):
            TallyfyRunLink.persist(context, arguments.run_ids(self.run_id)[0])
        return super().execute(context)

    def read(self) -> list[dict[str, Any]]:
        """Return every run, requested each time, since an end can be undone."""
        return [compact(self.hook.find_run(run_id)) for run_id in self.waits_for()]

    def waits_for(self) -> Sequence[str]:
        """Return the ids of the runs."""
        return arguments.run_ids(self.run_id)

    def evaluate(self, seen: Sequence[Mapping[str, Any]]) -> WaitResult:
        """Return what the state of the runs means."""
        return self.rule.result(seen)

    def xcom_value(self, seen: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """Return the runs."""
        return [dict(run) for run in seen]

    def build_trigger(self, **wait: Any) -> BaseTrigger:
        """Return the trigger that waits."""
        from tallyfy_provider.triggers.runs import RunStatusTrigger

        return RunStatusTrigger(run_ids=arguments.run_ids(self.run_id), **self.rule.as_arguments(), **wait)


class RunCountSensor(TallyfySensor):
    """
    Wait until so many runs match filters: "no open problem is left in this folder" is ``exactly=0``.

    One row is requested, whatever the number: Tallyfy tells how many there are. All modes return the number.

    :param filters: Tallyfy's own filter names to values, templated: see ``docs/guides/list.md``. A ``page`` makes no
        sense.
    :param at_least: Wait for at least so many; templated.
    :param at_most: Wait for at most so many; templated. Together with ``at_least``: a range.
    :param exactly: Wait for exactly so many; templated.
    :param strict_filters: Fail when the row that comes back does not match the filters, which means that Tallyfy
        ignored one; otherwise that is logged as a warning.
    :param fault_tolerance: How long transient errors are tolerated, in seconds or as a timedelta.
    :param deferrable: Wait in the triggerer; the default is Airflow's ``[operators] default_deferrable``.
    :param tallyfy_conn_id: The Airflow connection, of type ``tallyfy``; templated.
    :raises TallyfyInputError: A filter or a number is wrong.
    :raises TallyfyError: Tallyfy refused the request, or was unreachable for longer than ``fault_tolerance``.
    """

    template_fields: Sequence[str] = ("filters", "at_least", "at_most", "exactly", "tallyfy_conn_id")
    template_fields_renderers: ClassVar[dict[str, str]] = {"filters": "json"}
    ui_color = "#dbe9f6"

    def __init__(
        self,
        *,
        filters: RunFilters | Mapping[str, Any] | str | None = None,
        at_least: int | str | None = None,
        at_most: int | str | None = None,
        exactly: int | str | None = None,
        strict_filters: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.filters = filters
        self.at_least = at_least
        self.at_most = at_most
        self.exactly = exactly
        self.strict_filters = strict_filters
        bounds = (at_least, at_most, exactly)
        with arguments.checking_literals(self):
            arguments.boolean("strict_filters", strict_filters)
            # Names of filters are never templates, and values often are not.
            if isinstance(filters, Mapping):
                RUN_FILTERS.check_names(filters)
                RUN_FILTERS.check_literals(filters)
            if all(bound is None or isinstance(bound, int) for bound in bounds):
                CountRule.build(at_least=at_least, at_most=at_most, exactly=exactly)

    def read(self) -> int:
        """Return how many runs match."""
        query = encode(self.filters)
        for note in query.notes:
            self.log.info(note)
        return self.hook.client.runs.count(query, strict=self.strict_filters)

    def evaluate(self, seen: int) -> WaitResult:
        """Return what the number means."""
        return self._rule().result(seen)

    def xcom_value(self, seen: int) -> int:
        """Return the number."""
        return seen

    def build_trigger(self, **wait: Any) -> BaseTrigger:
        """Return the trigger that counts."""
        from tallyfy_provider.triggers.counts import RunCountTrigger

        rule = self._rule()
        return RunCountTrigger(
            filters=encode(self.filters).as_filters,
            at_least=rule.at_least,
            at_most=rule.at_most,
            strict_filters=self.strict_filters,
            **wait,
        )

    def _rule(self) -> CountRule:
        return CountRule.build(at_least=self.at_least, at_most=self.at_most, exactly=self.exactly)
