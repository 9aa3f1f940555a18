"""
Find the options that a value means, and encode them as Tallyfy takes them. Pure.

A radio is sent as its option's text, a dropdown as ``{"id", "text"}``, a multiselect as a list of these with
``selected`` (docs/tallyfy-api.md, "Form values"). No message repeats the value, which may be personal.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from tallyfy_provider.client.forms.fields import FormField, Option, whole_number
from tallyfy_provider.client.forms.values import WrongValueError, is_blank, kind_of
from tallyfy_provider.client.redaction import quoted, shown

_SAY_WHICH = "say which with {'id': …} or {'text': …}"


def encode_radio(field: FormField, value: Any) -> str:
    """Encode one option, given as text, id or ``{"id", "text"}``, as the text that the template has."""
    value = _only(value)
    if field.options:
        return _find(field, value).text
    text = value.get("text") if isinstance(value, Mapping) else value
    if isinstance(text, (str, int, float)):
        return str(text)
    raise WrongValueError(f"is {kind_of(value)}, which is no option")


def encode_dropdown(field: FormField, value: Any) -> dict[str, Any]:
    """Encode one option, given as text, id or ``{"id", "text"}``, as the pair that the template has."""
    return _pair(field, _only(value))


def encode_multiselect(field: FormField, value: Any) -> list[dict[str, Any]]:
    """
    Encode any number of options, each once, in the order of the form.

    They are given as a list, of which elements with ``selected`` false are left out, or as text with commas, unless an
    option has a comma itself.
    """
    pairs: dict[str, dict[str, Any]] = {}
    for element in _elements(field, value):
        if isinstance(element, Mapping) and element.get("selected") is False:
            continue
        pair = _pair(field, element)
        pairs[str(pair["id"])] = {**pair, "selected": True}
    order = [str(option.id) for option in field.options if str(option.id) in pairs]
    return [pairs[key] for key in order or pairs]


def has_option(field: FormField, value: Any) -> bool:
    """Tell whether a value is the exact text of an option, which may be ``None`` or look like JSON."""
    return isinstance(value, str) and bool(value.strip()) and value.strip() in {o.text.strip() for o in field.options}


def _elements(field: FormField, value: Any) -> list[Any]:
    if isinstance(value, str) and not _meant_by_text_or_id(field, value):
        if any("," in option.text for option in field.options):
            raise WrongValueError(
                f"is {kind_of(value)} and no option; as one of its options has a comma, it takes a list"
            )
        value = value.split(",")
    if isinstance(value, Iterable) and not isinstance(value, (str, bytes, Mapping)):
        return [element for element in value if not is_blank(element) or has_option(field, element)]
    return [value]


def _only(value: Any) -> Any:
    if not isinstance(value, (list, tuple, set, frozenset)):
        return value
    if len(value) != 1:
        raise WrongValueError(f"is {kind_of(value)}; it takes one option")
    return next(iter(value))


def _pair(field: FormField, value: Any) -> dict[str, Any]:
    if field.options:
        option = _find(field, value)
        return {"id": option.id, "text": option.text}
    if isinstance(value, Mapping) and not is_blank(value.get("id")) and not is_blank(value.get("text")):
        return {"id": whole_number(value["id"]), "text": str(value["text"])}
    raise WrongValueError(
        f"is {kind_of(value)}; as Tallyfy lists no options for it, it takes {{'id': …, 'text': …}} as the option has it"
    )


def _find(field: FormField, value: Any) -> Option:
    found = _meant(field, value)
    if not found:
        raise WrongValueError(f"is {kind_of(value)}, which is none of its options")
    if len({_sent(field, option) for option in found}) > 1:
        meant = ", ".join(f"{quoted(option.text)} with id {shown(option.id)}" for option in found)
        raise WrongValueError(f"can mean more than one option ({meant}); {_SAY_WHICH}")
    return found[0]


def _sent(field: FormField, option: Option) -> object:
    return option.text if field.field_type == "radio" else (str(option.id), option.text)


def _meant(field: FormField, value: Any) -> list[Option]:
    if not isinstance(value, Mapping):
        return _meant_by_text_or_id(field, value)
    by_id = None if is_blank(value.get("id")) else _by_id(field, value["id"])
    by_text = None if is_blank(value.get("text")) else _by_text(field, value["text"])
    if by_id is None or by_text is None:
        return by_id or by_text or []
    both = [option for option in by_id if option in by_text or _same_text(option, value["text"])]
    if not both:
        raise WrongValueError("has the id of one option and the text of another, or of none")
    return both


def _meant_by_text_or_id(field: FormField, value: Any) -> list[Option]:
    """Return the options that a bare value can mean. Only text is ever sent for a radio, so there the text wins."""
    by_text = _by_text(field, value)
    if by_text and field.field_type == "radio":
        return by_text
    by_id = [option for option in _by_id(field, value) if option not in by_text]
    return [*by_text, *by_id]


def _by_id(field: FormField, value: Any) -> list[Option]:
    return [option for option in field.options if str(option.id) == str(value).strip()]


def _by_text(field: FormField, value: Any) -> list[Option]:
    if not isinstance(value, (str, int, float)):
        return []
    exact = [option for option in field.options if option.text.strip() == str(value).strip()]
    return exact or [option for option in field.options if _same_text(option, value)]


def _same_text(option: Option, value: Any) -> bool:
    return option.text.strip().casefold() == str(value).strip().casefold()
