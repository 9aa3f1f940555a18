"""The message about an event that people in Tallyfy get. Pure."""

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
from tallyfy_provider.utils import arguments


@dataclass(frozen=True)
class Message:
    """The message of one notifier about one event."""

    event: Event
    #: The notifier's arguments, rendered. Not shown, since form values may be personal.
    arguments: Mapping[str, Any] = field(repr=False)
    #: Differs from that of other notifiers of the same event.
    fingerprint: str

    def text(self, name: str) -> str | None:
        """Return the text of an argument; None where it rendered to nothing."""
        value = self.arguments.get(name)
        text = arguments.text(name, value)
        return None if text is None else text.strip()

    def gives(self, name: str) -> bool:
        """Return whether an argument rendered to anything."""
        return not arguments.is_nothing(self.arguments.get(name))

    @property
    def launches(self) -> bool:
        """Whether to launch a run, and not to comment on one; the arguments must have rendered to one of the two."""
        launches = self.gives("checklist_id")
        comments = self.gives("run_id") or self.gives("step")
        if launches == comments:
            raise TallyfyInputError(
                "checklist_id and run_id are both given; the notifier does one of the two."
                if launches
                else "checklist_id, run_id and step have all rendered to nothing: one of them must say what to "
                "launch or where to comment."
            )
        return launches

    @property
    def marker(self) -> LaunchMarker:
        """The line by which this message is found again."""
        identity = ("notice", *self.event.identity, self.fingerprint)
        return LaunchMarker.build(f"From Airflow: {self.event.sentence}", *identity)

    @property
    def name(self) -> str:
        """The run's name, or one after the event; cut to what Tallyfy takes."""
        name = self.text("name") or _capital(self.event.title)
        return name if len(name) <= LONGEST_NAME else f"{name[: LONGEST_NAME - 1]}…"

    def body(self, name: str) -> str:
        """Return the summary or comment in the argument of that name, or else a description of the event."""
        return self.text(name) or _describe(self.event)


def fingerprint_of(arguments: Mapping[str, Any]) -> str:
    """
    Return a hash of a notifier's arguments as they are written in the Dag.

    Not as they are rendered: a template may render to something else when Airflow calls back again.
    """
    text = json.dumps(arguments, sort_keys=True, default=_stable_form)
    return hashlib.sha256(text.encode()).hexdigest()


def _stable_form(value: Any) -> Any:
    """Return a form, the same in every process, of a value that JSON has none for."""
    if isinstance(value, (set, frozenset)):
        return sorted(map(str, value))
    named = value if hasattr(value, "__qualname__") else type(value)
    return f"{named.__module__}.{named.__qualname__}"


def _describe(event: Event) -> str:
    facts = (f"{name}: {_fact_html(name, value)}" for name, value in event.facts.items())
    return f"<p>{html.escape(_capital(event.title), quote=False)}.</p><p>{'<br>'.join(facts)}</p>"


def _fact_html(name: str, value: str) -> str:
    if name == "Log":
        return f'<a href="{html.escape(value)}">{html.escape(value, quote=False)}</a>'
    return html.escape(value, quote=False)


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
