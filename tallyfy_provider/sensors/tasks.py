"""Sensors on tasks, the steps of a run (process) of Tallyfy."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Literal

from tallyfy_provider.exceptions import TallyfyError, TallyfyInputError
from tallyfy_provider.links.tallyfy import TallyfyRunLink
from tallyfy_provider.sensors.base import TallyfySensor
from tallyfy_provider.utils import arguments
from tallyfy_provider.waiting.conditions import TaskRule, WaitResult
from tallyfy_provider.waiting.tolerance import pause_after

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context
    from airflow.triggers.base import BaseTrigger

#: What is returned of the task as it was seen.
_RETURNED = ("title", "status", "decision", "completed_at", "completed_by", "completed_by_name")


class TaskStatusSensor(TallyfySensor):
    """
    Wait until a person has done a step of a run (a process of Tallyfy), and return what was decided and written.

    Poking, rescheduling and deferring return the same: a dict with ``task_id``, ``run_id``, ``title``, ``status``,
    ``decision`` (``approved`` or ``rejected`` for an approval, ``acknowledged`` or ``expired`` for a task that can
    expire, else None), ``completed_at``, ``completed_by`` (the user's id or the guest's email address),
    ``completed_by_name`` where Tallyfy gives one, and ``values``: what was written into the step's form, by field
    alias; or raise the same exception. A transient error does not end the wait unless it lasts longer than
    ``fault_tolerance``.

    A run that is over without the step, since it was archived or since it is complete, fails the task; a step that a
    rule hid until the run was complete skips it.

    :param run_id: The run's id; templated, or an XCom.
    :param step: The step: its alias, title or id; templated.
    :param on_rejection: When an approval was rejected: ``pass`` it on in ``decision``, ``fail`` the task (without
        retries), or ``skip`` it.
    :param on_auto_skipped: While a rule hides the step: ``wait``, since another rule may show it; or ``pass``, ``fail``
        or ``skip`` at once.
    :param on_problem: While somebody's problem with the step is open: ``wait``, ``fail`` or ``skip``.
    :param fault_tolerance: How long transient errors are tolerated, in seconds or as a timedelta.
    :param deferrable: Wait in the triggerer, without a worker slot; the default is Airflow's
        ``[operators] default_deferrable``.
    :param tallyfy_conn_id: The Airflow connection, of type ``tallyfy``; templated.
    :raises TallyfyRunFailedError: The run is over without the step, or something happened that is to fail the task.
    :raises TallyfyInputError: The run has no such step, or several.
    :raises TallyfyNotFoundError: The run is neither among the live runs nor among the archived ones.
    :raises TallyfyError: Tallyfy refused the request, or was unreachable for longer than ``fault_tolerance``.
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
        with arguments.checking_literals(self):
            self.rule = TaskRule.build(
                on_rejection=on_rejection, on_auto_skipped=on_auto_skipped, on_problem=on_problem
            )
        #: The task's id, once it is known: people may change a title during the wait.
        self._task_id: str | None = None

    def execute(self, context: Context) -> Any:
        """Wait in the mode that was asked for."""
        # The first poke reports an invalid id, honouring soft_fail.
        with suppress(TallyfyInputError):
            TallyfyRunLink.persist(context, arguments.run_id(self.run_id))
        return super().execute(context)

    def read(self) -> dict[str, Any]:
        """Return the run, and the step as it was after that."""
        from tallyfy_provider.waiting.task_reader import read_task

        run_id, step = arguments.run_id(self.run_id), arguments.step(self.step)
        seen = read_task(self.hook.get_conn(), run_id, self._task_id or step)
        self._task_id = str(seen["task"]["id"]) if seen["task"] else None
        return seen

    def waits_for(self) -> Sequence[str]:
        """Return the id of the step's run."""
        return [arguments.run_id(self.run_id)]

    def evaluate(self, seen: Mapping[str, Any]) -> WaitResult:
        """Return what the state of the step means."""
        return self.rule.result(seen["task"], seen["run"])

    def xcom_value(self, seen: Mapping[str, Any]) -> dict[str, Any]:
        """Return who did the step, when, and what was decided and written."""
        run_id, task = arguments.run_id(self.run_id), seen["task"]
        known = {name: task.get(name) for name in _RETURNED}
        return {
            "task_id": str(task["id"]),
            "run_id": run_id,
            **known,
            "values": self._read_values(run_id, task["id"]),
        }

    def _read_values(self, run_id: str, task_id: str) -> dict[str, Any]:
        """Read the form, never in the triggerer; tolerate transient errors, since the wait must not fail any more."""
        from tallyfy_provider.client.tasks.form import form_values_of

        while True:
            try:
                return form_values_of(self.hook.client.tasks.get(task_id, run_id, include=("form_fields",)))
            except TallyfyError as fault:
                lasted = self._record(fault)
                time.sleep(max(self.poke_interval, pause_after(fault, self.fault_tolerance - lasted)))

    def build_trigger(self, **wait: Any) -> BaseTrigger:
        """Return the trigger that waits."""
        from tallyfy_provider.triggers.tasks import TaskStatusTrigger

        return TaskStatusTrigger(
            run_id=arguments.run_id(self.run_id),
            step=self._task_id or arguments.step(self.step),
            on_rejection=self.rule.on_rejection,
            on_auto_skipped=self.rule.on_auto_skipped,
            on_problem=self.rule.on_problem,
            **wait,
        )
