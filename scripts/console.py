"""What the project's programs say to the person who runs them: steps with their time, notes and errors."""

from __future__ import annotations

import sys
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

SECONDS_BETWEEN_SIGNS_OF_LIFE = 10.0
_LINE_WIDTH = 100
_lock = threading.Lock()


def say(text: str = "") -> None:
    """Print a line on standard error, where progress goes; standard output is for results.

    :param text: the line, without its end.
    """
    with _lock:
        print(text, file=sys.stderr, flush=True)


def seconds(duration: float) -> str:
    """Write a duration as a person reads it.

    :param duration: seconds.
    :return: for example ``0.4 s``, ``12 s`` or ``3 min 5 s``.
    """
    if duration < 10:
        return f"{duration:.1f} s"
    if duration < 100:
        return f"{duration:.0f} s"
    minutes, rest = divmod(round(duration), 60)
    return f"{minutes} min {rest} s"


@contextmanager
def step(what: str) -> Iterator[None]:
    """Show that something is under way, how long it has taken, and how it ended.

    On a terminal the line counts the seconds; elsewhere a line is printed at the start, every ten seconds and
    at the end, so that a log stays readable.

    :param what: what is being done, for example ``migrating the database``.
    """
    started = time.monotonic()
    finished = threading.Event()
    reporter = threading.Thread(target=_report, args=(what, started, finished), daemon=True)
    if not sys.stderr.isatty():
        say(f"{what}…")
    reporter.start()
    outcome = "failed"
    try:
        yield
        outcome = "done"
    except (KeyboardInterrupt, SystemExit):
        outcome = "interrupted"
        raise
    finally:
        finished.set()
        reporter.join()
        line = f"{what}: {outcome} in {seconds(time.monotonic() - started)}"
        say(f"\r{line:<{_LINE_WIDTH}}".rstrip() if sys.stderr.isatty() else line)


def _report(what: str, started: float, finished: threading.Event) -> None:
    on_terminal = sys.stderr.isatty()
    while not finished.wait(1.0 if on_terminal else SECONDS_BETWEEN_SIGNS_OF_LIFE):
        line = f"{what}… {seconds(time.monotonic() - started)}"
        if not on_terminal:
            say(line)
            continue
        with _lock:
            print(f"\r{line:<{_LINE_WIDTH}}", end="", file=sys.stderr, flush=True)
