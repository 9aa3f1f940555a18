"""Runs the tests on each Airflow and each Python that this machine has, and prints a table of how they ended.

The most telling come first: each Airflow on the oldest Python, then the newest and the oldest Airflow on the others.
Airflow as a whole is run on the oldest Python only, where `WHOLE_AIRFLOW_TESTS` says which tests of it.
"""

from __future__ import annotations

import argparse
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple

import airflow_home
import compile_constraints
import environment
import interpreters
import processes
from console import say, seconds
from run_tests import (
    COUNT,
    DATABASE_TESTS,
    END_TO_END_TESTS,
    UNIT_TESTS,
    WITH_AIRFLOW,
    Part,
    Result,
    run_jobs,
    suite_job,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from environment import Environment

UNIT, DATABASE, WHOLE = "unit tests", "Airflow's database", "whole Airflow"
#: Listing, launching, deferred and mapped waits, the notifier and the event trigger.
_MAIN_FEATURES = ["-k", "not outlive and not test_launch_once"]
#: What of the tests with a whole Airflow is run on which: all, or the main features.
WHOLE_AIRFLOW_TESTS: dict[str, list[str]] = {
    "3.3": [],
    "3.1": [],
    "2.11": [],
    "3.2": _MAIN_FEATURES,
    "3.0": _MAIN_FEATURES,
}


class Combination(NamedTuple):
    """An Airflow on a Python.

    :param airflow: for example ``3.3``.
    :param python: for example ``3.11``.
    """

    airflow: str
    python: str


def combinations(airflows: Iterable[str]) -> list[Combination]:
    """List what is to be tested, the most telling first.

    :param airflows: the Airflow versions.
    :return: each on each Python that it runs on.
    """
    oldest = interpreters.OLDEST[1]
    newest = environment.NEWEST_PYTHON
    found = [Combination(name, f"3.{minor}") for name in airflows for minor in range(oldest, newest[name][1] + 1)]
    ends = (next(iter(newest)), next(reversed(newest)))
    return sorted(found, key=lambda one: (one.python != f"3.{oldest}", one.airflow not in ends))


def parts_of(combination: Combination) -> list[Part]:
    """Tell which tests a combination runs.

    :param combination: which.
    :return: the parts, which run side by side.
    """
    airflow, python = combination
    parts = [
        Part(airflow, DATABASE, DATABASE_TESTS, waits=True, paths=WITH_AIRFLOW),
        Part(airflow, UNIT, UNIT_TESTS),
    ]
    if python == ".".join(map(str, interpreters.OLDEST)):
        chosen = [*END_TO_END_TESTS, *WHOLE_AIRFLOW_TESTS[airflow]]
        parts.insert(0, Part(airflow, WHOLE, chosen, {"KILLS": "8"}, waits=True, paths=WITH_AIRFLOW))
    return parts


def run(tested: Environment, combination: Combination, arguments: list[str]) -> dict[str, Result]:
    """Run the tests of a combination.

    :param tested: its environment, which is made if need be.
    :param combination: which it is.
    :param arguments: further arguments for pytest.
    :return: how each part ended, by its name.
    """
    environment.make(tested)
    parts = parts_of(combination)
    with airflow_home.temporary_home("tallyfy-tests-home-") as home:
        results = run_jobs([suite_job(tested, part, home, arguments) for part in parts])
    return {part.name: result for part, result in zip(parts, results, strict=True)}


def cell(result: Result | None) -> str:
    """Tell how a part ended.

    :param result: None if it is not run for this combination.
    :return: the text of its cell in the table.
    """
    if result is None:
        return "–"
    counts = ", ".join(" ".join(count) for count in COUNT.findall(result.closing)) or "no test"
    return f"{'' if result.passed else 'FAILED: '}{counts} ({seconds(result.duration)})"


def table(rows: dict[Combination, dict[str, Result] | str]) -> str:
    """Write the results as a table.

    :param rows: by combination, how each part ended, or why it was not run.
    :return: the table in Markdown.
    """
    lines = [
        f"Tested on {datetime.now(UTC):%Y-%m-%d}:",
        "",
        f"| Airflow | Python | {UNIT} | {DATABASE} | {WHOLE} |",
        "|---|---|---|---|---|",
    ]
    for (airflow, python), results in rows.items():
        release = compile_constraints.RELEASES[airflow]
        if isinstance(results, str):
            lines.append(f"| {release} | {python} | not tested: {results} | | |")
            continue
        cells = " | ".join(cell(results.get(name)) for name in (UNIT, DATABASE, WHOLE))
        lines.append(f"| {release} | {python} | {cells} |")
    return "\n".join(lines)


def main() -> int:
    """Run the matrix.

    :return: the exit code: 0 if all that could be run has passed, and there was something.
    """
    parser = argparse.ArgumentParser(description="Run the tests on each Airflow and each Python found here.")
    versions = list(environment.NEWEST_PYTHON)
    parser.add_argument("--airflow", action="append", choices=versions, help="only this Airflow; all when left out")
    parser.add_argument("--python", action="append", help="only this Python, for example 3.12; all when left out")
    parser.add_argument("pytest_arguments", nargs="*", help="arguments for pytest, after --")
    options = parser.parse_args()
    rows: dict[Combination, dict[str, Result] | str] = {}
    try:
        for combination in combinations(options.airflow or versions):
            if options.python and combination.python not in options.python:
                continue
            try:
                tested = environment.plan(*combination)
            except interpreters.InterpreterError:
                rows[combination] = "no such Python here"
                continue
            rows[combination] = run(tested, combination, options.pytest_arguments)
            say(table(rows))
    finally:
        print(f"\n{table(rows)}\n", flush=True)  # also of what is done when it is interrupted
    ended = [result for results in rows.values() if not isinstance(results, str) for result in results.values()]
    return 0 if ended and all(result.passed for result in ended) else 1


if __name__ == "__main__":
    processes.end_on_signals()
    try:
        interpreters.continue_on_supported_interpreter()
        sys.exit(main())
    except (environment.EnvironmentProblem, interpreters.InterpreterError) as problem:
        sys.exit(f"\n{problem}")
    except KeyboardInterrupt:
        sys.exit("\nInterrupted; all that was started has been ended.")
