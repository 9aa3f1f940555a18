"""Which task of a run a name means: its id, its alias, or its title. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tallyfy_provider.exceptions import TallyfyInputError
from tallyfy_provider.utils.arguments import is_nothing


def task_name(value: Any) -> str:
    """
    Read the name of a task.

    :param value: An id, an alias or a title; or a task with its ``id``, as an XCom hands it on.
    :return: The name.
    :raises TallyfyInputError: There is none.
    """
    if isinstance(value, Mapping):
        value = value.get("id") or value.get("task_id")
    if is_nothing(value):
        raise TallyfyInputError(
            "step is empty: it takes a task's id, or its alias or title within run_id. "
            "Has the task before handed one on?"
        )
    if isinstance(value, (bool, float)) or not isinstance(value, (str, int)):
        raise TallyfyInputError(f"step takes an id, an alias or a title, not a {type(value).__name__}.")
    return str(value).strip()


def run_name(value: Any) -> str:
    """
    Read the id of a run.

    :param value: An id; or a run with its ``id``, as an XCom hands it on.
    :return: The id.
    :raises TallyfyInputError: There is none, or there are several.
    """
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
            f"run_id takes the id of one run, not {value!r:.100}. Of several runs, map over them: "
            ".expand(run_id=launch.output)."
        )
    return text
