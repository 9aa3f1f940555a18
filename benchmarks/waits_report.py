"""What bench_waits.py measured: as text, and as table and picture of docs/design/shared-polling.md."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import waits_picture

DOCS = Path(__file__).resolve().parent.parent / "docs"
PAGE = DOCS / "design" / "shared-polling.md"
PICTURE = DOCS / "images" / "waiting-at-scale.svg"
_MEASURED = re.compile(r"(?<=<!-- measured: written by benchmarks/bench_waits.py -->\n).*(?=<!-- end -->)", re.DOTALL)
_COLUMNS = {
    "shared poller": "shared poller",
    "one poll each": "one poll each",
    "HttpSensor": "Airflow's `HttpSensor`",
    "nothing": "only asleep",
}

Result = Mapping[str, Any]
Row = tuple[str, Callable[[Result], float | None], Callable[[Result, float], str]]


def text(measured: Mapping[str, Any]) -> str:
    """
    Tell the results.

    :param measured: What bench_waits.py measured.
    :return: Markdown: a table for each number of waits, and whether the claims hold.
    """
    parts = [
        f"Measured on {measured['measured']} with Airflow {measured['airflow']} and its HTTP provider "
        f"{measured['http_provider']}, on {measured['cores']} cores shared with other work, in one run of "
        f"`make bench`; the interval is {measured['interval']:g} s. In brackets: how many times the shared poller's.\n"
    ]
    for waits in dict.fromkeys(result["waits"] for result in measured["results"]):
        results = {each["way"]: each for each in measured["results"] if each["waits"] == waits}
        parts += [f"**{waits:,} waits**\n", _table([results[way] for way in _COLUMNS if way in results])]
        if "shared poller" in results:
            parts += [_claims(results["shared poller"], measured["interval"])]
    return "\n".join(parts)


def write(measured: Mapping[str, Any]) -> None:
    """
    Write the results into the documentation.

    :param measured: What bench_waits.py measured.
    """
    page = PAGE.read_text(encoding="utf-8")
    assert _MEASURED.search(page), f"{PAGE} has no place for the results."
    PAGE.write_text(_MEASURED.sub(lambda _: f"\n{text(measured)}\n", page), encoding="utf-8")
    PICTURE.parent.mkdir(exist_ok=True)
    PICTURE.write_text(waits_picture.draw(measured), encoding="utf-8")


def longest_stall(result: Result) -> float:
    """Give the event loop's longest stall after the start, in seconds."""
    return max(window["longest_stall"] for window in result["windows"].values())


def _table(results: Sequence[Result]) -> str:
    lines = ["| | " + " | ".join(_COLUMNS[result["way"]] for result in results) + " |", "|---|" + "---|" * len(results)]
    for title, value_of, told in _ROWS:
        base = value_of(results[0])
        cells = [_cell(result, value_of(result), base, told) for result in results]
        lines.append(f"| {title} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def _cell(result: Result, value: float | None, base: float | None, told: Callable[[Result, float], str]) -> str:
    if value is None:
        return "–"
    if not value or not base or told is _machine or result["way"] in ("shared poller", "nothing"):
        return told(result, value)
    return f"{told(result, value)} ({_times(value / base)})"


def _times(ratio: float) -> str:
    if ratio >= 9.95:
        return f"×{ratio:,.0f}"
    return f"×{ratio:.1f}" if ratio >= 0.95 else f"×{ratio:.2f}"


def _seconds(summary: Mapping[str, Any]) -> str:
    values = ("–" if summary[name] is None else f"{summary[name]:.1f}" for name in ("median", "p99", "max"))
    late = summary["without_event"]
    return " / ".join(values) + " s" + (f"; {late} of {summary['runs']} had none at the end" if late else "")


def _delay(kind: str) -> Row:
    def median(result: Result) -> float | None:
        if kind not in result:
            return None
        return result[kind]["median"] or 0.0

    title = "one after the other" if kind == "trickle" else "a tenth of all at one moment"
    return (f"completion to event, {title}: median / p99 / longest", median, lambda result, _: _seconds(result[kind]))


def _window(window: str, name: str) -> Callable[[Result], float | None]:
    return lambda result: result["windows"].get(window, {}).get(name)


def _percent(_: Result, value: float) -> str:
    return f"{100 * value:.1f} %"


def _stall(result: Result, value: float) -> str:
    # Where it is mostly waiting, it was the machine or another thread of the process, not the loop, that was busy.
    window = max(result["windows"].values(), key=lambda each: each["longest_stall"])
    return f"{1000 * value:.0f} ms, {1000 * window['cpu_in_longest_stall']:.0f} of it the loop's own CPU"


def _others(result: Result) -> float:
    windows = result["windows"].values()
    seconds = sum(each["seconds"] for each in windows)
    return float(sum(each["machine"]["others"] * each["seconds"] for each in windows) / seconds)


def _machine(result: Result, others: float) -> str:
    machines = [each["machine"] for each in result["windows"].values()]
    gap, load = (max(each[name] for each in machines) for name in ("longest_gap", "load"))
    return f"{others:.2f}, {1000 * gap:.0f} ms, {load:.1f}"


_ROWS: tuple[Row, ...] = (
    (
        "requests in an interval without changes",
        lambda result: result.get("requests"),
        lambda _, value: f"{value:,.0f}",
    ),
    _delay("trickle"),
    _delay("wave"),
    ("longest stall of the event loop, once started", longest_stall, _stall),
    (
        "the same without Python's garbage collection",
        lambda result: max(each["longest_stall_but_for_collections"] for each in result["windows"].values()),
        lambda _, value: f"{1000 * value:.0f} ms",
    ),
    (
        "stalls of more than 50 ms",
        lambda result: sum(each["stalls_over_50_ms"] for each in result["windows"].values()) or 0.0,
        lambda _, value: f"{value:.0f}",
    ),
    (
        "warnings of Airflow's own watchdog (200 ms)",
        lambda result: sum(each["blocked_by_airflows_watchdog"] for each in result["windows"].values()) or 0.0,
        lambda _, value: f"{value:.0f}",
    ),
    ("CPU of a core, nothing changes", _window("quiet", "cpu"), _percent),
    ("CPU of a core, during the wave", _window("wave", "cpu"), _percent),
    ("resident memory", _window("quiet", "memory"), lambda _, value: f"{value / 2**20:.0f} MiB"),
    ("time to start all", lambda result: result["start"]["took"], lambda _, value: f"{value:.1f} s"),
    ("triggers that failed", lambda result: float(result["failed"]), lambda _, value: f"{value:.0f}"),
    (
        "meanwhile: cores used by others, longest sleep too long, load",
        _others,
        _machine,
    ),
)


def _claims(result: Result, interval: float) -> str:
    fullest = max(result["rounds"], key=lambda each: each["requests"] - each["bound"])
    delays = [result[kind] for kind in ("trickle", "wave")]
    longest = None if any(each["max"] is None for each in delays) else max(each["max"] for each in delays)
    stall = longest_stall(result)
    otherwise = max(each["longest_stall_but_for_collections"] for each in result["windows"].values())
    lines = [
        _claim(
            "requests of a round: at most ceil(unfinished / 100) + changed + 5",
            fullest["requests"] <= fullest["bound"],
            f"the fullest had {fullest['requests']} of {fullest['bound']}, with {fullest['changed']} changed",
        ),
        _claim(
            f"completion to event: at most {interval + 2:g} s",
            longest is not None and longest <= interval + 2,
            "not all came" if longest is None else f"the longest took {longest:.1f} s",
        ),
        _claim(
            "stalls: under 50 ms",
            stall < 0.05,
            f"the longest was {1000 * stall:.0f} ms, {1000 * otherwise:.0f} ms without Python's garbage collection",
        ),
    ]
    return "\n".join(lines) + "\n"


def _claim(claim: str, holds: bool, found: str) -> str:
    return f"- {claim}: {'holds' if holds else '**does not hold**'} ({found})."
