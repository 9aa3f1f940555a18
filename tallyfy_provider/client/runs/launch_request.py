"""What is sent to launch a run, out of what a Dag author wrote. Pure."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from typing import Any

from tallyfy_provider.client.forms.fields import rows_of
from tallyfy_provider.client.forms.values import is_blank
from tallyfy_provider.exceptions import TallyfyInputError
from tallyfy_provider.utils.arguments import parse_json

#: The longest name of a run, in characters (docs/tallyfy-api.md, "Endpoints").
LONGEST_NAME = 550
#: What the API takes for a launch beside what LaunchRunOperator names itself.
OTHER_NAMES = ("user_id", "starred", "is_public", "assign_someone_else", "publicly_hidden_fields")
_LISTS = ("tags", "users", "groups", "folders")


def build_launch_request(
    checklist: Mapping[str, Any],
    *,
    name: str | None,
    prerun: Mapping[str, Any],
    given: Mapping[str, Any],
    other: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """
    Put together what is sent.

    :param checklist: The checklist as the API gave it, with its ``steps`` where ``given`` has some.
    :param name: The run's name; blank means the checklist's title.
    :param prerun: The kick-off form in Tallyfy's form.
    :param given: ``summary``, ``owner_id``, ``parent_id``, ``tags``, ``folders``, ``users``, ``groups``, ``roles`` and
        ``steps``; what is nothing is not sent.
    :param other: More of the API's own names, of :data:`OTHER_NAMES`.
    :return: The body.
    :raises TallyfyInputError: Something cannot be sent; it says what, and what is taken.
    """
    title = str(checklist.get("title") or "").strip()
    name = str(name).strip() if not is_blank(name) else title
    if len(name) > LONGEST_NAME:
        raise TallyfyInputError(f"name has {len(name)} characters; Tallyfy takes at most {LONGEST_NAME}.")
    body: dict[str, Any] = {"checklist_id": str(checklist.get("id")), "name": name, **_other(other)}
    if prerun:
        body["prerun"] = dict(prerun)
    for key, value in given.items():
        if is_blank(value):
            continue
        if key in _LISTS:
            body[key] = _list(key, value)
        elif key == "steps":
            body["tasks"] = _tasks(rows_of(checklist.get("steps")), _mapping(key, value))
        elif key == "roles":
            body[key] = dict(_mapping(key, value))
        else:
            body[key] = value
    return body


def _other(other: Mapping[str, Any] | None) -> dict[str, Any]:
    values = {} if is_blank(other) else dict(_mapping("options", other))
    for name in values:
        if name not in OTHER_NAMES:
            raise TallyfyInputError(
                f"options[{name!r}] is nothing that a launch takes beside LaunchRunOperator's own arguments; "
                f"{_suggestion(name, OTHER_NAMES)}"
            )
    return values


def _tasks(steps: Iterable[Mapping[str, Any]], overrides: Mapping[str, Any]) -> dict[str, Any]:
    """Name steps by their timeline ids, which is all that Tallyfy takes."""
    steps = list(steps)
    tasks: dict[str, Any] = {}
    for name, override in overrides.items():
        step_id = _step_id(steps, str(name).strip())
        if step_id in tasks:
            raise TallyfyInputError(f"steps: two names stand for the same step, {name!r} being one of them.")
        tasks[step_id] = dict(_mapping(f"steps[{name!r}]", override))
    return tasks


def _step_id(steps: list[Mapping[str, Any]], name: str) -> str:
    for key in ("id", "alias", "title"):
        found = [step for step in steps if str(step.get(key) or "").strip() == name]
        if len(found) == 1:
            return str(found[0]["id"])
        if found:
            ids = ", ".join(str(step["id"]) for step in found)
            raise TallyfyInputError(f"steps: {len(found)} steps have the {key} {name!r}; say which by its id: {ids}.")
    known = [str(step.get("alias") or step.get("title") or step.get("id")) for step in steps]
    titles = [str(step.get("title") or "") for step in steps]
    raise TallyfyInputError(f"steps: the checklist has no step {name!r}; {_suggestion(name, known, titles)}")


def _suggestion(name: str, known: Iterable[str], more: Iterable[str] = ()) -> str:
    known = list(known)
    nearest = difflib.get_close_matches(name, [*known, *more], n=1, cutoff=0.6)
    hint = f"did you mean {nearest[0]!r}? " if nearest else ""
    return f"{hint}There are: {', '.join(known)}." if known else f"{hint}there are none."


def _list(name: str, value: Any) -> list[Any]:
    value = parse_json(value)
    if isinstance(value, str):
        return [part.strip() for part in value.split(",") if part.strip()]
    if isinstance(value, int) and not isinstance(value, bool):
        return [value]
    if isinstance(value, Iterable) and not isinstance(value, (Mapping, bytes)):
        return list(value)
    raise TallyfyInputError(f"{name} takes a list of ids, or one of them, not {type(value).__name__}.")


def _mapping(name: str, value: Any) -> Mapping[str, Any]:
    value = parse_json(value)
    if not isinstance(value, Mapping):
        raise TallyfyInputError(f"{name} takes a dict, not {type(value).__name__}.")
    return value
