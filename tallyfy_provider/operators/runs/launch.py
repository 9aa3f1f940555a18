"""LaunchRunOperator: launch a run (process) once, and wait for it if asked to."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, get_args

from airflow.providers.common.compat.sdk import conf

from tallyfy_provider.client.redaction import quoted, shown, without_guest_links
from tallyfy_provider.client.runs.launch_request import ARGUMENTS, LaunchRequest, prepare_launch
from tallyfy_provider.exceptions import TallyfyNotFoundError
from tallyfy_provider.links.tallyfy import TallyfyRunLink, pages_of
from tallyfy_provider.operators.base import TallyfyBaseOperator
from tallyfy_provider.operators.runs.launch_state import LaunchAttempt, LaunchState, Reuse
from tallyfy_provider.operators.runs.run_wait import RunWait
from tallyfy_provider.utils import arguments
from tallyfy_provider.waiting.conditions import StatusRule
from tallyfy_provider.waiting.tolerance import DEFAULT_TOLERANCE

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from tallyfy_provider.client.runs.launch import Launcher

#: Default of ``lookup_timeout``, in seconds.
_LOOKUP_TIMEOUT = 30.0


class LaunchRunOperator(TallyfyBaseOperator):
    """
    Launch a run (a process of Tallyfy) exactly once, whatever crashes or is retried.

    Returns the run's id, and pushes the run as Tallyfy gave it under the key ``run``, before it waits. The run's
    summary begins with a line that names the task that launched it, by which a retry finds it again;
    ``docs/guides/launch.md`` explains how, and the limits.

    :param checklist_id: The checklist (template) to launch; templated.
    :param name: The run's name, 550 characters at most; templated. None means the checklist's title.
    :param kickoff: Values of the kick-off form by field alias, label or id, templated; see
        ``docs/reference/form-values.md``. An unknown, ambiguous or wrong value, or a missing required one, is
        refused before anything is launched.
    :param summary: The run's summary, text or HTML; templated.
    :param owner_id: The user who owns it; templated. None means the user of the connection.
    :param tags: Ids of tags; templated.
    :param folders: Ids of folders; templated.
    :param users: Ids of users to assign; templated.
    :param groups: Ids of groups to assign; templated.
    :param roles: Role ids to ``{"users": […], "guests": […], "groups": […]}``; templated.
    :param steps: Step aliases, titles or ids to what to change about them: ``deadline``, ``owners``, ``position``,
        ``max_assignable``; templated. Automations leave a ``deadline`` alone unless it has ``deadline_set_by_hand:
        False`` beside it.
    :param parent_id: The run that this one belongs to; templated.
    :param options: More of what the API takes: ``user_id`` (who starts it), ``starred``, ``is_public``,
        ``assign_someone_else``, ``publicly_hidden_fields``; templated.
    :param reuse: ``retry``: a retry finds the run of an earlier try, a cleared task launches a new one. ``always``: a
        cleared task finds it, too. ``never``: each try launches one.
    :param lookup_timeout: How long a run that may have been launched is looked for, in seconds or as a timedelta, since
        Tallyfy's lists may lag behind.
    :param wait_for_completion: Wait until the run ends; if it ends badly, the task fails.
    :param allowed_statuses: Statuses that are a success, a list or text with commas; templated. None means complete.
    :param failed_statuses: Statuses that fail the task; templated. None means archived, unless that is allowed or
        skipped.
    :param skipped_statuses: Statuses that skip the task; templated.
    :param poke_interval: Time between two checks while waiting, in seconds or as a timedelta.
    :param timeout: How long the run may take, in seconds or as a timedelta.
    :param fault_tolerance: How long transient errors are tolerated while waiting, in seconds or as a timedelta.
    :param deferrable: Wait in the triggerer; the default is Airflow's ``[operators] default_deferrable``.
    :param archive_on_kill: Archive the run when the task is ended before it is complete: by a user, or by its timeout.
    :param tallyfy_conn_id: The Airflow connection, of type ``tallyfy``; templated.
    :raises TallyfyInputError: An argument cannot be used; nothing was launched.
    :raises TallyfyIndeterminateError: The response to the launch was lost, and the run cannot be found yet; a retry
        looks for it first.
    :raises TallyfyRunFailedError: The run that was waited for ended in one of ``failed_statuses``.
    :raises TallyfyWaitTimeoutError: The run was not over after ``timeout``.
    """

    template_fields: Sequence[str] = (
        "checklist_id",
        "name",
        "kickoff",
        *ARGUMENTS,
        "options",
        "allowed_statuses",
        "failed_statuses",
        "skipped_statuses",
        "tallyfy_conn_id",
    )
    template_fields_renderers: ClassVar[dict[str, str]] = dict.fromkeys(
        ("kickoff", "roles", "steps", "options"), "json"
    )
    operator_extra_links = (TallyfyRunLink(),)

    def __init__(
        self,
        *,
        checklist_id: str,
        name: str | None = None,
        kickoff: Mapping[str, Any] | str | None = None,
        summary: str | None = None,
        owner_id: int | str | None = None,
        tags: Sequence[str] | str | None = None,
        folders: Sequence[str | int] | str | None = None,
        users: Sequence[int | str] | str | None = None,
        groups: Sequence[str] | str | None = None,
        roles: Mapping[str, Any] | str | None = None,
        steps: Mapping[str, Any] | str | None = None,
        parent_id: str | None = None,
        options: Mapping[str, Any] | None = None,
        reuse: Reuse = "retry",
        lookup_timeout: float | timedelta = _LOOKUP_TIMEOUT,
        wait_for_completion: bool = False,
        allowed_statuses: Iterable[str] | None = None,
        failed_statuses: Iterable[str] | None = None,
        skipped_statuses: Iterable[str] | None = None,
        poke_interval: float | timedelta = 60.0,
        timeout: float | timedelta = timedelta(days=7),
        fault_tolerance: float | timedelta = DEFAULT_TOLERANCE,
        deferrable: bool = conf.getboolean("operators", "default_deferrable", fallback=False),
        archive_on_kill: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.checklist_id = checklist_id
        self.name = name
        self.kickoff = kickoff
        self.summary = summary
        self.owner_id = owner_id
        self.tags = tags
        self.folders = folders
        self.users = users
        self.groups = groups
        self.roles = roles
        self.steps = steps
        self.parent_id = parent_id
        self.options = options
        self.reuse = reuse
        self.wait_for_completion = wait_for_completion
        self.allowed_statuses = allowed_statuses
        self.failed_statuses = failed_statuses
        self.skipped_statuses = skipped_statuses
        self.deferrable = deferrable
        self.archive_on_kill = archive_on_kill
        with arguments.checking_literals(self):
            arguments.choice("reuse", reuse, get_args(Reuse))
            self.lookup_timeout = arguments.seconds("lookup_timeout", lookup_timeout)
            self.poke_interval = arguments.interval("poke_interval", poke_interval)
            self.timeout = arguments.seconds("timeout", timeout)
            self.fault_tolerance = arguments.seconds("fault_tolerance", fault_tolerance)
            for flag in ("wait_for_completion", "deferrable", "archive_on_kill"):
                arguments.boolean(flag, getattr(self, flag))
            StatusRule.check_literals(allowed_statuses, failed_statuses, skipped_statuses)

    @property
    def rule(self) -> StatusRule:
        """What ends the wait, and how."""
        return StatusRule.build(
            allowed=self.allowed_statuses, failed=self.failed_statuses, skipped=self.skipped_statuses
        )

    @cached_property
    def _wait(self) -> RunWait:
        return RunWait(self)

    def execute(self, context: Context) -> str:
        """Launch the run, or find the one that an earlier try launched, and wait for it if asked to."""
        arguments.raise_wrong_literal(self)
        self.checklist_id = arguments.checklist_id(self.checklist_id)
        if self.wait_for_completion:
            self._warn_of_unknown_statuses()
        run = self._launch_once(context)
        TallyfyRunLink.persist(context, run["id"])
        self._push_run(context, run)
        if self.wait_for_completion:
            self._push_run(context, self._wait.wait(run))
        return str(run["id"])

    def execute_complete(self, context: Context, event: Mapping[str, Any] | None = None) -> str:
        """Finish a wait in the triggerer in the same way as one in the worker."""
        run_id = str(self._wait.conclude(event or {})["id"])
        self._push_run(context, self.hook.find_run(run_id))
        return run_id

    def on_kill(self) -> None:
        """Archive the run that is waited for, if that was asked for."""
        self._wait.archive_when_killed()

    def _warn_of_unknown_statuses(self) -> None:
        for status in self.rule.unknown_statuses:
            self.log.warning("Tallyfy does not document the status %r; it may never be reached.", status)

    def _push_run(self, context: Context, run: dict[str, Any]) -> None:
        self._push(context, run=without_guest_links(run))

    def _launch_once(self, context: Context) -> dict[str, Any]:
        attempt = LaunchAttempt.of(context, self.reuse, self.checklist_id)
        state = LaunchState(context, attempt.marker.token)
        launcher = self._launcher(attempt, state)
        try:
            if (run := self._find_launched(attempt, state, launcher)) is not None:
                self.log.info("Using %s, which an earlier try has launched.%s", _named(run), pages_of([run["id"]]))
                state.record_run(str(run["id"]))
                return run
            request = self._prepare()
        except Exception:
            state.record_try()
            raise
        state.record_intent()
        run = launcher.launch(request.body)
        state.record_run(str(run["id"]))
        self.log.info("Launched %s.%s", _named(run), pages_of([run["id"]]))
        request.warn_of_differences(run)
        return run

    def _launcher(self, attempt: LaunchAttempt, state: LaunchState) -> Launcher:
        from tallyfy_provider.client.runs.launch import Launcher

        return Launcher(
            self.hook.client.runs,
            self.checklist_id,
            attempt.marker,
            since=state.intended_at or attempt.since,
            lookup_timeout=self.lookup_timeout,
        )

    def _find_launched(self, attempt: LaunchAttempt, state: LaunchState, launcher: Launcher) -> dict[str, Any] | None:
        """Find the run of an earlier try, looking as often as it may exist without being listed."""
        if self.reuse == "never":
            return None
        if state.run_id is not None:
            try:
                return self.hook.find_run(state.run_id)
            except TallyfyNotFoundError:
                # A single run may be as stale as a list.
                if (run := launcher.find_until_timeout()) is None:
                    self.log.warning("Launching another run: run %s of an earlier try is gone.", state.run_id)
                return run
        if state.intended_at is not None:
            return launcher.find_until_timeout()
        if not attempt.may_follow_another:
            return None
        return launcher.find() if state.is_complete else launcher.find_until_timeout()

    def _prepare(self) -> LaunchRequest:
        return prepare_launch(
            self.hook.client.checklists,
            self.checklist_id,
            name=self.name,
            kickoff=self.kickoff,
            given={name: getattr(self, name) for name in ARGUMENTS},
            options=self.options,
        )


def _named(run: Mapping[str, Any]) -> str:
    return f"run {shown(run['id'])} ({quoted(run.get('name'))})"
