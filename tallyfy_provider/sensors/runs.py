"""Sensors on runs, the processes of Tallyfy."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from airflow.providers.common.compat.sdk import PokeReturnValue

from tallyfy_provider.client.runs.filters import RUN_FILTERS, encode
from tallyfy_provider.client.runs.status import StatusRule, compact, unknown_statuses
from tallyfy_provider.exceptions import TallyfyInputError, TallyfyRunFailedError
from tallyfy_provider.links.tallyfy import TallyfyRunLink
from tallyfy_provider.sensors.base import TallyfySensor
from tallyfy_provider.waiting.counts import CountRule
from tallyfy_provider.waiting.verdicts import states_of, verdict_on

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context
    from airflow.triggers.base import BaseTrigger

    from tallyfy_provider.client.runs.filters import RunFilters

RunIds = str | int | Sequence[str | int]


class RunStatusSensor(TallyfySensor):
    """
    Wait until a run (a process of Tallyfy) is complete, or several are.

    Poking, rescheduling and deferring give the same: the runs that were waited for, in a compact form
    (:data:`~tallyfy_provider.client.runs.status.COMPACT_FIELDS`), or the same exception. A transient fault (Tallyfy
    out of reach, an unreadable answer) does not end the wait unless it lasts longer than ``fault_tolerance``; then it
    is raised as what it is. A run that does not exist ends the wait at once.

    :param run_id: The run's id or a list of ids; templated, or an XCom.
    :param allowed_statuses: Statuses that are a success; None means complete.
    :param failed_statuses: Statuses that fail the task, without retries: people ended the process, asking again
        changes nothing. None means archived (before it was complete), unless that is allowed or skipped. Add
        ``problem`` and ``issue`` to fail when people report one; by default they are waited out.
    :param skipped_statuses: Statuses that skip the task.
    :param wait_for: ``all`` runs, or ``any`` of them.
    :param fault_tolerance: Seconds (or a timedelta) that Tallyfy may be out of reach before the wait fails.
    :param deferrable: Wait in the triggerer, without a worker slot; the default is Airflow's
        ``[operators] default_deferrable``.
    :param tallyfy_conn_id: The Airflow connection, of type ``tallyfy``; templated.
    :raises TallyfyRunFailedError: A run ended in one of ``failed_statuses``.
    :raises TallyfyNotFoundError: A run is neither among the live runs nor among the archived ones.
    :raises TallyfyError: Of the kind that fits what Tallyfy answered.
    """

    template_fields: Sequence[str] = ("run_id", "tallyfy_conn_id")
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
        self.rule = StatusRule.build(
            allowed=allowed_statuses, failed=failed_statuses, skipped=skipped_statuses, wait_for=wait_for
        )

    def execute(self, context: Context) -> Any:
        """
        Wait in the way that was asked for.

        :param context: Airflow's task context.
        :return: The runs that were waited for, in a compact form.
        """
        for status in unknown_statuses(self.rule):
            self.log.warning("The status %r is not in Tallyfy's documentation; it may never be reached.", status)
        # What is no run id is told by the first look, with the meaning that the sensor's leniences give to it.
        with suppress(TallyfyInputError):
            TallyfyRunLink.persist(context, run_ids_of(self.run_id)[0])
        return super().execute(context)

    def look(self) -> list[dict[str, Any]]:
        """Look at every run: each is asked for, every time, since an end can be undone."""
        return [compact(self.hook.find_run(run_id)) for run_id in run_ids_of(self.run_id)]

    def conclude(self, seen: Sequence[Mapping[str, Any]]) -> PokeReturnValue:
        """Say what the state of the runs means."""
        verdict = verdict_on(self.rule, seen)
        if isinstance(verdict.error, TallyfyRunFailedError):
            raise self.bad_end(verdict.error)
        if verdict.error is not None:
            raise verdict.error
        self.log.info("%s", verdict)
        return PokeReturnValue(verdict.is_over, [dict(run) for run in seen])

    def describe(self, seen: Sequence[Mapping[str, Any]]) -> str:
        """Name the runs and their states."""
        return states_of(seen)

    def build_trigger(self, *, deadline: float, not_before: float) -> BaseTrigger:
        """Build the trigger that goes on waiting."""
        from tallyfy_provider.triggers.runs import RunStatusTrigger

        return RunStatusTrigger(
            tallyfy_conn_id=self.tallyfy_conn_id,
            run_ids=run_ids_of(self.run_id),
            allowed_statuses=list(self.rule.allowed),
            failed_statuses=list(self.rule.failed),
            skipped_statuses=list(self.rule.skipped),
            wait_for=self.rule.wait_for,
            poke_interval=self.poke_interval,
            deadline=deadline,
            fault_tolerance=self.fault_tolerance,
            silent_fail=self.silent_fail,
            not_before=not_before,
        )


class RunCountSensor(TallyfySensor):
    """
    Wait until so many runs match filters: "no open problem is left in this folder" is ``exactly=0``.

    One row is asked for, whatever the number: Tallyfy says how many there are. All modes give the same: the number.

    :param filters: Tallyfy's own filter names to values, templated: see ``docs/listing.md``. A ``page`` makes no sense.
    :param at_least: Wait for at least so many; templated.
    :param at_most: Wait for at most so many; templated. Together with ``at_least``: a range.
    :param exactly: Wait for exactly so many; templated.
    :param strict_filters: Fail when the row that comes back is not what was asked for, which means that Tallyfy
        ignored a filter; otherwise a warning says so.
    :param fault_tolerance: Seconds (or a timedelta) that Tallyfy may be out of reach before the wait fails.
    :param deferrable: Wait in the triggerer; the default is Airflow's ``[operators] default_deferrable``.
    :param tallyfy_conn_id: The Airflow connection, of type ``tallyfy``; templated.
    :raises TallyfyInputError: A filter or a number is wrong.
    :raises TallyfyError: Of the kind that fits what Tallyfy answered.
    """

    template_fields: Sequence[str] = ("filters", "at_least", "at_most", "exactly", "tallyfy_conn_id")
    template_fields_renderers: ClassVar[dict[str, str]] = {"filters": "json"}
    ui_color = "#dbe9f6"

    def __init__(
        self,
        *,
        filters: RunFilters | Mapping[str, Any] | None = None,
        at_least: int | str | None = None,
        at_most: int | str | None = None,
        exactly: int | str | None = None,
        strict_filters: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        # Names of filters are never templates, and values often are not: what is wrong already is refused already.
        if isinstance(filters, Mapping):
            RUN_FILTERS.check_names(filters)
            RUN_FILTERS.check_literals(filters)
        self.filters = filters
        self.at_least = at_least
        self.at_most = at_most
        self.exactly = exactly
        self.strict_filters = strict_filters
        bounds = (at_least, at_most, exactly)
        if all(bound is None or isinstance(bound, int) for bound in bounds):
            # No bound is a template: what makes no sense is refused while the Dag is parsed.
            CountRule.build(at_least=at_least, at_most=at_most, exactly=exactly)

    def look(self) -> int:
        """Ask how many runs match."""
        query = encode(self.filters)
        for note in query.notes:
            self.log.info(note)
        return self.hook.client.runs.count(query, strict=self.strict_filters)

    def conclude(self, seen: int) -> PokeReturnValue:
        """Say what the number means."""
        rule = self._rule()
        is_over = rule.holds_for(seen)
        self.log.info("%s for %s: %s.", "Waited" if is_over else "Waiting", rule, self.describe(seen))
        return PokeReturnValue(is_over, seen)

    def describe(self, seen: int) -> str:
        """Say how many there are."""
        return f"{seen} runs match"

    def build_trigger(self, *, deadline: float, not_before: float) -> BaseTrigger:
        """Build the trigger that goes on counting."""
        from tallyfy_provider.triggers.counts import RunCountTrigger

        rule = self._rule()
        return RunCountTrigger(
            tallyfy_conn_id=self.tallyfy_conn_id,
            filters=encode(self.filters).as_filters,
            at_least=rule.at_least,
            at_most=rule.at_most,
            strict_filters=self.strict_filters,
            poke_interval=self.poke_interval,
            deadline=deadline,
            fault_tolerance=self.fault_tolerance,
            silent_fail=self.silent_fail,
            not_before=not_before,
        )

    def _rule(self) -> CountRule:
        return CountRule.build(at_least=self.at_least, at_most=self.at_most, exactly=self.exactly)


def run_ids_of(run_id: Any) -> list[str]:
    """
    Take ids out of what a user, a template or an XCom gave.

    :param run_id: An id, ids with commas between them, a run with its ``id``, or a list of these.
    :return: The ids as text, each once.
    :raises TallyfyInputError: There is none, or something is no id.
    """
    if isinstance(run_id, (bytes, bool, float)):
        raise TallyfyInputError(f"run_id takes an id or a list of ids, not {run_id!r:.100}.")
    is_one = isinstance(run_id, (str, int, Mapping)) or not isinstance(run_id, Iterable)
    ids = list(dict.fromkeys(id for one in ([run_id] if is_one else run_id) for id in _ids(one)))
    if not ids:
        raise TallyfyInputError(
            "run_id is an empty list: there is nothing to wait for. Let the task before skip when it finds nothing "
            "(ListRunsOperator(on_empty='skip'))."
        )
    return ids


def _ids(value: Any) -> list[str]:
    if isinstance(value, Mapping):
        if value.get("id") in (None, ""):
            raise TallyfyInputError(f"run_id holds an object without an 'id': {value!r:.100}.")
        value = value["id"]
    text = str(value).strip() if isinstance(value, (str, int)) and not isinstance(value, bool) else ""
    if text.startswith("["):
        raise TallyfyInputError(
            f"run_id is the text of a list: {text!r:.100}. A template renders to text; hand the XCom over as it is "
            "(run_id=list_runs.output['run_ids']), or set render_template_as_native_obj=True on the Dag."
        )
    if text in {"", "None", ".", ".."}:
        raise TallyfyInputError(
            f"run_id is {value!r:.100}: no id was handed over. Has the task that gives it finished before? A template "
            "alone sets no order: write list_runs >> wait."
        )
    return [part.strip() for part in text.split(",") if part.strip()]
