"""What changes a run: launch, update, archive, activate, and its kick-off form."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from tallyfy_provider.client.assignees import ids_of
from tallyfy_provider.client.forms.filled import filled
from tallyfy_provider.client.http.errors import indeterminate
from tallyfy_provider.client.http.urls import path as address
from tallyfy_provider.client.runs.api import RunEndpoints
from tallyfy_provider.client.runs.filter_check import is_archived
from tallyfy_provider.client.runs.lookup import look_up_run
from tallyfy_provider.exceptions import TallyfyInputError, TallyfyResponseError

#: What ``PUT`` on a run takes for nobody where it is left out.
_WIPED_UNLESS_SENT = ("users", "groups")


class RunChangeEndpoints(RunEndpoints):
    """Runs: launch them and steer them."""

    def launch_run(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """
        Launch a run (``POST /organizations/{org}/runs``); sent once, and never again unless nothing can have happened.

        :param body: The API's own names to values: ``checklist_id``, ``name``, ``prerun`` and more
            (docs/tallyfy-api.md, "Endpoints").
        :return: The run exactly as the API gave it.
        :raises TallyfyInputError: ``checklist_id`` is missing, or JSON has no form for a value; nothing was sent.
        :raises TallyfyIndeterminateError: The answer was lost: the run may be there. Look before launching it again.
        :raises TallyfyValidationError: Tallyfy refused it; ``fields`` says what is wrong with each field.
        :raises TallyfyError: Of the kind that fits.
        """
        if not str(body.get("checklist_id") or "").strip():
            raise TallyfyInputError("body['checklist_id'] is missing: it says which checklist (template) to launch.")
        run = self._created("runs", body=dict(body), what="the launched run")
        if not run.get("id"):
            unreadable = TallyfyResponseError("Tallyfy's answer does not say which run was launched.")
            raise indeterminate(unreadable, f"POST {address(self._path('runs'))}")
        return run

    def update_run(self, run_id: str | int, changes: Mapping[str, Any]) -> dict[str, Any]:
        """
        Change a run (``PUT /organizations/{org}/runs/{id}``) and leave alone what ``changes`` does not name.

        Tallyfy takes a missing ``users`` or ``groups`` for an empty one and unassigns everybody
        (docs/tallyfy-api.md, "Endpoints"), so what the run has is read first and sent along; so are the other values
        of the kick-off form where ``prerun`` gives some. What somebody else changes about these between the two
        requests is lost: the API has no way to lock a run.

        :param run_id: The run's id.
        :param changes: The API's own names to values: ``name``, ``summary``, ``owner_id``, ``starred``,
            ``is_public``, ``users``, ``groups``, ``prerun``.
        :return: The run as it is then.
        :raises TallyfyInputError: There is nothing in ``changes``, or JSON has no form for a value.
        :raises TallyfyResponseError: Tallyfy does not say who is assigned to the run; nothing was sent.
        :raises TallyfyError: Of the kind that fits.
        """
        if not changes:
            raise TallyfyInputError(f"changes is empty: it says what to change about run {run_id}.")
        run = self.get_run(run_id, include=("ko_form_fields",) if "prerun" in changes else ())
        kept = {name: _assigned(run, name, run_id) for name in _WIPED_UNLESS_SENT if name not in changes}
        body = {**changes, **kept}
        if "prerun" in changes:
            body["prerun"] = filled(changes["prerun"], run.get("ko_form_fields"), run.get("prerun"), f"run {run_id}")
        path = self._path("runs", run_id)
        return self._item_or(self._send("PUT", path, json=body), lambda: self.get_run(run_id))

    def archive_run(self, run_id: str | int) -> dict[str, Any]:
        """
        Archive a run (``DELETE /organizations/{org}/runs/{id}``); :meth:`activate_run` undoes it.

        :param run_id: The run's id.
        :return: The run as it is then, also where it was archived before.
        :raises TallyfyNotFoundError: There is no such run, not among the archived ones either.
        :raises TallyfyError: Of the kind that fits.
        """
        return self._bring_about("DELETE", ("runs", run_id), run_id, is_archived)

    def activate_run(self, run_id: str | int) -> dict[str, Any]:
        """
        Bring a run back from the archive (``PUT /organizations/{org}/runs/{id}/activate``).

        :param run_id: The run's id.
        :return: The run as it is then, also where it was not archived.
        :raises TallyfyNotFoundError: There is no such run, not among the archived ones either.
        :raises TallyfyError: Of the kind that fits.
        """
        return self._bring_about("PUT", ("runs", run_id, "activate"), run_id, lambda run: not is_archived(run))

    def submit_kickoff(self, run_id: str | int) -> dict[str, Any]:
        """
        Submit a run's kick-off form (``POST /organizations/{org}/runs/{id}/complete-prerun``).

        :param run_id: The run's id.
        :return: The run as it is then.
        :raises TallyfyValidationError: A required field is empty.
        :raises TallyfyIndeterminateError: The answer was lost.
        :raises TallyfyError: Of the kind that fits.
        """
        payload = self._send("POST", self._path("runs", run_id, "complete-prerun"))
        return self._item_or(payload, lambda: self.get_run(run_id))

    def reopen_kickoff(self, run_id: str | int) -> dict[str, Any]:
        """
        Reopen a run's kick-off form (``DELETE /organizations/{org}/runs/{id}/complete-prerun``).

        A run that was complete is active again then.

        :param run_id: The run's id.
        :return: The run as it is then.
        :raises TallyfyError: Of the kind that fits.
        """
        payload = self._send("DELETE", self._path("runs", run_id, "complete-prerun"))
        return self._item_or(payload, lambda: self.get_run(run_id))

    def _bring_about(
        self,
        method: str,
        segments: tuple[object, ...],
        run_id: str | int,
        is_reached: Callable[[Mapping[str, Any]], bool],
    ) -> dict[str, Any]:
        """Change a run; what Tallyfy answers where it is so already is not documented, so the run itself is asked."""
        path = self._path(*segments)

        def look() -> dict[str, Any]:
            return look_up_run(self, str(run_id))

        return self._item_or(self._unless_done(method, path, look, is_reached), look)


def _assigned(run: Mapping[str, Any], name: str, run_id: str | int) -> list[Any]:
    ids = ids_of(run.get(name), name)
    if ids is None:
        raise TallyfyResponseError(
            f"Tallyfy does not say which {name} are assigned to run {run_id}, and changing it without them "
            f"would unassign them all. Nothing was sent; give changes[{name!r}] to set them."
        )
    return ids
