"""What a Dag can start on: events of runs, each confirmed by the run itself. Pure."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from tallyfy_provider.client.runs.status import ARCHIVED, COMPLETE, compact, statuses_of
from tallyfy_provider.exceptions import TallyfyInputError
from tallyfy_provider.triggers.activities import Activity

LAUNCHED, COMPLETED, ARCHIVED_EVENT, REOPENED, PROBLEM = "launched", "completed", "archived", "reopened", "problem"
EVENTS = (LAUNCHED, COMPLETED, ARCHIVED_EVENT, REOPENED, PROBLEM)

#: Tallyfy's words for them. ``launched`` is what one page calls what another calls ``created``.
_EVENTS_OF_VERBS: Mapping[str, str] = {
    "created": LAUNCHED,
    "launched": LAUNCHED,
    "completed": COMPLETED,
    "archived": ARCHIVED_EVENT,
    "re-opened": REOPENED,
    "reopened": REOPENED,
    "unarchived": REOPENED,
    "issue-reported": PROBLEM,
}


def check_events(events: Iterable[str]) -> list[str]:
    """
    Refuse an event that there is not.

    :param events: Names of events.
    :return: The names, each once.
    :raises TallyfyInputError: Naming the event and the nearest right one.
    """
    names = [events] if isinstance(events, str) else list(events)
    for name in names:
        if name not in EVENTS:
            nearest = difflib.get_close_matches(str(name).lower(), EVENTS, n=1, cutoff=0.5)
            hint = f"did you mean {nearest[0]!r}?" if nearest else f"the events are {', '.join(EVENTS)}."
            raise TallyfyInputError(f"events: {name!r} is no event of a run; {hint}")
    if not names:
        raise TallyfyInputError(f"events is empty; the events are {', '.join(EVENTS)}.")
    return list(dict.fromkeys(names))


def event_of(activity: Activity) -> str | None:
    """
    Tell which event a row of the feed hints at.

    :param activity: The row.
    :return: The event's name, or None.
    """
    return _EVENTS_OF_VERBS.get(activity.verb)


def confirm(activity: Activity, run: Mapping[str, Any], organization_id: str) -> dict[str, Any] | None:
    """
    Make an event of a hint, if the run bears it out.

    A row of the feed may be about a task of the run, or be overtaken: a run that is complete no more when it is looked
    at has not "completed" for anybody who would act on it now.

    :param activity: A row of the feed.
    :param run: The run as it is.
    :param organization_id: The organization.
    :return: What a Dag gets: the event, a stable ``event_id``, when it was, and the run in its compact form.
    """
    event = event_of(activity)
    statuses = set(statuses_of(run))
    holds = {
        LAUNCHED: activity.is_about_the_run,
        COMPLETED: COMPLETE in statuses,
        ARCHIVED_EVENT: ARCHIVED in statuses,
        REOPENED: activity.is_about_the_run and statuses.isdisjoint({COMPLETE, ARCHIVED}),
        PROBLEM: not statuses.isdisjoint({"problem", "issue"}),
    }
    if event is None or not holds[event]:
        return None
    # The run's own moment where it has one: rows about the run and about its last task then make one event.
    moments = {LAUNCHED: "created_at", COMPLETED: "completed_at", ARCHIVED_EVENT: "archived_at"}
    occurred_at = run.get(moments.get(event, ""))
    return {
        "event": event,
        "event_id": f"{activity.run_id}:{event}:{occurred_at or activity.row_id}",
        "occurred_at": occurred_at or datetime.fromtimestamp(activity.at, UTC).isoformat(),
        "organization_id": organization_id,
        "run_id": activity.run_id,
        "run": compact(run),
    }
