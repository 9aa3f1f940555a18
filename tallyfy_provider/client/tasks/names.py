"""Which task of a run a name means: its id, its alias, or its title. Pure."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tallyfy_provider.exceptions import TallyfyInputError

Task = Mapping[str, Any]

_ID = re.compile(r"[0-9a-fA-F]{32}")
#: Tasks named in a message.
_SHOWN = 20


def looks_like_an_id(name: str) -> bool:
    """
    Tell whether a name is an id of Tallyfy's.

    :param name: The name.
    :return: True for 32 hexadecimal digits.
    """
    return bool(_ID.fullmatch(name))


def find_task(tasks: Sequence[Task], name: str, run_id: str) -> dict[str, Any]:
    """
    Tell which task is meant.

    By id, then alias, then title as it is, then title as the template has it (people may change a task's title); where
    none fits, in the same order without regard to case.

    :param tasks: The run's tasks as the API gave them.
    :param name: Id, alias or title.
    :param run_id: The run, for messages.
    :return: The one task.
    :raises TallyfyInputError: No task is called so, or several are.
    """
    for attribute, compared in _WAYS:
        found = [task for task in tasks if _is_called(task, attribute, compared, name)]
        if len(found) > 1:
            raise TallyfyInputError(
                f"{name!r} is the name of {len(found)} tasks of run {run_id}: {_listed(found)}. "
                "Say which by alias or id."
            )
        if found:
            return dict(found[0])
    raise TallyfyInputError(f"Run {run_id} has no task {name!r}{_nearest(tasks, name)}")


def _exactly(text: str) -> str:
    return text.strip()


def _without_case(text: str) -> str:
    return " ".join(text.split()).casefold()


#: How a name can be that of a task, the surest first.
_WAYS: tuple[tuple[str, Callable[[str], str]], ...] = (
    ("id", _exactly),
    ("alias", _exactly),
    ("title", _exactly),
    ("original_title", _exactly),
    ("alias", _without_case),
    ("title", _without_case),
    ("original_title", _without_case),
)


def _is_called(task: Task, attribute: str, compared: Callable[[str], str], name: str) -> bool:
    own = compared(_text(task.get(attribute)))
    return bool(own) and own == compared(name)


def _nearest(tasks: Sequence[Task], name: str) -> str:
    if not tasks:
        return ": Tallyfy lists no tasks for it."
    known = {
        text.casefold(): text
        for task in tasks
        for text in (_text(task.get("title")).strip(), _text(task.get("alias")).strip())
        if text
    }
    nearest = difflib.get_close_matches(name.casefold(), known, n=1, cutoff=0.6)
    hint = f"; did you mean {known[nearest[0]]!r}?" if nearest else "."
    return f"{hint} Its tasks are {_listed(tasks)}."


def _listed(tasks: Sequence[Task]) -> str:
    shown = "; ".join(
        f"{_text(task.get('title'))!r} (alias {_text(task.get('alias'))!r}, id {_text(task.get('id'))})"
        for task in tasks[:_SHOWN]
    )
    more = len(tasks) - _SHOWN
    return f"{shown} and {more} more" if more > 0 else shown


def _text(value: Any) -> str:
    return "" if value is None else str(value)
