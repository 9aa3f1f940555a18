"""LaunchRunOperator: launches a run (process) once, and waits for it if asked to."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

from airflow.providers.common.compat.sdk import conf

from tallyfy_provider.client.forms.compare import compare
from tallyfy_provider.client.forms.encode import encode_form
from tallyfy_provider.client.forms.fields import read_fields
from tallyfy_provider.client.guest_links import without_guest_links
from tallyfy_provider.client.runs.launch_request import build_launch_request
from tallyfy_provider.exceptions import TallyfyInputError, TallyfyNotFoundError
from tallyfy_provider.links.tallyfy import TallyfyRunLink
from tallyfy_provider.operators.base import TallyfyBaseOperator
from tallyfy_provider.operators.runs.launch_state import LaunchState
from tallyfy_provider.operators.runs.run_wait import RunWait
from tallyfy_provider.operators.runs.tries import REUSES, Reuse, Try, try_of
from tallyfy_provider.utils import arguments
from tallyfy_provider.utils.arguments import is_nothing
from tallyfy_provider.waiting.conditions import StatusRule
from tallyfy_provider.waiting.tolerance import DEFAULT_TOLERANCE

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from tallyfy_provider.client.forms.fields import FormField
    from tallyfy_provider.client.runs.launch import Launched, Launcher

#: Seconds for which a run that may have been launched is looked for.
_PATIENCE = 30.0


class LaunchRunOperator(TallyfyBaseOperator):
    """
    Launch a run (a process of Tallyfy), once, whatever crashes or retries.

    Returns the run's id, and pushes the run as Tallyfy gave it under the key ``run``, before it waits. The run's
    summary begins with a line that tells which task launched it, by which a retry finds it again: how, and what the
    limits are, is in ``docs/launching.md``.

    :param checklist_id: The checklist (template) to launch; templated.
    :param name: The run's name, 550 characters at most; templated. None means the checklist's title.
    :param kickoff: Values of the kick-off form by field alias, label or id, templated; see ``docs/form-values.md``.
        What is unknown, ambiguous, missing though required, or of a wrong kind is refused before anything is launched.
    :param summary: The run's summary, text or HTML; templated.
    :param owner_id: The user who owns it; templated. None means the user of the connection.
    :param tags: Ids of tags; templated.
    :param folders: Ids of folders; templated.
    :param users: Ids of users to assign; templated.
    :param groups: Ids of groups to assign; templated.
    :param roles: Role ids to ``{"users": […], "guests": […], "groups": […]}``; templated.
    :param steps: Step aliases, titles or ids to what to change about them: ``deadline``, ``owners``, ``position``,
        ``max_assignable``; templated.
    :param parent_id: The run that this one belongs to; templated.
    :param options: More of what the API takes: ``user_id`` (who starts it), ``starred``, ``is_public``,
        ``assign_someone_else``, ``publicly_hidden_fields``; templated.
    :param reuse: ``retry``: a retry finds the run of an earlier try, a cleared task launches a new one. ``always``: a
        cleared task finds it, too. ``never``: each try launches one.
    :param lookup_patience: Seconds (or a timedelta) for which a run that may be there is looked for, since lists may be
        behind.
    :param wait_for_completion: Wait until the run ends; if it ends badly, the task fails.
    :param allowed_statuses: Statuses that are a success; None means complete.
    :param failed_statuses: Statuses that fail the task; None means archived, unless that is allowed or skipped.
    :param skipped_statuses: Statuses that skip the task.
    :param poke_interval: Seconds (or a timedelta) between two looks while waiting.
    :param timeout: Seconds (or a timedelta) that the run may take.
    :param fault_tolerance: Seconds (or a timedelta) that Tallyfy may be out of reach while waiting.
    :param deferrable: Wait in the triggerer; the default is Airflow's ``[operators] default_deferrable``.
    :param archive_on_kill: Archive the run when the task is ended before it is complete: by a user, or by its timeout.
    :param tallyfy_conn_id: The Airflow connection, of type ``tallyfy``; templated.
    :raises TallyfyInputError: Something that was written cannot be launched; nothing was.
    :raises TallyfyIndeterminateError: The answer to the launch was lost, and the run is not to be found yet; a retry
        looks for it first.
    :raises TallyfyRunFailedError: The run that was waited for ended in one of ``failed_statuses``.
    :raises TallyfyError: Of the kind that fits.
    """

    template_fields: Sequence[str] = (
        "checklist_id",
        "name",
        "kickoff",
        "summary",
        "owner_id",
        "tags",
        "folders",
        "users",
        "groups",
        "roles",
        "steps",
        "parent_id",
        "options",
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
        lookup_patience: float | timedelta = _PATIENCE,
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
        if reuse not in REUSES:
            raise TallyfyInputError(f"reuse is {reuse!r}; it takes 'retry', 'always' or 'never'.")
        # None of these is templated, and a wrong one would show when the run is launched already.
        arguments.seconds("timeout", timeout)
        arguments.seconds("fault_tolerance", fault_tolerance)
        seconds_between_looks = arguments.seconds("poke_interval", poke_interval)
        if seconds_between_looks == 0:
            raise TallyfyInputError(f"poke_interval is {poke_interval!r}; it takes more than 0 seconds.")
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
        self.lookup_patience = arguments.seconds("lookup_patience", lookup_patience)
        self.wait_for_completion = wait_for_completion
        self.rule = StatusRule.build(allowed=allowed_statuses, failed=failed_statuses, skipped=skipped_statuses)
        self.poke_interval = seconds_between_looks
        self.timeout = timeout
        self.fault_tolerance = fault_tolerance
        self.deferrable = deferrable
        self.archive_on_kill = archive_on_kill

    @cached_property
    def _wait(self) -> RunWait:
        return RunWait(self)

    def execute(self, context: Context) -> str:
        """
        Launch the run, or find the one that an earlier try launched, and wait for it if asked to.

        :param context: Airflow's task context.
        :return: The run's id.
        """
        if is_nothing(self.checklist_id):
            raise TallyfyInputError("checklist_id is empty: it says which checklist (template) to launch.")
        run = self._launch_once(context)
        TallyfyRunLink.persist(context, run["id"])
        self._push(context, run)
        if self.wait_for_completion:
            self._push(context, self._wait.wait(run))
        return str(run["id"])

    def execute_complete(self, context: Context, event: Mapping[str, Any] | None = None) -> str:
        """
        End a wait that went on in the triggerer as it would have ended here.

        :param context: Airflow's task context.
        :param event: What the trigger reports.
        :return: The run's id.
        """
        run_id = str(self._wait.conclude(event or {})["id"])
        self._push(context, self.hook.find_run(run_id))
        return run_id

    def on_kill(self) -> None:
        """Archive the run that is waited for, if that was asked for."""
        self._wait.archive_when_killed()

    def _push(self, context: Context, run: dict[str, Any]) -> None:
        if self.do_xcom_push:
            context["ti"].xcom_push(key="run", value=without_guest_links(run))

    def _launch_once(self, context: Context) -> dict[str, Any]:
        this_try = try_of(context, self.reuse, str(self.checklist_id))
        memory = LaunchState(context, this_try.reference.token)
        launcher = self._launcher(this_try, memory)
        try:
            if (run := self._launched_before(this_try, memory, launcher)) is not None:
                self.log.info(
                    "An earlier try has launched run %s (%r) already: it is used.", run["id"], run.get("name")
                )
                memory.launched(str(run["id"]))
                return run
            body, fields = self._body()
        except Exception:
            memory.record_try()
            raise
        memory.intend()
        launched = launcher.launch(body)
        memory.launched(str(launched.run["id"]))
        self._report(launched, body.get("prerun") or {}, fields)
        return launched.run

    def _launcher(self, this_try: Try, memory: LaunchState) -> Launcher:
        from tallyfy_provider.client.runs.launch import Launcher

        return Launcher(
            self.hook.get_conn(),
            str(self.checklist_id).strip(),
            this_try.reference,
            since=memory.intended_at or this_try.since,
            patience=self.lookup_patience,
        )

    def _launched_before(self, this_try: Try, memory: LaunchState, launcher: Launcher) -> dict[str, Any] | None:
        """Find the run of an earlier try, looking as often as it may be there without being seen."""
        if self.reuse == "never":
            return None
        if memory.run_id is not None:
            try:
                return self.hook.find_run(memory.run_id)
            except TallyfyNotFoundError:
                # Tallyfy may be behind with what it tells of one run, too.
                if (run := launcher.find_patiently()) is None:
                    self.log.warning("The run %s of an earlier try is gone; another one is launched.", memory.run_id)
                return run
        if memory.intended_at is not None:
            return launcher.find_patiently()
        if not this_try.may_follow_another:
            return None
        return launcher.find() if memory.is_complete else launcher.find_patiently()

    def _body(self) -> tuple[dict[str, Any], Sequence[FormField]]:
        """Check everything that was written, before anything is launched."""
        checklist = self.hook.client.checklists.get(
            str(self.checklist_id).strip(), include=("steps",) if self.steps else ()
        )
        fields = read_fields(checklist.get("prerun"))
        encoded = encode_form(fields, self.kickoff)
        for note in encoded.notes:
            self.log.info(note)
        given = {
            name: getattr(self, name)
            for name in ("summary", "owner_id", "parent_id", "tags", "folders", "users", "groups", "roles", "steps")
        }
        body = build_launch_request(checklist, name=self.name, prerun=encoded.values, given=given, other=self.options)
        return body, fields

    def _report(self, launched: Launched, sent: Mapping[str, Any], fields: Sequence[FormField]) -> None:
        run = launched.run
        self.log.info("Launched run %s (%r).", run["id"], run.get("name"))
        differences = compare(sent, run.get("prerun"), fields)
        if differences:
            # People may be at work already, and Tallyfy may write a value in a way that we do not know.
            self.log.warning(
                "Look at the kick-off form of run %s: %s.", run["id"], "; ".join(str(each) for each in differences)
            )
