"""
Normalise the arguments that Dag authors write and templates render.

Operators, sensors and the notifier call these functions once, in ``execute`` or where a literal is checked while the
Dag is parsed. What they call afterwards takes clean types and None for nothing.
"""

from __future__ import annotations

import json
import math
import operator
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from urllib.parse import unquote

from jinja2 import Undefined, UndefinedError

from tallyfy_provider.exceptions import TallyfyInputError
from tallyfy_provider.utils.suggestions import did_you_mean
from tallyfy_provider.utils.timestamps import parse_timestamp

#: Who may be shown a comment: everybody, members only, or everybody after a click.
COMMENT_STATES = ("open", "hide-for-guests", "collapsed")
#: What is sent unless somebody asks otherwise: guests are no readers of what Airflow writes.
DEFAULT_COMMENT_STATE = "hide-for-guests"
#: The longest duration in seconds, a hundred years: what is added to a date must not lead out of the calendar.
LONGEST = 100 * 365 * 86_400.0
#: Digits of the largest whole number that is taken, of a list's rows for example.
_MOST_DIGITS = 18
#: The kinds of assignees.
ASSIGNEE_KINDS = ("users", "guests", "groups")
HTTP_METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
_ADDRESS = re.compile("https?://", re.IGNORECASE)
_RUN_IN_ADDRESS = re.compile(r"/(?:tracker|runs)/([^/?#]+)")
_TASK_IN_ADDRESS = re.compile(r"[/=]([0-9a-f]{32})(?![^/?#&])")
_IDS_IN_ADDRESS = re.compile(r"/([0-9a-f]{32})(?![^/?#])")
#: What Python writes for a tuple, and for an object such as a generator, ``dict_keys([…])`` or lazy XComs.
_TUPLE = re.compile(r"\s*\(\s*(['\"(\[{]|\d+\s*,)")
_WHOLE_OBJECT = re.compile(r"\s*<(?:[\w.]*\.)?(\w+) object\b.* at 0x[0-9a-fA-F]+>\s*")
_OBJECT = re.compile(r"\s*(?:<(?:[\w.]*\.)?(\w+) object\b|(?:[\w.]*\.)?([A-Za-z_]\w*)\((?:\[|<|\{))")
_WHO_GIVES_IT = (
    "Has the task that gives it finished before? A template alone sets no order: write list_runs >> wait. Has it "
    "skipped (on_empty='skip')? Then leave out trigger_rule here, which runs this task all the same."
)


def is_nothing(value: Any) -> bool:
    """Tell whether a template had nothing to render: None, blank text, the text ``None``, or ``null`` (``tojson``)."""
    refuse_undefined(value)
    return value is None or (isinstance(value, str) and value.strip() in {"", "None", "null"})


def refuse_undefined(value: Any) -> None:
    """Refuse what a template gives for a variable that does not exist, and name the variable."""
    if isinstance(value, Undefined):
        raise TallyfyInputError(f"A template names a variable that does not exist: {_describe_undefined(value)}.")


def _describe_undefined(value: Undefined) -> str:
    try:
        int(value)
    except UndefinedError as error:
        return str(error.message)
    return "its name is not known"


def as_written(value: object, most: int = 100) -> str:
    """Return a value as Python writes it, cut where it is long."""
    try:
        written = repr(value)
    except ValueError:  # a number of more digits than Python writes
        written = f"a {type(value).__name__}"
    return written if len(written) <= most else f"{written[: most - 1]}…"


def as_text(argument: str, value: object) -> str:
    """Return what a text, a number or a date is as text."""
    try:
        # An enumeration of texts would be written by its name.
        return str.__str__(value) if isinstance(value, str) else str(value)
    except ValueError:
        raise TallyfyInputError(f"{argument} is a number of more digits than Python writes.") from None


def is_literal(value: Any) -> bool:
    """Tell whether a value is text without a template, and so known when the Dag is parsed."""
    return isinstance(value, str) and "{{" not in value and "{%" not in value


def is_known(value: Any) -> bool:
    """Tell whether a value, or all in a list, is known when the Dag is parsed: neither a template nor an XCom."""
    if isinstance(value, str):
        return is_literal(value)
    if isinstance(value, (list, tuple, set, frozenset)):
        return all(is_known(each) for each in value)
    return isinstance(value, Undefined) or not hasattr(value, "resolve")


@contextmanager
def checking_literals(operator: Any) -> Iterator[None]:
    """
    Refuse wrong literals of an operator when the Dag is parsed, or when it runs if it is mapped.

    A mapped operator is built just before it runs, and Airflow 2 calls no callback for an error there: it is kept for
    :func:`raise_wrong_literal`, with which ``execute`` begins.
    """
    try:
        yield
    except TallyfyInputError as error:
        if not getattr(operator, "_BaseOperator__from_mapped", False):
            raise
        operator.wrong_literal = error


def raise_wrong_literal(operator: Any) -> None:
    """Raise what :func:`checking_literals` has kept."""
    error: TallyfyInputError | None = getattr(operator, "wrong_literal", None)
    if error is not None:
        raise error


def without_nothings(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return a mapping without what renders to nothing."""
    return {name: value for name, value in values.items() if not is_nothing(value)}


def optional(value: Any) -> Any:
    """Return the value, or None where a template had nothing to render."""
    return None if is_nothing(value) else value


def parse_json(value: Any, parse_float: Callable[[str], float] | None = None) -> Any:
    """Return the list or dict that a template rendered with ``tojson``; any other value as it is."""
    if not isinstance(value, str) or not value.strip().startswith(("[", "{")):
        return value
    try:
        return json.loads(value, parse_float=parse_float)
    except (ValueError, RecursionError):
        return value


def mapping(argument: str, value: Any) -> Mapping[str, Any] | None:
    """Return a dict, or JSON text of one; None for nothing."""
    value = parse_json(optional(value))
    refuse_python_text(argument, value)
    if value is not None and not isinstance(value, Mapping):
        raise TallyfyInputError(f"{argument} takes a dict of names to values, not a {type(value).__name__}.")
    return value


def refuse_python_text(argument: str, value: Any) -> None:
    """Refuse what a template has rendered to text as Python writes it: a list, a dict, a generator and its like."""
    kind = python_text_of(value)
    if kind is None:
        return
    element = "its ['id']" if kind == "dict" else "a run or a task by its ['id']"
    example = f"list_runs.output['run_ids'], or {element}" if argument == "run_id" else "task.output"
    to_json = "'| tojson'" if kind in ("list", "dict") else "'| list | tojson'"
    raise TallyfyInputError(
        f"{argument} is the text of a {kind}: {as_written(value.strip(), 80)}. A template renders to text; pass "
        f"the XCom as it is ({argument}={example}), write {to_json} in the template, or set "
        "render_template_as_native_obj=True on the Dag."
    )


def python_text_of(value: Any) -> str | None:
    """Return what a text is the text of, as Python writes it: a list, a tuple, a generator; None for any other text."""
    if not isinstance(value, str):
        return None
    begin = value.lstrip()[:1]
    if begin in ("[", "{"):
        return "list" if begin == "[" else "dict"
    if not value.rstrip().endswith((")", ">")):
        return None
    if _TUPLE.match(value):
        return "tuple"
    found = _OBJECT.match(value)
    return next(filter(None, found.groups())) if found else None


def object_text_of(value: str) -> str | None:
    """Return what a text is the text of as a whole, such as a generator; None for any other text."""
    found = _WHOLE_OBJECT.fullmatch(value)
    return found[1] if found else None


def text(argument: str, value: Any) -> str | None:
    """Return text, or a number or a date as text, as native rendering gives them; None for nothing."""
    if is_nothing(value):
        return None
    if isinstance(value, str) and (what := object_text_of(value)):
        raise TallyfyInputError(f"{argument} is the text of a {what}: end the template with '| list' or '| join'.")
    # What is no number is not equal to itself.
    if isinstance(value, (str, int, float, Decimal, date)) and not isinstance(value, bool) and value == value:
        return as_text(argument, value)
    kind = as_written(value) if isinstance(value, (float, Decimal)) else f"a {type(value).__name__}"
    raise TallyfyInputError(f"{argument} takes text, not {kind}.")


def boolean(argument: str, value: Any) -> bool:
    """Return True or False; the text ``"False"``, which Python takes for true, is refused."""
    if isinstance(value, bool):
        return value
    raise TallyfyInputError(f"{argument} takes True or False, not {as_written(value)}; it is not templated.")


def choice(argument: str, value: Any, choices: Sequence[str]) -> str:
    """Return a value that is one of the choices; without one near it, the message names all."""
    if isinstance(value, str) and value in choices:
        return value
    raise TallyfyInputError(
        f"{argument} is {as_written(value)}; it takes {_either(choices)}"
        + ((did_you_mean(value, choices) if isinstance(value, str) else "") or ".")
    )


def http_method(value: Any) -> str:
    """Return a method that Tallyfy's endpoints take, in upper case."""
    return choice("method", value.strip().upper() if isinstance(value, str) else value, HTTP_METHODS)


def _either(choices: Sequence[str]) -> str:
    quoted = [repr(each) for each in choices]
    return f"{', '.join(quoted[:-1])} or {quoted[-1]}"


def names(argument: str, value: Any) -> list[str] | None:
    """Return names, each once, of a list, of its JSON text, or of text with commas; None for nothing."""
    given = _elements(argument, value, "names")
    for name in given:
        if not isinstance(name, str):
            raise TallyfyInputError(f"{argument} takes names, not {as_written(name)}.")
    return list(dict.fromkeys(given)) or None


def ids(argument: str, value: Any) -> list[Any]:
    """Return ids of a list, of its JSON text, of text with commas, or of one id; blank ones are left out."""
    value = as_whole_number(value)
    given = _elements(argument, [value] if isinstance(value, int) and not isinstance(value, bool) else value, "ids")
    return [_id(argument, as_whole_number(each)) for each in given]


def user_ids(argument: str, value: Any) -> list[int]:
    """Return ids of users, which are numbers, as :func:`ids` does."""
    given = [as_text(argument, each) for each in ids(argument, value)]
    for each in given:
        if not (each.isascii() and each.isdigit() and len(each) <= _MOST_DIGITS):
            hint = "; a guest's email address belongs to guests" if "@" in each else ""
            raise TallyfyInputError(f"{argument} takes numbers of users, not {as_written(each)}{hint}.")
    return [int(each) for each in given]


def assignees(argument: str, value: Any) -> dict[str, list[Any]]:
    """Return ids by kind of assignee; without what renders to nothing, while an empty list stands for nobody."""
    given = parse_json(optional(value))
    if given is None:
        return {}
    if not isinstance(given, Mapping) or set(given) - set(ASSIGNEE_KINDS):
        raise TallyfyInputError(f"{argument} takes a dict of lists with some of the keys {', '.join(ASSIGNEE_KINDS)}.")
    found = {kind: assignee_ids(f"{argument}[{kind!r}]", kind, each) for kind, each in given.items()}
    return {kind: each for kind, each in found.items() if each or parse_json(given[kind]) in ([], ())}


def assignee_ids(argument: str, kind: str, value: Any) -> list[Any]:
    """Return ids of one kind of assignee: numbers of users, text of guests and groups."""
    if kind == "users":
        return user_ids(argument, value)
    return [as_text(argument, each) for each in ids(argument, value)]


def one_id(argument: str, value: Any) -> int | str | None:
    """Return one id, a number or text; None for nothing."""
    if is_nothing(value):
        return None
    value = as_whole_number(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    refuse_python_text(argument, value)
    is_address = isinstance(value, str) and _ADDRESS.match(value.strip())
    if isinstance(value, (bool, float, Decimal, date)) or (isinstance(value, str) and "," in value and not is_address):
        raise TallyfyInputError(f"{argument} takes one id, not {as_written(value)}.")
    found = text(argument, value)
    return None if found is None else found.strip()


def as_whole_number(value: Any) -> Any:
    """Return a whole number of a database or of numpy as an int; any other value as it is."""
    if isinstance(value, Decimal) and value.is_finite() and value == value.to_integral_value():
        return int(value)
    if hasattr(value, "__index__") and not isinstance(value, (bool, int)) and "bool" not in type(value).__name__:
        return operator.index(value)
    return value


def _id(argument: str, value: Any) -> int | str:
    if isinstance(value, (int, str)) and not isinstance(value, bool):
        return value
    hint = ": give its ['id']" if isinstance(value, Mapping) else ""
    raise TallyfyInputError(f"{argument} takes ids, not {as_written(value)}{hint}.")


def _elements(argument: str, value: Any, what: str) -> list[Any]:
    value = parse_json(optional(value))
    if value is None:
        return []
    if isinstance(value, str):
        refuse_python_text(argument, value)
        value = value.split(",")
    refuse_unstable(argument, value)
    if not isinstance(value, Iterable) or isinstance(value, (Mapping, bytes)):
        raise TallyfyInputError(f"{argument} takes a list of {what}, not a {type(value).__name__}.")
    given = [each.strip() if isinstance(each, str) else each for each in value]
    return [each for each in given if not is_nothing(each)]


def refuse_unstable(argument: str, value: Any) -> None:
    """
    Refuse a set and an iterator, such as a generator.

    Airflow 2 cannot store a set, and its order may differ each time that a Dag is parsed; an iterator is empty when it
    has been read once, which checking it does.
    """
    if isinstance(value, (set, frozenset)):
        raise TallyfyInputError(f"{argument} is a set, which has no order and which Airflow cannot store: use a list.")
    if isinstance(value, Iterator):
        raise TallyfyInputError(
            f"{argument} is a {type(value).__name__}, which can be read only once and which Airflow cannot store: use "
            "a list; in a template, end with '| list'."
        )


def includes(value: Any) -> list[str]:
    """Return what to get along with a resource (Tallyfy's ``with``); empty for nothing."""
    return names("include", value) or []


def whole_number(argument: str, value: int | str | None, least: int = 1) -> int | None:
    """Return a whole number, or that of a text; None for nothing."""
    if is_nothing(value):
        return None
    # Compared and measured before it is converted: Python writes and reads no more than some thousand digits.
    text = str(value).strip() if not isinstance(value, int) or -1 <= value <= sys.maxsize else ""
    is_number = text.isascii() and text.isdigit() and len(text) <= _MOST_DIGITS
    if isinstance(value, bool) or not is_number or int(text) < least:
        shown = as_written(value) if text else "one that is out of all bounds"
        raise TallyfyInputError(f"{argument} takes a whole number from {least}, not {shown}; None leaves it out.")
    return int(text)


def seconds(argument: str, value: float | timedelta) -> float:
    """Return a duration in seconds, from 0 to any finite number of them."""
    duration = value.total_seconds() if isinstance(value, timedelta) else value
    is_number = isinstance(duration, (int, float)) and not isinstance(duration, bool)
    if is_number and LONGEST < duration < math.inf:  # an int may be longer than Python writes
        raise TallyfyInputError(f"{argument} is longer than a hundred years: give a finite number of seconds from 0.")
    if not is_number or not 0 <= duration <= LONGEST:
        raise TallyfyInputError(
            f"{argument} takes seconds or a timedelta, not {as_written(value)}: a finite number from 0."
        )
    return float(duration)


def interval(argument: str, value: float | timedelta) -> float:
    """Return a duration in seconds that is longer than 0."""
    duration = seconds(argument, value)
    if duration == 0:
        raise TallyfyInputError(f"{argument} is {as_written(value)}; it takes more than 0 seconds.")
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
            f"bound, not {as_written(value)}."
        )
    return datetime.fromtimestamp(math.floor(since_epoch), UTC)


def run_id(value: Any, argument: str = "run_id") -> str:
    """Return the id of one run, given by itself, by the address of its page, or as a run with its ``id``."""
    value = parse_json(value)
    if isinstance(value, Mapping):
        value = value.get("id")
    if is_nothing(value):
        raise TallyfyInputError(f"{argument} is empty: it says which run. {_WHO_GIVES_IT}")
    refuse_python_text(argument, value)
    is_one = isinstance(value, (str, int)) and not isinstance(value, bool)
    text = as_text(argument, value).strip() if is_one else ""
    if not text or text in {".", ".."} or "," in text:
        raise TallyfyInputError(
            f"{argument} takes the id of one run, not {as_written(value)}. To use several runs, map over them: "
            f".expand({argument}=launch.output)."
        )
    return _without_address(argument, text)


def optional_run_id(value: Any, argument: str = "run_id") -> str | None:
    """Return the id of one run; None for nothing."""
    return None if is_nothing(value) else run_id(value, argument)


def run_ids(value: Any) -> list[str]:
    """Return ids, each once, of an id, text with commas, a run with its ``id``, or a list of these or of lists."""
    found = list(dict.fromkeys(_run_ids(value)))
    if not found:
        raise TallyfyInputError(
            "run_id is an empty list: there is nothing to wait for. Let the task before skip when it finds nothing "
            "(ListRunsOperator(on_empty='skip'))."
        )
    return found


def _run_ids(value: Any) -> Iterator[str]:
    value = parse_json(value)
    if isinstance(value, Mapping):
        if value.get("id") in (None, ""):
            raise TallyfyInputError(f"run_id holds an object without an 'id': {as_written(value)}.")
        value = value["id"]
    if is_nothing(value) or value in (".", ".."):
        raise TallyfyInputError(f"run_id is {as_written(value)}, which is not an id. {_WHO_GIVES_IT}")
    refuse_python_text("run_id", value)
    if isinstance(value, (set, frozenset)):
        refuse_unstable("run_id", value)
    if isinstance(value, str) and "," in value:
        for part in filter(str.strip, value.split(",")):
            yield from _run_ids(part)
    elif isinstance(value, (str, int)) and not isinstance(value, bool):
        yield _without_address("run_id", as_text("run_id", value).strip())
    elif isinstance(value, Iterable) and not isinstance(value, bytes):
        for each in value:
            yield from _run_ids(each)
    else:
        raise TallyfyInputError(f"run_id takes an id or a list of ids, not {as_written(value)}.")


def checklist_id(value: Any) -> str:
    """Return the id of a checklist (template), given by itself, by its address, or as a checklist with its ``id``."""
    value = parse_json(value)
    found = one_id("checklist_id", value.get("id") if isinstance(value, Mapping) else value)
    if found is None:
        raise TallyfyInputError("checklist_id is empty: it says which checklist (template) to launch.")
    given = as_text("checklist_id", found)
    in_address = _IDS_IN_ADDRESS.findall(given) if _ADDRESS.match(given) else []
    return str(in_address[-1]) if in_address else given


def _without_address(argument: str, text: str) -> str:
    """Return the id in the address of a run's page (docs/tallyfy-api.md, "Links for people"); an id as it is."""
    if not _ADDRESS.match(text):
        return text
    if found := _RUN_IN_ADDRESS.search(text):
        return unquote(found[1])
    # Not quoted, since the address of a guest's page is a secret.
    raise TallyfyInputError(f"{argument} is a web address that names no run, as https://go.tallyfy.com/tracker/… does.")


def _task_in(address: str) -> str:
    """Return the id of the task in the address of its page: the last id there that is not the run's."""
    run = _RUN_IN_ADDRESS.search(address)
    ids = [found for found in _TASK_IN_ADDRESS.findall(address) if run is None or found != run[1]]
    if ids and "/guest" not in address:
        return str(ids[-1])
    # Not quoted, since the address of a guest's page is a secret.
    raise TallyfyInputError("step is a web address that names no task: give the task's id, or its alias or title.")


def step(value: Any) -> str:
    """Return the id, alias or title of a task, given by itself, by its address or as a task with its ``id``."""
    task = parse_json(value)  # a title may look like JSON of anything else
    if isinstance(task, Mapping):
        value = task.get("id") or task.get("task_id")
    if isinstance(value, str) and _ADDRESS.match(value.strip()):
        return _task_in(value.strip())
    if is_nothing(value):
        raise TallyfyInputError(
            f"step is empty: it takes a task's id, or its alias or title within run_id. {_WHO_GIVES_IT}"
        )
    if isinstance(value, (bool, float)) or not isinstance(value, (str, int)):
        raise TallyfyInputError(f"step takes an id, an alias or a title, not a {type(value).__name__}.")
    return as_text("step", value).strip()
