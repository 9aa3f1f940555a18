"""Read what happened out of the context that Airflow gives a callback. Pure but for what Airflow knows of the task."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from tallyfy_provider.utils.timestamps import parse_timestamp

#: What can have happened to a Dag or a task, as the predicate of a sentence.
FAILED = "failed"
SUCCEEDED = "succeeded"
SKIPPED = "was skipped"
TO_BE_RETRIED = "failed and will be tried again"
MISSED_DEADLINE = "missed a deadline"
MISSED_SLA = "missed an SLA"

_OUTCOMES = {
    "success": SUCCEEDED,
    "skipped": SKIPPED,
    "failed": FAILED,
    "upstream_failed": FAILED,
    "up_for_retry": TO_BE_RETRIED,
}


@dataclass(frozen=True)
class Event:
    """Something that happened to a Dag or a task."""

    #: Whom it happened to, such as ``task 'load' of Dag 'sales'``.
    subject: str
    #: What happened, such as :data:`FAILED`.
    outcome: str
    #: Details by their label.
    facts: Mapping[str, str]
    #: Differs from that of every other event; the same when Airflow calls back twice for one.
    identity: tuple[str, ...]
    #: When it happened at the earliest, in seconds since the epoch; None if not known.
    since: float | None

    @property
    def title(self) -> str:
        """The event in a few words."""
        return f"{self.subject} {self.outcome}"

    @property
    def sentence(self) -> str:
        """The event in words that identify it."""
        where = [
            f"{name.lower()} '{self.facts[name]}'"
            for name in ("Run", "Map index", "Try", "Deadline")
            if name in self.facts
        ]
        return ", ".join([self.title, *where])


def event_of(context: Mapping[str, Any]) -> Event:
    """
    Return the event that a callback's context describes.

    Airflow gives a different context for each kind of callback: only a missed deadline has ``deadline``, only a missed
    SLA (2.11) has ``slas``, and only a Dag's callback has ``reason``, along with a ``ti`` that is any of the Dag run's.
    In the context of a deadline the Dag run is a dict, elsewhere an object; without a finished task it is left out.
    """
    if context.get("slas") is not None:
        return _missed_sla(context, list(context["slas"]))
    if context.get("deadline") is not None:
        return _missed_deadline(context)
    task_instance = context.get("ti") or context.get("task_instance")
    if task_instance is None or context.get("reason") is not None:
        return _dag_ended(context)
    return _task_ended(context, task_instance)


def _task_ended(context: Mapping[str, Any], task_instance: Any) -> Event:
    dag_id, run_id, task_id = (str(getattr(task_instance, name)) for name in ("dag_id", "run_id", "task_id"))
    map_index = getattr(task_instance, "map_index", None)
    map_index = -1 if map_index is None else map_index
    number = str(getattr(task_instance, "try_number", ""))
    outcome = _outcome_of(task_instance)
    facts = {
        "Dag": dag_id,
        "Task": task_id,
        "Map index": str(map_index) if map_index >= 0 else "",
        "Run": run_id,
        "Try": number,
        "Exception": _exception_type(context.get("exception")) if outcome in (FAILED, TO_BE_RETRIED) else "",
        "Log": _log_url(task_instance),
    }
    return Event(
        subject=f"task '{task_id}' of Dag '{dag_id}'",
        outcome=outcome,
        facts=_without_blanks(facts),
        identity=("task", outcome, dag_id, run_id, task_id, str(map_index), number),
        since=_first_known(_of(task_instance, "start_date"), _of(context.get("dag_run"), "start_date")),
    )


def _dag_ended(context: Mapping[str, Any]) -> Event:
    dag_run = context.get("dag_run")
    dag_id, run_id = _dag_id(context), _run_id(context)
    reason = str(context.get("reason") or "")
    state = _value(_of(dag_run, "state"))
    outcome = SUCCEEDED if reason == "success" or (not reason and state == "success") else FAILED
    return Event(
        subject=f"Dag '{dag_id}'",
        outcome=outcome,
        facts=_without_blanks({"Dag": dag_id, "Run": run_id, "Reason": reason if outcome == FAILED else ""}),
        # A Dag run that is cleared may fail once more, which is another event.
        identity=("dag", outcome, dag_id, run_id, str(_of(dag_run, "clear_number") or 0)),
        since=_first_known(_of(dag_run, "start_date")),
    )


def _missed_deadline(context: Mapping[str, Any]) -> Event:
    dag_id, run_id = _dag_id(context), _run_id(context)
    timestamp = _text(_of(context["deadline"], "deadline_time"))
    identifier = str(_of(context["deadline"], "id") or timestamp)
    return Event(
        subject=f"Dag '{dag_id}'",
        outcome=MISSED_DEADLINE,
        facts=_without_blanks({"Dag": dag_id, "Run": run_id, "Deadline": timestamp}),
        identity=("deadline", dag_id, run_id, identifier),
        since=_first_known(timestamp, _of(context.get("dag_run"), "start_date")),
    )


def _missed_sla(context: Mapping[str, Any], slas: list[Any]) -> Event:
    dag_id = _dag_id(context)
    missed = sorted(f"{_of(sla, 'task_id')} on {_text(_of(sla, 'execution_date'))}" for sla in slas)
    timestamps = [seconds for sla in slas if (seconds := _first_known(_of(sla, "timestamp"))) is not None]
    return Event(
        subject=f"Dag '{dag_id}'",
        outcome=MISSED_SLA,
        facts=_without_blanks({"Dag": dag_id, "Tasks": ", ".join(missed)}),
        identity=("sla", dag_id, *missed),
        since=min(timestamps, default=None),
    )


def _outcome_of(task_instance: Any) -> str:
    """Read the outcome off the state; a task that was ended from outside has none, but may have tries left."""
    outcome = _OUTCOMES.get(_value(getattr(task_instance, "state", None)))
    if outcome is not None:
        return outcome
    number, most = (getattr(task_instance, name, None) for name in ("try_number", "max_tries"))
    has_tries_left = isinstance(number, int) and isinstance(most, int) and number <= most
    return TO_BE_RETRIED if has_tries_left else FAILED


def _exception_type(exception: Any) -> str:
    """Return the type only: the message of an exception may hold secrets or personal data."""
    return type(exception).__name__ if isinstance(exception, BaseException) else ""


def _log_url(task_instance: Any) -> str:
    try:
        return str(getattr(task_instance, "log_url", None) or "")
    except Exception:
        return ""


def _dag_id(context: Mapping[str, Any]) -> str:
    return str(_of(context.get("dag"), "dag_id") or _of(context.get("dag_run"), "dag_id") or "")


def _run_id(context: Mapping[str, Any]) -> str:
    dag_run = context.get("dag_run")
    return str(context.get("run_id") or _of(dag_run, "run_id") or _of(dag_run, "dag_run_id") or "")


def _of(thing: Any, name: str) -> Any:
    return thing.get(name) if isinstance(thing, Mapping) else getattr(thing, name, None)


def _value(state: Any) -> str:
    """Return the text of a state, which is an enum in some versions of Airflow."""
    return str(getattr(state, "value", state))


def _text(timestamp: Any) -> str:
    return timestamp.isoformat() if isinstance(timestamp, datetime) else str(timestamp or "")


def _first_known(*timestamps: Any) -> float | None:
    for timestamp in timestamps:
        if (seconds := parse_timestamp(_text(timestamp))) is not None:
            return seconds
    return None


def _without_blanks(facts: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in facts.items() if value}
