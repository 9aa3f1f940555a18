"""Add, read and change runs: the emulator's controls of runs."""

from __future__ import annotations

from typing import Any

from tallyfy_emulator.api.activity_feed import row_of
from tallyfy_emulator.store.organization import Organization


class RunAdmin:
    """
    Runs, and what happened to them.

    :param organization: the emulated organization.
    """

    def __init__(self, organization: Organization) -> None:
        self._organization = organization

    def add_run(
        self,
        name: str | None = None,
        status: str = "active",
        checklist_id: str | None = None,
        completes_in: float | None = None,
        **fields: Any,
    ) -> dict[str, Any]:
        """
        Add a run.

        :param name: its name; made of the template's title when None.
        :param status: its status; ``archived`` sets ``archived_at``.
        :param checklist_id: its template; the first one when None.
        :param completes_in: seconds after which it completes by itself; None = it does not.
        :param fields: more of the API's fields (``owner_id``, ``created_at``, ``starred`` …) and ``tags``,
            ``folders``, ``groups``, ``users``, ``assignees`` (lists of ids), ``improvement``, ``tasks_done``,
            ``tasks_total``. Fields that the emulator has no use for come back as they are.
        :return: the run as the API gives it.
        :raises ValueError: if a value can't be used.
        """
        given = {"status": status, "checklist_id": checklist_id, "completes_in": completes_in, **fields}
        if name is not None:
            given["name"] = name
        return self._organization.read(self._organization.add_run(given))

    def add_runs(self, count: int, status: str = "active", **fields: Any) -> list[str]:
        """
        Add many runs, created a minute apart, the last one just now.

        Their values are written in different ways, as in real answers.

        :param count: how many.
        :param status: their status.
        :param fields: as for :meth:`add_run`; ``name`` gets a number behind it.
        :return: their ids, in order of creation.
        :raises ValueError: if a value can't be used.
        """
        prefix = fields.pop("name", None)
        now = self._organization.clock.now()
        ids = []
        for number in range(count):
            given = {"created_at": now - 60.0 * (count - 1 - number), "status": status, **fields}
            if prefix is not None:
                given["name"] = f"{prefix} {number + 1}"
            ids.append(self._organization.add_varied_run(given).id)
        return ids

    def add_generated_runs(
        self,
        count: int,
        *,
        status: str = "active",
        first_created_at: float | None = None,
        spacing: float = 60.0,
        filled: bool = False,
        **fields: Any,
    ) -> None:
        """
        Add runs that exist only as a formula, a million as cheaply as one; once for an emulator.

        They are in lists and can be looked up by id. They can't be changed, nor, beyond 10,000, searched or sorted by
        name, and the activity feed does not know them. Templates and owners take turns unless they are given.

        :param count: how many.
        :param status: their status; ``archived`` sets ``archived_at``.
        :param first_created_at: when the first was created, in seconds since 1970-01-01 UTC; None = so that the last
            is created now.
        :param spacing: seconds from one creation to the next; zero or more.
        :param filled: whether their kick-off forms and tasks have answers, and their tasks comments and guests.
        :param fields: as for :meth:`add_run`, without times; ``name`` gets a number behind it.
        :raises ValueError: if a value can't be used, or there are generated runs already.
        """
        if first_created_at is None:
            first_created_at = self._organization.clock.now() - spacing * (count - 1)
        given = {"status": status, **fields}
        self._organization.generate_runs(count, first_created_at, spacing, given, filled=filled)

    def run(self, run_id: str) -> dict[str, Any]:
        """
        Look up a run.

        :param run_id: its id.
        :return: the run as the API gives it.
        :raises KeyError: if there is no such run.
        """
        run = self._organization.runs.get(run_id)
        if run is None:
            raise KeyError(run_id)
        return self._organization.read(run)

    def update_run(self, run_id: str, **fields: Any) -> dict[str, Any]:
        """
        Change a run, as a person does in Tallyfy.

        A change of status, or archiving, cancels what the clock would have brought.

        :param run_id: its id.
        :param fields: as for :meth:`add_run`.
        :return: the run as the API gives it.
        :raises KeyError: if there is no such run.
        :raises ValueError: if a value can't be used.
        """
        return self._organization.read(self._organization.runs.change(run_id, fields))

    def update_run_later(self, run_id: str, seconds: float, **fields: Any) -> None:
        """
        Let a run change by itself.

        :param run_id: its id.
        :param seconds: how long from now, by the emulator's clock.
        :param fields: as for :meth:`add_run`.
        :raises KeyError: if there is no such run.
        :raises ValueError: if a value can't be used.
        """
        self._organization.runs.schedule(run_id, seconds, fields)

    def complete_run(self, run_id: str) -> dict[str, Any]:
        """Complete a run now; as :meth:`update_run`."""
        return self.update_run(run_id, status="complete")

    def reopen_run(self, run_id: str) -> dict[str, Any]:
        """Make a run active again; as :meth:`update_run`."""
        return self.update_run(run_id, status="active")

    def archive_run(self, run_id: str) -> dict[str, Any]:
        """Archive a run now; as :meth:`update_run`."""
        return self.update_run(run_id, status="archived")

    def activate_run(self, run_id: str) -> dict[str, Any]:
        """Take a run out of the archive; as :meth:`update_run`."""
        return self.update_run(run_id, archived_at=None)

    def delete_run(self, run_id: str) -> None:
        """
        Delete a run for good.

        :param run_id: its id.
        :raises KeyError: if there is no such run.
        """
        self._organization.runs.remove(run_id)

    def runs(self, checklist_id: str | None = None) -> list[dict[str, Any]]:
        """
        List runs, archived ones too.

        :param checklist_id: only those of this template; None = all.
        :return: the runs as the API gives them, in the order of their adding.
        """
        _, runs = self._organization.runs.snapshot()
        return [self._organization.read(run) for run in runs if checklist_id in (None, run.checklist.id)]

    @property
    def launched(self) -> list[dict[str, Any]]:
        """The runs that were launched over the API, as they are now, in the order of their launch."""
        return [self._organization.read(run) for run in self._organization.work.launched]

    @property
    def activities(self) -> list[dict[str, Any]]:
        """The rows of the activity feed, oldest first, up to now even if the feed lags behind."""
        return [row_of(each, self._organization) for each in self._organization.history()]
