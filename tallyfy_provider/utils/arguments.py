"""
Normalise the arguments that Dag authors write and templates render.

Operators, sensors and the notifier call these functions once, in ``execute`` or where a literal is checked while the
Dag is parsed. What they call afterwards takes clean types and None for nothing.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

from tallyfy_provider.exceptions import TallyfyInputError
from tallyfy_provider.utils.suggestions import did_you_mean
from tallyfy_provider.utils.timestamps import parse_timestamp

HTTP_METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")


def is_nothing(value: Any) -> bool:
    """Tell whether a template had nothing to render: None, blank text, or the text ``None``."""
    return value is None or (isinstance(value, str) and value.strip() in {"", "None"})


def is_literal(value: Any) -> bool:
    """Tell whether a value is text without a template, and so known when the Dag is parsed."""
    return isinstance(value, str) and "{{" not in value and "{%" not in value


def optional(value: Any) -> Any:
    """Return the value, or None where a template had nothing to render."""
    return None if is_nothing(value) else value


def parse_json(value: Any) -> Any:
    """Return the list or dict that a template rendered with ``tojson``; any other value as it is."""
    if not isinstance(value, str) or not value.strip().startswith(("[", "{")):
        return value
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        return value


def mapping(argument: str, value: Any) -> Mapping[str, Any] | None:
    """Return a dict, or JSON text of one; None for nothing."""
    value = parse_json(optional(value))
    if value is not None and not isinstance(value, Mapping):
        raise TallyfyInputError(f"{argument} takes a dict of names to values, not a {type(value).__name__}.")
    return value


def choice(argument: str, value: Any, choices: Sequence[str]) -> str:
    """Return a value that is one of the choices; without one near it, the message names all."""
    if isinstance(value, str) and value in choices:
        return value
    raise TallyfyInputError(
        f"{argument} is {value!r}; it takes {_either(choices)}{did_you_mean(str(value), choices) or '.'}"
    )


def http_method(value: Any) -> str:
    """Return a method that Tallyfy's endpoints take, in upper case."""
    return choice("method", str(value).strip().upper(), HTTP_METHODS)


def _either(choices: Sequence[str]) -> str:
    quoted = [repr(each) for each in choices]
    return f"{', '.join(quoted[:-1])} or {quoted[-1]}"


def names(argument: str, value: Iterable[str] | str | None) -> list[str] | None:
    """Return names, each once, of a list or of text with commas; None for None."""
    if value is None:
        return None
    given = value.split(",") if isinstance(value, str) else list(value)
    stripped = [str(name).strip() for name in given if str(name).strip()]
    if not stripped:
        raise TallyfyInputError(f"{argument} is {value!r}, which names nothing; leave it out to keep all.")
    return list(dict.fromkeys(stripped))


def ids(argument: str, value: Any) -> list[Any]:
    """Return ids of a list, of its JSON text, of text with commas, or of one id; blank ones are left out."""
    value = parse_json(value)
    if isinstance(value, str):
        value = value.split(",")
    if isinstance(value, int) and not isinstance(value, bool):
        value = [value]
    if not isinstance(value, Iterable) or isinstance(value, (Mapping, bytes)):
        raise TallyfyInputError(f"{argument} takes a list of ids, or one id, not a {type(value).__name__}.")
    given = [each.strip() if isinstance(each, str) else each for each in value]
    return [each for each in given if not is_nothing(each)]


def includes(value: Iterable[str] | str | None) -> list[str]:
    """Return what to get along with a resource (Tallyfy's ``with``); empty for nothing."""
    return [] if is_nothing(value) or not value else names("include", value) or []


def whole_number(argument: str, value: int | str | None, least: int = 1) -> int | None:
    """Return a whole number, or that of a text; None for nothing."""
    if is_nothing(value):
        return None
    text = str(value).strip()
    if isinstance(value, bool) or not (text.isascii() and text.isdigit()) or int(text) < least:
        raise TallyfyInputError(f"{argument} takes a whole number from {least}, not {value!r}; None leaves it out.")
    return int(text)


def seconds(argument: str, value: float | timedelta) -> float:
    """Return a duration in seconds, from 0 to any finite number of them."""
    duration = value.total_seconds() if isinstance(value, timedelta) else value
    is_number = isinstance(duration, (int, float)) and not isinstance(duration, bool)
    if not is_number or not math.isfinite(duration) or duration < 0:
        raise TallyfyInputError(f"{argument} takes seconds or a timedelta, not {value!r}.")
    return float(duration)


def interval(argument: str, value: float | timedelta) -> float:
    """Return a duration in seconds that is longer than 0."""
    duration = seconds(argument, value)
    if duration == 0:
        raise TallyfyInputError(f"{argument} is {value!r}; it takes more than 0 seconds.")
    return duration


def timestamp(argument: str, value: str | date | None) -> datetime | None:
    """
    Return a time in UTC: ISO 8601 text, text as Tallyfy writes it, a date (its first second), or a datetime.

    Without a time zone it is UTC. A fraction of a second is dropped: Tallyfy gives most times by the second, and a
    bound between two seconds would separate runs that cannot be told apart. None for nothing.
    """
    if is_nothing(value):
        return None
    since_epoch = parse_timestamp(value) if isinstance(value, (str, date)) else None
    if since_epoch is None:
        raise TallyfyInputError(
            f"{argument} takes a time such as '2026-10-31T09:00:00Z' or '2026-10-31', a datetime, or None for no "
            f"bound, not {value!r}."
        )
    return datetime.fromtimestamp(math.floor(since_epoch), UTC)


def run_id(value: Any) -> str:
    """Return the id of one run, given by itself or as a run with its ``id``, which is what an XCom holds."""
    if isinstance(value, Mapping):
        value = value.get("id")
    if is_nothing(value):
        raise TallyfyInputError(
            "run_id is empty: it says which run. Has the task that gives it finished before? A template alone sets no "
            "order: write launch >> wait."
        )
    text = str(value).strip() if isinstance(value, (str, int)) and not isinstance(value, bool) else ""
    if not text or text in {".", ".."} or text.startswith("[") or "," in text:
        raise TallyfyInputError(
            f"run_id takes the id of one run, not {value!r:.100}. To use several runs, map over them: "
            ".expand(run_id=launch.output)."
        )
    return text


def optional_run_id(value: Any) -> str | None:
    """Return the id of one run; None for nothing."""
    return None if is_nothing(value) else run_id(value)


def run_ids(value: Any) -> list[str]:
    """Return ids, each once, of an id, text with commas, a run with its ``id``, or a list of these."""
    if isinstance(value, (bytes, bool, float)):
        raise TallyfyInputError(f"run_id takes an id or a list of ids, not {value!r:.100}.")
    is_one = isinstance(value, (str, int, Mapping)) or not isinstance(value, Iterable)
    found = list(dict.fromkeys(id for one in ([value] if is_one else value) for id in _run_ids(one)))
    if not found:
        raise TallyfyInputError(
            "run_id is an empty list: there is nothing to wait for. Let the task before skip when it finds nothing "
            "(ListRunsOperator(on_empty='skip'))."
        )
    return found


def _run_ids(value: Any) -> list[str]:
    if isinstance(value, Mapping):
        if value.get("id") in (None, ""):
            raise TallyfyInputError(f"run_id holds an object without an 'id': {value!r:.100}.")
        value = value["id"]
    text = str(value).strip() if isinstance(value, (str, int)) and not isinstance(value, bool) else ""
    if text.startswith("["):
        raise TallyfyInputError(
            f"run_id is the text of a list: {text!r:.100}. A template renders to text; pass the XCom as it is "
            "(run_id=list_runs.output['run_ids']), or set render_template_as_native_obj=True on the Dag."
        )
    if text in {"", "None", ".", ".."}:
        raise TallyfyInputError(
            f"run_id is {value!r:.100}, which is not an id. Has the task that gives it finished before? A template "
            "alone sets no order: write list_runs >> wait."
        )
    return [part.strip() for part in text.split(",") if part.strip()]


def step(value: Any) -> str:
    """Return the id, alias or title of a task, given by itself or as a task with its ``id``."""
    if isinstance(value, Mapping):
        value = value.get("id") or value.get("task_id")
    if is_nothing(value):
        raise TallyfyInputError(
            "step is empty: it takes a task's id, or its alias or title within run_id. "
            "Has the task that gives it finished before?"
        )
    if isinstance(value, (bool, float)) or not isinstance(value, (str, int)):
        raise TallyfyInputError(f"step takes an id, an alias or a title, not a {type(value).__name__}.")
    return str(value).strip()
