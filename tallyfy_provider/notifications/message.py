"""What people in Tallyfy are told about an event. Pure."""

from __future__ import annotations

import hashlib
import html
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tallyfy_provider.client.runs.launch_marker import LaunchMarker
from tallyfy_provider.client.runs.launch_request import LONGEST_NAME
from tallyfy_provider.exceptions import TallyfyInputError
from tallyfy_provider.notifications.event import Event
from tallyfy_provider.utils.arguments import is_nothing


@dataclass(frozen=True)
class Notice:
    """
    What one notifier says about one event.

    :param event: What happened.
    :param arguments: The notifier's arguments, rendered. Not shown, since form values may be personal.
    :param mark: What tells this notifier from others that are told of the same event.
    """

    event: Event
    arguments: Mapping[str, Any] = field(repr=False)
    mark: str

    def text(self, name: str) -> str | None:
        """
        Give an argument that names something.

        :param name: The argument.
        :return: Its text; None where it says nothing.
        """
        value = self.arguments.get(name)
        return None if is_nothing(value) else str(value).strip()

    @property
    def launches(self) -> bool:
        """
        Whether a run is to be launched, rather than one commented on.

        :raises TallyfyInputError: The arguments have rendered to both or to neither.
        """
        launches = self.text("checklist_id") is not None
        comments = self.text("run_id") is not None or self.text("step") is not None
        if launches == comments:
            raise TallyfyInputError(
                "checklist_id and run_id are both given; the notifier does one of the two."
                if launches
                else "checklist_id, run_id and step have all rendered to nothing: one has to say what to "
                "launch or where to comment."
            )
        return launches

    @property
    def marker(self) -> LaunchMarker:
        """The marker by which this notice is found again."""
        return LaunchMarker.build(f"From Airflow: {self.event.sentence}", "notice", *self.event.identity, self.mark)

    @property
    def name(self) -> str:
        """Name the run: as the Dag author said, or after the event; cut to what Tallyfy takes."""
        name = self.text("name") or _capital(self.event.title)
        return name if len(name) <= LONGEST_NAME else f"{name[: LONGEST_NAME - 1]}…"

    def body(self, name: str) -> str:
        """
        Give the text of a summary or a comment: as the Dag author said, or what there is to know of the event.

        :param name: The argument that holds it.
        :return: Text or HTML.
        """
        return self.text(name) or _told(self.event)


def mark_of(arguments: Mapping[str, Any]) -> str:
    """
    Make what tells a notifier from others, out of its arguments as they are written in the Dag.

    Not as they are rendered: a template may render to something else when Airflow calls back again.

    :param arguments: The arguments before they are rendered.
    :return: The mark; nothing can be read out of it.
    """
    text = json.dumps(arguments, sort_keys=True, default=_written)
    return hashlib.sha256(text.encode()).hexdigest()


def _written(value: Any) -> Any:
    """Stand for what JSON has no form for, the same in every process."""
    if isinstance(value, (set, frozenset)):
        return sorted(map(str, value))
    named = value if hasattr(value, "__qualname__") else type(value)
    return f"{named.__module__}.{named.__qualname__}"


def _told(event: Event) -> str:
    facts = (f"{name}: {_shown(name, value)}" for name, value in event.facts.items())
    return f"<p>{html.escape(_capital(event.title), quote=False)}.</p><p>{'<br>'.join(facts)}</p>"


def _shown(name: str, value: str) -> str:
    if name == "Log":
        return f'<a href="{html.escape(value)}">{html.escape(value, quote=False)}</a>'
    return html.escape(value, quote=False)


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
