"""
Try on one marked run what changes Tallyfy: launch it, update it, comment on a task, complete it, archive the run.

Whatever goes wrong in between, also an end from outside, the run is archived.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from tallyfy_provider.check.finding import Unanswered, cannot_tell, not_allowed
from tallyfy_provider.client.forms.decode import stored_values
from tallyfy_provider.client.forms.encode import encode_form
from tallyfy_provider.client.forms.fields import FormField, read_fields, rows_of
from tallyfy_provider.client.resource import assigned_ids
from tallyfy_provider.client.runs.filter_check import is_archived
from tallyfy_provider.client.runs.launch import Launcher
from tallyfy_provider.client.runs.launch_marker import LaunchMarker
from tallyfy_provider.client.tasks.status import PLAIN, is_completed, is_hidden
from tallyfy_provider.exceptions import (
    TallyfyAuthError,
    TallyfyError,
    TallyfyIndeterminateError,
    TallyfyPermissionError,
)

if TYPE_CHECKING:
    from tallyfy_provider.client.client import TallyfyClient

NAME = "Check of airflow-provider-tallyfy: may be deleted"
_MAY_BE_THERE = (
    f"The check was interrupted while it launched a run, which may be there: look for one named {NAME!r} in "
    "Tallyfy, and archive it."
)
_LINE = "Launched by a check of airflow-provider-tallyfy. It is archived by itself, and may be deleted."
#: What is filled into forms; what was sent is removed from messages, so it is no word that they have.
_TEXT = "made-up"
#: Seconds between two comments, so that their times differ.
_BETWEEN_COMMENTS = 1.1
#: How often the list is read until it has the run, a second apart.
_MOST_LOOKS = 10
#: How often a run is looked for whose launch was interrupted, a second apart.
_LOOKS_AFTER_INTERRUPT = 3
#: Seconds for which a launch is looked for whose response was lost.
_LOOKUP_TIMEOUT = 30.0

Row = dict[str, Any]


class NotTried(Exception):
    """A part of the trial was not possible; the text says what it needs."""


@dataclass
class Trial:
    """
    The marked run, and what came of each part.

    :param client: The client to change things with.
    :param checklist_id: The checklist to launch.
    :param sleep: Waits so many seconds.
    """

    client: TallyfyClient
    checklist_id: str
    sleep: Callable[[float], object] = time.sleep
    #: The run that was launched; and whether one may be left that is not archived.
    run_id: str | None = None
    is_left: bool = False
    _results: dict[str, Any] = field(default_factory=dict)
    _errors: dict[str, Exception] = field(default_factory=dict)
    _is_done: bool = False

    def describe(self) -> str:
        """Return what the trial does, for people, before it does it."""
        return (
            f"This launches one run of checklist {self.checklist_id}, named {NAME!r}, changes its name, writes two "
            "comments on one of its tasks, completes that task once, and archives the run, also if something fails in "
            "between. Tallyfy may notify those whom the checklist assigns."
        )

    def describe_what_is_left(self) -> str:
        """Return which run may be left, for people."""
        if self.run_id is None:
            lost = self._errors.get("launch")
            return str(lost) if isinstance(lost, TallyfyIndeterminateError) else _MAY_BE_THERE
        told = "Tallyfy answered that it did, and the run is not archived."
        why = self._errors.get("archive") or (told if "archive" in self._results else "The check was interrupted.")
        return f"Run {self.run_id} could not be archived: archive it in Tallyfy. {why}"

    def result(self, part: str) -> Any:
        """
        Return what came of one part; all parts are tried first.

        :raises Unanswered: It was not possible.
        """
        self.prepare()
        if part in self._results:
            return self._results[part]
        error = self._errors.get(part)
        if isinstance(error, (TallyfyPermissionError, TallyfyAuthError)):
            raise Unanswered(not_allowed(str(error)))
        if error is None:
            raise Unanswered(cannot_tell("It needs what was tried before it."))
        raise Unanswered(
            cannot_tell(str(error) if isinstance(error, (TallyfyError, NotTried)) else type(error).__name__)
        )

    def prepare(self) -> None:
        """Try all parts, unless that was done."""
        if not self._is_done:
            self._is_done = True
            self._try_all()

    def error(self, part: str) -> Exception | None:
        """Return why one part was not possible."""
        return self._errors.get(part)

    def _try_all(self) -> None:
        try:
            self._try("launch", self._launch)
            if self.run_id is None:
                self.is_left = isinstance(self._errors.get("launch"), TallyfyIndeterminateError)
                return
            for part, act in (
                ("listed", self._find_in_list),
                ("update", self._update),
                ("partial", self._update_without_assignees),
                ("form", self._update_a_part_of_the_form),
                ("task", self._choose_task),
                ("comments", self._comment),
                ("complete", self._complete),
                ("feed", self._find_in_feed),
            ):
                self._try(part, act)
        finally:
            if self.run_id is not None:
                self._try("archive", self._archive)
                archived = self._results.get("archive", {"run": {}})["run"]
                self.is_left = not is_archived(archived)

    def _try(self, part: str, act: Callable[[], Any]) -> None:
        try:
            self._results[part] = act()
        except Exception as error:  # the other parts are tried all the same
            self._errors[part] = error

    def _launch(self) -> dict[str, Any]:
        checklist = self.client.checklists.get(self.checklist_id)
        self._me = self._find_me()
        fields = read_fields(checklist.get("prerun"))
        encoded = encode_form(fields, self._values_for(fields))
        marker = LaunchMarker.build(_LINE, uuid.uuid4())
        body = {
            "checklist_id": str(checklist["id"]),
            "name": NAME,
            **({"prerun": dict(encoded.values)} if encoded.values else {}),
            **({} if self._me is None else {"users": [self._me]}),
        }
        self._launched_at = time.monotonic()
        # A launch whose response is lost is looked for, so that it does not stay behind.
        launcher = Launcher(
            self.client.runs,
            str(checklist["id"]),
            marker,
            since=time.time(),
            lookup_timeout=_LOOKUP_TIMEOUT,
            sleep=self.sleep,
        )
        run = self._launched(launcher, body)
        self.run_id, self.is_left = str(run["id"]), True
        self._fields, self._sent = fields, dict(encoded.values)
        self._marker = marker
        return {"run": run, "again": self._get(), "sent": self._sent, "fields": fields, "marker": marker}

    def _launched(self, launcher: Launcher, body: Row) -> Row:
        """Launch the run; if somebody interrupts that, look for it, so that it is archived all the same."""
        try:
            return launcher.launch(body)
        except KeyboardInterrupt:
            self.is_left = True
            self._try("launch", lambda: self._find_interrupted(launcher))
            raise

    def _find_interrupted(self, launcher: Launcher) -> Row:
        for _ in range(_LOOKS_AFTER_INTERRUPT):
            if (run := launcher.find()) is not None:
                self.run_id = str(run["id"])
                return run
            self.sleep(1.0)
        raise NotTried(_MAY_BE_THERE)

    def _find_me(self) -> Any:
        try:
            return self.client.organization.get_me().get("id")
        except TallyfyError:  # an application's token belongs to nobody
            return None

    def _values_for(self, fields: tuple[FormField, ...]) -> dict[str, Any]:
        values = {form_field.id: self._value_for(form_field) for form_field in fields}
        missing = [form_field.name for form_field in fields if form_field.required and values[form_field.id] is None]
        if missing:
            raise NotTried(f"It needs a checklist whose kick-off form requires no {', '.join(missing)}.")
        return {key: value for key, value in values.items() if value is not None}

    def _value_for(self, form_field: FormField) -> Any:
        texts = [option.text for option in form_field.options]
        values = {
            "text": _TEXT,
            "textarea": _TEXT,
            "email": "check@example.com",
            "date": datetime.now(UTC).date().isoformat(),
            "radio": texts[0] if texts else None,
            "dropdown": texts[0] if texts else None,
            "multiselect": texts[:1] or None,
            "table": [_TEXT] * len(form_field.columns) or None,
            "assignees_form": None if self._me is None else {"users": [self._me]},
        }
        return values.get(form_field.field_type)

    def _get(self) -> Row:
        return self.client.runs.get(str(self.run_id))

    def _find_in_list(self) -> dict[str, Any]:
        filters = {"checklist_id": self.checklist_id, "sort": "-created_at", "page": 1, "per_page": 10}
        for looks in range(1, _MOST_LOOKS + 1):
            for row in self.client.runs.list(filters):
                if str(row["id"]) == self.run_id:
                    return {"row": row, "looks": looks, "seconds": round(time.monotonic() - self._launched_at, 1)}
            self.sleep(1.0)
        raise NotTried(f"The list did not have the run after {_MOST_LOOKS} s.")

    def _update(self) -> dict[str, Any]:
        before = self._get()
        self.client.runs.update(str(self.run_id), {"name": f"{NAME} (updated)"})
        return {"before": before, "after": self._get()}

    def _update_without_assignees(self) -> dict[str, Any]:
        before = self._get()
        if not assigned_ids(before.get("users"), "users"):
            raise NotTried("It needs a run with a user.")
        self.client.request("PUT", f"runs/{self.run_id}", json={"name": NAME})
        after = self._get()
        kept = {kind: assigned_ids(before.get(kind), kind) or [] for kind in ("users", "groups")}
        self.client.runs.update(str(self.run_id), kept)
        return {"before": before, "after": after}

    def _update_a_part_of_the_form(self) -> dict[str, Any]:
        stored = stored_values(self._get().get("prerun"))
        texts = [form_field.id for form_field in self._fields if form_field.field_type == "text"]
        if len(stored) < 2 or not texts:
            raise NotTried("It needs a checklist with two fields in its kick-off form, one of them text.")
        run = self._get()
        kept = {kind: assigned_ids(run.get(kind), kind) or [] for kind in ("users", "groups")}
        self.client.request("PUT", f"runs/{self.run_id}", json={**kept, "prerun": {texts[0]: f"{_TEXT}, again"}})
        after = stored_values(self._get().get("prerun"))
        self.client.runs.update(str(self.run_id), {"prerun": self._sent})
        return {"before": stored, "after": after}

    def _choose_task(self) -> Row:
        tasks = list(self.client.tasks.list_of_run(str(self.run_id), include=("form_fields",)))
        for task in tasks:
            required = any(form_field.required for form_field in read_fields(task.get("form_fields")))
            if str(task.get("task_type")) in PLAIN and not (required or is_completed(task) or is_hidden(task)):
                return task
        raise NotTried("It needs a checklist with a step of type task that has no required field.")

    def _comment(self) -> dict[str, Any]:
        task_id = str(self._results["task"]["id"]) if "task" in self._results else None
        if task_id is None:
            raise NotTried("It needs a task to comment on.")
        path = f"tasks/{task_id}/comment"
        self.client.request("POST", path, json={"content": "First comment of a check."})
        self.sleep(_BETWEEN_COMMENTS)
        self.client.comments.add_to_task(task_id, "Second comment of a check.", state="open")
        return {"threads": self.client.comments.list_of_task(task_id)}

    def _complete(self) -> dict[str, Any]:
        if "task" not in self._results:
            raise NotTried("It needs a task to complete.")
        task_id = str(self._results["task"]["id"])
        answer = self.client.tasks.complete(str(self.run_id), task_id)
        return {"answer": answer, "task": self.client.tasks.get(task_id, str(self.run_id))}

    def _find_in_feed(self) -> list[Row]:
        # A day before, since midnight may have passed since the launch, in Tallyfy's zone or here.
        since = datetime.now(UTC).date() - timedelta(days=1)
        params = {"per_page": 100, "created_after": since.isoformat(), "page": 1}
        payload = self.client.request("GET", "activity-feeds", params=params)
        rows = [dict(row) for row in rows_of(payload.get("data"))] if isinstance(payload, Mapping) else []
        return [row for row in rows if self.run_id in (row.get("auditable_id"), row.get("parentable_id"))]

    def _archive(self) -> dict[str, Any]:
        return {"run": self.client.runs.archive(str(self.run_id))}
