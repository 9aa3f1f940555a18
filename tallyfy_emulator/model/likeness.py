"""Read a report of ``python -m tallyfy_provider check`` (docs/check.md): which quirks answer as was seen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

from tallyfy_emulator.model.quirks import Quirks

_FORMAT = 1
#: What quirks take besides the type of their default.
_ALSO: Mapping[str, tuple[type, ...]] = {
    "link_base": (str,),
    "empty_page": (int,),
    "list_lag": (int,),
    "feed_lag": (int,),
}


@dataclass(frozen=True)
class Likeness:
    """
    The quirks of a report.

    :param quirks: Quirks that answer as was seen.
    :param changed: Those of them that are not the default, by name.
    :param left_out: Facts that differ, and quirks, that the emulator has nothing for.
    """

    quirks: Quirks
    changed: Mapping[str, Any]
    left_out: tuple[str, ...]


def likeness_of(report: Any) -> Likeness:
    """Read a report; raise ValueError if it is none."""
    facts = report.get("facts") if isinstance(report, Mapping) else None
    if not isinstance(facts, Mapping) or not all(isinstance(entry, Mapping) for entry in facts.values()):
        raise ValueError("it is no report of a check: write one with python -m tallyfy_provider check --report FILE")
    if report.get("format") != _FORMAT:
        raise ValueError(f"its format is {report.get('format')!r}, and this emulator reads format {_FORMAT}")
    quirks = Quirks()
    left_out: list[str] = []
    for fact, entry in facts.items():
        before = quirks
        seen = entry.get("quirks")
        for name, value in seen.items() if isinstance(seen, Mapping) else ():
            if not _can_be(name, value):
                left_out.append(f"{name}={value!r}")
            elif value != getattr(Quirks(), name):  # what one fact saw, another need not have seen
                quirks = _with(quirks, name, value, left_out)
        if entry.get("answer") == "differs" and quirks == before and not _is_covered(seen, quirks):
            left_out.append(str(fact))
    defaults = Quirks()
    names = [each.name for each in fields(Quirks)]
    changed = {name: getattr(quirks, name) for name in names if getattr(quirks, name) != getattr(defaults, name)}
    return Likeness(quirks, changed, tuple(dict.fromkeys(left_out)))


def _can_be(name: str, value: Any) -> bool:
    if name not in {each.name for each in fields(Quirks)}:
        return False
    return type(value) is type(getattr(Quirks(), name)) or type(value) in _ALSO.get(name, ())


def _with(quirks: Quirks, name: str, value: Any, left_out: list[str]) -> Quirks:
    try:
        return replace(quirks, **{name: value})
    except ValueError:
        left_out.append(f"{name}={value!r}")
        return quirks


def _is_covered(seen: Any, quirks: Quirks) -> bool:
    """Tell whether a quirk that was set before explains what a fact saw."""
    if not isinstance(seen, Mapping):
        return False
    return any(getattr(quirks, name, None) == value != getattr(Quirks(), name, value) for name, value in seen.items())
