"""Draws what bench_waits.py measured, as SVG."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any
from xml.sax.saxutils import escape

Result = Mapping[str, Any]

_WAYS = {"shared poller": "#0b6e4f", "one poll each": "#b9770e", "HttpSensor": "#7d3c98"}
_WIDTH, _LEFT, _TOP = 960, 20, 92
_PANEL, _BAR, _BAR_GAP = 232, 16, 24
_ROW = 138
_INK, _PALE = "#1f2933", "#52606d"


def _slowest(result: Result) -> float | None:
    longest = [result[kind]["max"] for kind in ("trickle", "wave")]
    return None if None in longest else max(longest)


_PANELS: tuple[tuple[str, Callable[[Result], float | None], Callable[[float], str]], ...] = (
    ("requests in an interval", lambda result: result["requests"], lambda value: f"{value:,.0f}"),
    ("slowest event after a completion", _slowest, lambda value: f"{value:.1f} s"),
    (
        "longest stall of the event loop",
        lambda result: max(each["longest_stall"] for each in result["windows"].values()),
        lambda value: f"{1000 * value:,.0f} ms",
    ),
    ("CPU of a core", lambda result: result["windows"]["quiet"]["cpu"], lambda value: f"{100 * value:.0f} %"),
)


def draw(measured: Mapping[str, Any]) -> str:
    """
    Draw the results.

    :param measured: What bench_waits.py measured.
    :return: The picture.
    """
    sizes = list(dict.fromkeys(each["waits"] for each in measured["results"]))
    height = _TOP + _ROW * len(sizes) + 10
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" font-family="sans-serif" role="img">',
        f"<title>Deferred waits at an interval of {measured['interval']:g} s, three ways of waiting</title>",
        f'<rect width="{_WIDTH}" height="{height}" fill="#ffffff"/>',
        _text(
            _LEFT, 28, f"Deferred waits, each for one run, in one triggerer; every {measured['interval']:g} s", 17, _INK
        ),
        *_legend(),
    ]
    for number, waits in enumerate(sizes):
        top = _TOP + number * _ROW
        parts.append(_text(_LEFT, top, f"{waits:,} waits", 14, _INK, bold=True))
        results = {each["way"]: each for each in measured["results"] if each["waits"] == waits}
        for column in range(len(_PANELS)):
            parts += _panel(_LEFT + column * _PANEL, top + 20, column, results)
    return "\n".join([*parts, "</svg>"]) + "\n"


def _legend() -> list[str]:
    parts, left = [], _LEFT
    for way, colour in _WAYS.items():
        name = {"shared poller": "shared poller (this package)", "HttpSensor": "Airflow's HttpSensor"}.get(way, way)
        parts.append(f'<rect x="{left}" y="44" width="12" height="12" fill="{colour}"/>')
        parts.append(_text(left + 18, 54.5, name, 13, _INK))
        left += 40 + int(7.2 * len(name))
    return parts


def _panel(left: float, top: float, column: int, results: Mapping[str, Result]) -> list[str]:
    title, value_of, told = _PANELS[column]
    parts = [_text(left, top, title, 12, _PALE)]
    values = {way: value_of(results[way]) for way in _WAYS if way in results}
    longest = max((value for value in values.values() if value is not None), default=0.0) or 1.0
    room = _PANEL - 88
    for number, (way, value) in enumerate(values.items()):
        y = top + 10 + number * _BAR_GAP
        length = room if value is None else max(2.0, room * value / longest)
        hatch = ' fill-opacity="0.35"' if value is None else ""
        parts.append(f'<rect x="{left}" y="{y}" width="{length:.1f}" height="{_BAR}" fill="{_WAYS[way]}"{hatch}/>')
        parts.append(_text(left + length + 6, y + 12.5, "not all came" if value is None else told(value), 12, _INK))
    return parts


def _text(x: float, y: float, words: str, size: int, colour: str, *, bold: bool = False) -> str:
    weight = ' font-weight="bold"' if bold else ""
    return f'<text x="{x:g}" y="{y:g}" font-size="{size}" fill="{colour}"{weight}>{escape(words)}</text>'
