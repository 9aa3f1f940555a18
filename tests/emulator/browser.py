"""A browser without JavaScript: reads a page's forms, fills and sends them as a person does."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser
from urllib.parse import urlencode, urljoin

import requests


@dataclass
class Form:
    """A form: where it goes, what it holds, and its buttons by their text."""

    action: str
    method: str
    fields: list[tuple[str, str]] = field(default_factory=list)
    choices: dict[str, list[str]] = field(default_factory=dict)
    buttons: dict[str, tuple[str, str]] = field(default_factory=dict)

    def set(self, name: str, *values: str) -> Form:
        """Enter values in place of those that are there; what is chosen from must be offered."""
        offered = self.choices.get(name)
        assert offered is None or set(values) <= {*offered, ""}, f"{values} are not among {offered}"
        assert offered is not None or any(name == known for known, _ in self.fields), f"there is no {name}"
        kept = [each for each in self.fields if each[0] != name]
        self.fields = [*kept, *((name, value) for value in values)]
        return self


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.forms: list[Form] = []
        self.texts: list[str] = []
        self.links: list[str] = []
        self._form: Form | None = None
        self._select = self._option = self._textarea = self._button = None

    def handle_starttag(self, tag, attributes):
        given = dict(attributes)
        name, value = given.get("name"), given.get("value") or ""
        if tag == "a":
            self.links.append(given["href"])
        elif tag == "form":
            self._form = Form(given.get("action", ""), given.get("method", "get"))
            self.forms.append(self._form)
        elif tag == "textarea":
            self._textarea = (name, "")
        elif tag == "button":
            self._button = (name, value, "")
        elif tag == "select":
            self._select = name
            self._form.choices[name] = []
        elif tag == "option":
            self._option = [given.get("value"), "selected" in given, ""]
        elif tag == "input" and given.get("type") in ("radio", "checkbox"):
            self._form.choices.setdefault(name, []).append(value)
            if "checked" in given:
                self._form.fields.append((name, value))
        elif tag == "input":
            self._form.fields.append((name, value))

    def handle_data(self, data):
        if self._textarea:
            self._textarea = (self._textarea[0], self._textarea[1] + data)
        elif self._button:
            self._button = (*self._button[:2], self._button[2] + data.strip())
        elif self._option:
            self._option[2] += data.strip()
        if data.strip():
            self.texts.append(" ".join(data.split()))

    def handle_endtag(self, tag):
        if tag == "form":
            self._form = None
        elif tag == "textarea":
            self._form.fields.append(self._textarea)
            self._textarea = None
        elif tag == "button":
            name, value, text = self._button
            self._form.buttons[text] = (name, value)
            self._button = None
        elif tag == "select":
            self._select = None
        elif tag == "option":
            value, is_selected, text = self._option
            value = text if value is None else value
            self._form.choices[self._select].append(value)
            if is_selected:
                self._form.fields.append((self._select, value))
            self._option = None


class Browser:
    """
    One person's browser.

    :param base_url: the emulator's address.
    """

    def __init__(self, base_url: str) -> None:
        self._base = base_url
        self._session = requests.Session()
        self._session.headers["Accept"] = "text/html"
        self.status = 0
        self.url = ""
        self.source = ""

    def open(self, path: str) -> Browser:
        """Open a page."""
        return self._show(self._session.get(urljoin(self._base, path)))

    def _show(self, response: requests.Response) -> Browser:
        self.status, self.url, self.source = response.status_code, response.url, response.text
        self.headers = response.headers
        reader = _Reader()
        reader.feed(response.text)
        self.forms, self.links, self.text = reader.forms, reader.links, " ".join(reader.texts)
        return self

    def form_with(self, button: str, number: int = 0) -> Form:
        """Find the form that has a button."""
        return [form for form in self.forms if button in form.buttons][number]

    def press(self, button: str, number: int = 0, form: Form | None = None) -> Browser:
        """Press a button."""
        form = form or self.form_with(button, number)
        name, value = form.buttons[button]
        sent = [*form.fields, *([(name, value)] if name else [])]
        url = urljoin(self.url, form.action)
        if form.method == "get":
            return self._show(self._session.get(f"{url}?{urlencode(sent)}"))
        headers = {"Content-Type": "application/x-www-form-urlencoded", "Origin": self._base}
        return self._show(self._session.post(url, urlencode(sent), headers=headers))
