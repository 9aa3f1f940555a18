"""Put together what is sent to launch a run, out of what a Dag author wrote."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tallyfy_provider.client.forms.compare import compare
from tallyfy_provider.client.forms.encode import encode_form
from tallyfy_provider.client.forms.fields import FormField, read_fields, rows_of
from tallyfy_provider.client.forms.values import is_blank
from tallyfy_provider.client.names import find_by_name, suggest
from tallyfy_provider.client.redaction import shown
from tallyfy_provider.exceptions import TallyfyInputError
from tallyfy_provider.utils import arguments
from tallyfy_provider.utils.suggestions import did_you_mean

if TYPE_CHECKING:
    from tallyfy_provider.client.checklists import ChecklistsResource

log = logging.getLogger(__name__)

#: The longest name of a run, in characters (docs/tallyfy-api.md, "Endpoints").
LONGEST_NAME = 550
#: Arguments of LaunchRunOperator and of the notifier that are sent under their own names, except for ``steps``.
ARGUMENTS = ("summary", "owner_id", "parent_id", "tags", "folders", "users", "groups", "roles", "steps")
#: What the API takes for a launch in addition, as ``options``.
OPTIONS = ("user_id", "starred", "is_public", "assign_someone_else", "publicly_hidden_fields")
_LISTS = ("tags", "groups", "folders")


@dataclass(frozen=True)
class LaunchRequest:
    """The checked body of a launch, and the fields of its kick-off form."""

    body: Mapping[str, Any]
    fields: Sequence[FormField]

    def warn_of_differences(self, run: Mapping[str, Any]) -> None:
        """Log a warning where the launched run did not store the kick-off form as it was sent."""
        differences = compare(self.body.get("prerun") or {}, run.get("prerun"), self.fields)
        if differences:
            # No error: people may be at work already, and Tallyfy may write a value in a way that is not known.
            log.warning("Check the kick-off form of run %s: %s.", shown(run["id"]), "; ".join(map(str, differences)))


def prepare_launch(
    checklists: ChecklistsResource,
    checklist_id: str,
    *,
    name: Any,
    kickoff: Any,
    given: Mapping[str, Any],
    options: Any = None,
) -> LaunchRequest:
    """Read the checklist, check everything that was written against it, and build the request."""
    checklist = checklists.get(checklist_id, include=() if is_blank(given.get("steps")) else ("steps",))
    fields = read_fields(checklist.get("prerun"))
    form = encode_form(fields, kickoff)
    for note in form.notes:
        log.info(note)
    body = {"checklist_id": str(checklist.get("id")), "name": _name(name, checklist), **_options(options)}
    if form.values:
        body["prerun"] = dict(form.values)
    for argument, value in given.items():
        if is_blank(value):
            continue
        if argument == "users":
            body[argument] = arguments.user_ids(argument, value)
        elif argument in _LISTS:
            body[argument] = arguments.ids(argument, value)
        elif argument == "steps":
            steps = [step for step in rows_of(checklist.get("steps")) if step.get("id")]
            body["tasks"] = _tasks(steps, _mapping(argument, value))
        elif argument == "roles":
            body[argument] = _roles(_mapping(argument, value))
        elif argument == "parent_id":
            body[argument] = arguments.run_id(value, argument)
        elif argument == "owner_id":
            body[argument] = arguments.one_id(argument, value)
        else:
            body[argument] = arguments.text(argument, value)
    return LaunchRequest(body, fields)


def _name(name: Any, checklist: Mapping[str, Any]) -> str:
    text = (arguments.text("name", name) or str(checklist.get("title") or "")).strip()
    if len(text) > LONGEST_NAME:
        raise TallyfyInputError(f"name has {len(text)} characters; Tallyfy takes at most {LONGEST_NAME}.")
    return text


def _options(options: Any) -> dict[str, Any]:
    values = {} if is_blank(options) else dict(_mapping("options", options))
    for name in values:
        if name not in OPTIONS:
            raise TallyfyInputError(
                f"options[{name!r}] is not an option of a launch{did_you_mean(name, OPTIONS) or '.'} There are: "
                f"{', '.join(OPTIONS)}. The arguments of LaunchRunOperator do not go into options."
            )
    return arguments.without_nothings(values)


def _roles(roles: Mapping[str, Any]) -> dict[str, Any]:
    people = {role: arguments.assignees(f"roles[{role!r}]", given) for role, given in roles.items()}
    return {role: each for role, each in people.items() if each}


def _tasks(steps: Sequence[Mapping[str, Any]], overrides: Mapping[str, Any]) -> dict[str, Any]:
    """Return changes to steps by timeline id, which is the only name of a step that Tallyfy takes."""
    tasks: dict[str, Any] = {}
    for name, override in overrides.items():
        step_id = _step_id(steps, str(name).strip())
        if step_id in tasks:
            raise TallyfyInputError(f"steps: two names stand for the same step, {name!r} being one of them.")
        tasks[step_id] = _task(f"steps[{name!r}]", override)
    return {step_id: task for step_id, task in tasks.items() if task}


def _task(argument: str, override: Any) -> dict[str, Any]:
    """Return the changes to a step; a deadline is marked as given by hand, or automations may move it."""
    changes = arguments.without_nothings(_mapping(argument, override))
    if "owners" in changes:
        changes["owners"] = arguments.assignees(f"{argument}['owners']", changes["owners"])
    by_hand = {"deadline_set_by_hand": True} if "deadline" in changes else {}
    return {**by_hand, **changes}


def _step_id(steps: Sequence[Mapping[str, Any]], name: str) -> str:
    found = find_by_name(steps, name, ("id", "alias", "title"))
    if len(found) == 1:
        return str(found[0]["id"])
    if found:
        raise TallyfyInputError(f"steps: {name!r} is the name of {len(found)} steps; say which by id: {_ids(found)}.")
    known = ", ".join(shown(step.get("alias") or step.get("title") or step.get("id")) for step in steps)
    suggestion = suggest(steps, name, ("title", "alias")) or "."
    raise TallyfyInputError(
        f"steps: the checklist has no step {name!r}{suggestion} {f'There are: {known}.' if known else 'It has none.'}"
    )


def _ids(steps: Iterable[Mapping[str, Any]]) -> str:
    return ", ".join(shown(step["id"]) for step in steps)


def _mapping(argument: str, value: Any) -> Mapping[str, Any]:
    value = arguments.parse_json(value)
    if not isinstance(value, Mapping):
        raise TallyfyInputError(f"{argument} takes a dict, not {type(value).__name__}.")
    return value
