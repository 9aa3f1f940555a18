"""Find what a Dag author names by id, alias or title: a form field, a task of a run, a step of a checklist. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

from tallyfy_provider.client.redaction import shown
from tallyfy_provider.utils.suggestions import did_you_mean

Named = TypeVar("Named")


def find_by_name(candidates: Iterable[Named], name: str, attributes: Sequence[str]) -> list[Named]:
    """
    Return the candidates that a name means; several where it is ambiguous.

    Exact matches come first, attribute by attribute; then all but the first attribute, which is the id, are compared
    without regard to case and white space.
    """
    candidates = list(candidates)
    exactly = [(attribute, _stripped) for attribute in attributes]
    without_case = [(attribute, _folded) for attribute in attributes[1:]]
    for attribute, normalize in [*exactly, *without_case]:
        found = [each for each in candidates if _has_name(each, attribute, normalize, name)]
        if found:
            return found
    return []


def suggest(candidates: Iterable[Any], name: str, attributes: Sequence[str]) -> str:
    """Return "; did you mean …?" with the nearest name of a candidate; empty where none is near."""
    names = (shown(attribute_of(each, attribute)) for each in candidates for attribute in attributes)
    return did_you_mean(name, filter(None, names))


def attribute_of(candidate: Any, attribute: str) -> str:
    """Return an attribute, or a key of an object of Tallyfy's, as text; empty where it is missing."""
    value = candidate.get(attribute) if isinstance(candidate, Mapping) else getattr(candidate, attribute)
    return "" if value is None else str(value)


def _has_name(candidate: Any, attribute: str, normalize: Callable[[str], str], name: str) -> bool:
    own = normalize(attribute_of(candidate, attribute))
    return bool(own) and own == normalize(name)


def _stripped(text: str) -> str:
    return text.strip()


def _folded(text: str) -> str:
    return " ".join(text.split()).casefold()
