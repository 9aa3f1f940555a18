"""Sensors on tasks, the steps of a run (process) of Tallyfy."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Literal

from airflow.providers.common.compat.sdk import AirflowSkipException, PokeReturnValue

from tallyfy_provider.client.runs.status import Outcome, describe
from tallyfy_provider.client.tasks.status import TaskRule, describe_task
from tallyfy_provider.exceptions import TallyfyError, TallyfyInputError, TallyfyRunFailedError
from tallyfy_provider.links.tallyfy import TallyfyRunLink
from tallyfy_provider.sensors.base import TallyfySensor
from tallyfy_provider.utils import arguments

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context
    from airflow.triggers.base import BaseTrigger

#: What is handed on of the task as it was seen.
_HANDED_ON = ("run_id", "title", "status", "verdict", "completed_at", "completed_by", "completed_by_name")


class TaskStatusSensor(TallyfySensor):
    """
    Wait until a person has done a step of a run (a process of Tallyfy), and hand on what was decided and written.

    Poking, rescheduling and deferring give the same: a dict with ``task_id``, ``run_id``, ``title``, ``status``,
    ``verdict`` (``approved`` or ``rejected`` for an approval, ``acknowledged`` or ``expired`` for a task that can
    expire, else None), ``completed_at``, ``completed_by`` (the user's id or the guest's email address),
    ``completed_by_name`` where Tallyfy gives one, and ``values``: what was written into the step's form, by field
    alias; or the same exception. A transient fault does not end the wait unless it lasts longer than
    ``fault_tolerance``.

    A run that is over without the step, since it was archived or since it is complete, fails the task; a step that a
    rule hid until the run was complete skips it.

    :param run_id: The run's id; templated, or an XCom.
    :param step: The step: its alias, title or id; templated.
    :param on_rejection: When an approval was rejected: ``pass`` it on in ``verdict``, ``fail`` the task (without
        retries), or ``skip`` it.
    :param on_auto_skipped: While a rule hides the step: ``wait``, since another rule may show it; or ``pass``, ``fail``
        or ``skip`` at once.
    :param on_problem: While somebody's problem with the step is open: ``wait``, ``fail`` or ``skip``.
    :param fault_tolerance: Seconds (or a timedelta) that Tallyfy may be out of reach before the wait fails.
    :param deferrable: Wait in the triggerer, without a worker slot; the default is Airflow's
        ``[operators] default_deferrable``.
    :param tallyfy_conn_id: The Airflow connection, of type ``tallyfy``; templated.
    :raises TallyfyRunFailedError: The run is over without the step, or what is to fail the task happened.
    :raises TallyfyInputError: The run has no such step, or several.
    :raises TallyfyNotFoundError: The run is neither among the live runs nor among the archived ones.
    :raises TallyfyError: Of the kind that fits what Tallyfy answered.
    """

    template_fields: Sequence[str] = ("run_id", "step", "tallyfy_conn_id")
    operator_extra_links = (TallyfyRunLink(),)
    ui_color = "#dbe9f6"

    def __init__(
        self,
        *,
        run_id: str,
        step: str,
        on_rejection: Literal["pass", "fail", "skip"] = "pass",
        on_auto_skipped: Literal["wait", "pass", "fail", "skip"] = "wait",
        on_problem: Literal["wait", "fail", "skip"] = "wait",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.run_id = run_id
        self.step = step
        self.rule = TaskRule.build(on_rejection=on_rejection, on_auto_skipped=on_auto_skipped, on_problem=on_problem)
        #: The task's id, once it is known: people may change a title while it is waited for.
        self._found: str | None = None

    def execute(self, context: Context) -> Any:
        """
        Wait in the way that was asked for.

        :param context: Airflow's task context.
        :return: Who did the step, when, and what was decided and written.
        """
        # What is no run id is told by the first look, with the meaning that the sensor's leniences give to it.
        with suppress(TallyfyInputError):
            TallyfyRunLink.persist(context, arguments.run_id(self.run_id))
        return super().execute(context)

    def look(self) -> dict[str, Any]:
        """Look at the run, and at the step after it."""
        from tallyfy_provider.waiting.task_reader import look_at_task

        run_id, name = arguments.run_id(self.run_id), arguments.step(self.step)
        seen = look_at_task(self.hook.get_conn(), run_id, self._found or name)
        self._found = str(seen["task"]["id"]) if seen["task"] else None
        return seen

    def conclude(self, seen: Mapping[str, Any]) -> PokeReturnValue:
        """Say what the state of the step means; the form is read when it is done, and never in the triggerer."""
        verdict = self.rule.judge(seen["task"], seen["run"])
        if verdict.outcome is Outcome.FAILED:
            message = f"Waited for a step to be done, which it was not as asked for: {verdict.why}."
            raise self.bad_end(TallyfyRunFailedError(message))
        if verdict.outcome is Outcome.SKIPPED:
            raise AirflowSkipException(f"Skipped: waited for a step to be done, and found {verdict.why}.")
        is_over = verdict.outcome is Outcome.SUCCEEDED
        self.log.info("%s for a step to be done: %s.", "Waited" if is_over else "Waiting", verdict.why)
        return PokeReturnValue(is_over, self._result(seen["task"]) if is_over else None)

    def _result(self, task: Mapping[str, Any]) -> dict[str, Any]:
        known = {name: task.get(name) for name in _HANDED_ON}
        run_id = arguments.run_id(self.run_id)
        return {"task_id": str(task["id"]), **known, "run_id": run_id, "values": self._values(run_id, task["id"])}

    def _values(self, run_id: str, task_id: str) -> dict[str, Any]:
        """Read the form, and bear with a fault that may pass: the wait is over, and must not fail now."""
        from tallyfy_provider.client.tasks.form import form_values_of

        while True:
            try:
                return form_values_of(self.hook.client.tasks.get(task_id, run_id, include=("form_fields",)))
            except TallyfyError as fault:
                lasted = self._tolerance.bear(fault)
                self.log.warning("The step is done; its form cannot be read (for %.0f s now): %s", lasted, fault)
                time.sleep(max(self.poke_interval, fault.retry_after or 0.0))

    def describe(self, seen: Mapping[str, Any]) -> str:
        """Name the step and its state, and those of its run."""
        step = describe_task(seen["task"]) if seen["task"] else "no step yet"
        return f"{step}, of run {describe(seen['run'])}"

    def build_trigger(self, *, deadline: float, not_before: float) -> BaseTrigger:
        """Build the trigger that goes on waiting."""
        from tallyfy_provider.triggers.tasks import TaskStatusTrigger

        return TaskStatusTrigger(
            tallyfy_conn_id=self.tallyfy_conn_id,
            run_id=arguments.run_id(self.run_id),
            step=self._found or arguments.step(self.step),
            on_rejection=self.rule.on_rejection,
            on_auto_skipped=self.rule.on_auto_skipped,
            on_problem=self.rule.on_problem,
            poke_interval=self.poke_interval,
            deadline=deadline,
            fault_tolerance=self.fault_tolerance,
            silent_fail=self.silent_fail,
            not_before=not_before,
        )
