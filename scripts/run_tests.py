"""Runs the checks and the test suites, each suite in an Airflow of its own, and sums up.

Suites run side by side; what each printed is shown in one piece when it has ended.
"""

from __future__ import annotations

import argparse
import os
import re
import signal
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import airflow_home
import environment
import interpreters
import processes
from console import say, seconds

if TYPE_CHECKING:
    from environment import Environment

_POLL_SECONDS = 0.2
# Only a suite that hangs takes longer, also on a slow machine; pytest shows where a single test hangs.
_SECONDS_FOR_A_SUITE = 60 * 60.0
_SECONDS_BETWEEN_SIGNS_OF_LIFE = 15.0
_COUNT = re.compile(r"(\d+) (passed|failed|errors?|skipped)\b")
_PERCENT = re.compile(rb"\[ *(\d+)%\]")


class Job(NamedTuple):
    """A command whose success counts.

    :param title: what a person calls it.
    :param command: program and arguments.
    :param variables: its environment variables.
    """

    title: str
    command: list[str | Path]
    variables: dict[str, str]


class Result(NamedTuple):
    """How a job ended.

    :param title: the job's title.
    :param passed: whether it succeeded.
    :param closing: the last line that it printed.
    :param duration: seconds that it took.
    """

    title: str
    passed: bool
    closing: str
    duration: float


class RunningJob:
    """A job that has been started."""

    def __init__(self, job: Job, folder: Path) -> None:
        self.job = job
        self.log = folder / f"{re.sub('[^a-z0-9.]+', '-', job.title.lower())}.log"
        self.started = self.last_sign = time.monotonic()
        self.process = processes.start_group(
            job.command, log=self.log, environment=job.variables, folder=environment.ROOT
        )

    def sign_of_life(self) -> None:
        """Say how far it is, when that was not said for a while."""
        now = time.monotonic()
        if now - self.last_sign < _SECONDS_BETWEEN_SIGNS_OF_LIFE:
            return
        self.last_sign = now
        percents = _PERCENT.findall(self.log.read_bytes())
        done = f"{percents[-1].decode()} % done" if percents else "under way"
        say(f"   {self.job.title}: {done} after {seconds(now - self.started)}")

    def stop(self) -> None:
        """End it and all that it has started; pytest still tears down on SIGINT."""
        processes.stop_group(self.process, first=signal.SIGINT, grace=30)
        if "AIRFLOW_HOME" in self.job.variables:
            processes.stop_all_in(Path(self.job.variables["AIRFLOW_HOME"]))

    def is_overdue(self) -> bool:
        """Tell whether it takes so long that it has to be ended."""
        return time.monotonic() - self.started > _SECONDS_FOR_A_SUITE

    def finish(self) -> Result:
        """Show what it printed and judge it."""
        output = self.log.read_text(errors="replace").rstrip()
        duration = time.monotonic() - self.started
        print(f"\n===== {self.job.title} ({seconds(duration)}) =====\n{output}", flush=True)
        lines = output.splitlines() or ["(it printed nothing)"]
        if self.is_overdue():
            lines.append(f"ended after {seconds(duration)}, which is more than any suite may take")
        return Result(self.job.title, self.process.returncode == 0, lines[-1], duration)


def run_jobs(jobs: list[Job], *, side_by_side: int) -> list[Result]:
    """Run jobs, so many at a time, and show each one's output when it has ended.

    :param jobs: what to run, in this order.
    :param side_by_side: how many at a time.
    :return: how they ended, in the order of the jobs.
    """
    waiting = list(jobs)
    running: list[RunningJob] = []
    results: dict[str, Result] = {}
    with tempfile.TemporaryDirectory(prefix="tallyfy-tests-") as folder:
        try:
            while waiting or running:
                while waiting and len(running) < side_by_side:
                    say(f"-> {waiting[0].title}")
                    running.append(RunningJob(waiting.pop(0), Path(folder)))
                time.sleep(_POLL_SECONDS)
                for job in list(running):
                    if job.process.poll() is None and not job.is_overdue():
                        job.sign_of_life()
                        continue
                    running.remove(job)
                    job.stop()  # whatever a test may have left behind
                    results[job.job.title] = job.finish()
        finally:
            for job in running:
                job.process.send_signal(signal.SIGINT)  # to all at once, so that they end side by side
            for job in running:
                job.stop()
    return [results[job.title] for job in jobs]


def check_jobs(tools: Environment) -> list[Job]:
    """List the checks that need no running Airflow.

    :param tools: the environment that has the tools.
    :return: style, format, imports and types.
    """
    folder = tools.folder / "bin"
    variables = {name: value for name, value in os.environ.items() if name != "AIRFLOW_HOME"}
    return [
        Job("Style", [folder / "ruff", "check", "."], variables),
        Job("Format", [folder / "ruff", "format", "--check", "."], variables),
        # Reading all imports takes half a second: no cache is needed.
        Job("Imports", [folder / "lint-imports", "--no-cache"], variables),
        Job("Types", [folder / "mypy"], variables),
    ]


def suite_job(suite: Environment, home: Path, arguments: list[str]) -> Job:
    """Make the job that runs all tests in one environment.

    :param suite: the environment.
    :param home: folder for its AIRFLOW_HOME.
    :param arguments: further arguments for pytest.
    :return: the job.
    """
    airflow = home / suite.name
    airflow.mkdir()
    # What the tests make goes in there too: it is found, and removed, even if they are killed.
    temporary = airflow / "tmp"
    temporary.mkdir()
    major, minor = suite.interpreter.version
    return Job(
        f"Airflow {suite.airflow}, Python {major}.{minor}",
        # Suites that run side by side must not write into one cache.
        [suite.python, "-m", "pytest", "-o", f"cache_dir=.cache/pytest/{suite.name}", *arguments],
        airflow_home.variables(airflow, python=suite.python, extra={"TMPDIR": str(temporary)}),
    )


def choose_suites(options: argparse.Namespace) -> tuple[list[Environment], list[str]]:
    """Find out which suites this machine can run.

    :param options: the command line.
    :return: the environments to test in, and a line for each that there is no interpreter for.
    """
    versions = environment.NEWEST_PYTHON
    wanted: list[tuple[str, str | None]] = [(airflow, None) for airflow in options.airflow]
    if options.matrix:
        oldest = interpreters.OLDEST[1]
        wanted = [(name, f"3.{minor}") for name in versions for minor in range(oldest, versions[name][1] + 1)]
    chosen, missing = [], []
    for airflow, python in wanted:
        try:
            chosen.append(environment.plan(airflow, python))
        except interpreters.InterpreterError as problem:
            label = f"Airflow {airflow}" + (f", Python {python}" if python else "")
            missing.append(f"!! {label} was NOT tested: {problem}")
    return chosen, missing


def summarize(results: list[Result], missing: list[str]) -> None:
    """Print how everything ended, each suite's own closing line included.

    :param results: of all jobs.
    :param missing: a line for each suite that was not run.
    """
    print("\n===== Summary =====")
    totals = {"passed": 0, "failed": 0, "skipped": 0}
    for result in results:
        counts = _COUNT.findall(result.closing) if result.title.startswith("Airflow") else []
        for number, kind in counts:
            totals["failed" if kind.startswith("error") else kind] += int(number)
        shown = ", ".join(" ".join(count) for count in counts) or ("passed" if result.passed else "FAILED")
        print(f"== {result.title}: {shown} ({seconds(result.duration)})")
    print("\n".join(missing), end="\n" if missing else "")
    for result in results:
        if result.title.startswith("Airflow"):
            print(result.closing)
    failed = [result.title for result in results if not result.passed]
    if failed:
        print(f"FAILED: {'; '.join(failed)}")
    print(f"{totals['passed']} passed, {totals['failed']} failed, {totals['skipped']} skipped", flush=True)


def main() -> int:
    """Run what the command line asks for.

    :return: the exit code: 0 if all that was to be run has passed.
    """
    parser = argparse.ArgumentParser(description="Run the project's checks and test suites.")
    parser.add_argument("--checks", action="store_true", help="style, format, imports and types as well")
    parser.add_argument("--airflow", action="append", default=[], choices=list(environment.NEWEST_PYTHON))
    parser.add_argument("--matrix", action="store_true", help="each Airflow on each Python found here")
    parser.add_argument("pytest_arguments", nargs="*", help="arguments for pytest, after --")
    options = parser.parse_args()
    suites, missing = choose_suites(options)
    for line in missing:
        say(line)
    if not suites:
        return 1
    tools = environment.plan("3.3")
    for needed in dict.fromkeys([tools, *suites] if options.checks else suites):
        environment.make(needed)
    results = run_jobs(check_jobs(tools), side_by_side=1) if options.checks else []
    with airflow_home.temporary_home("tallyfy-tests-home-") as home:
        jobs = [suite_job(suite, home, options.pytest_arguments) for suite in suites]
        results += run_jobs(jobs, side_by_side=2)
    summarize(results, missing)
    return 0 if all(result.passed for result in results) else 1


if __name__ == "__main__":
    processes.end_on_signals()
    try:
        interpreters.continue_on_supported_interpreter()
        sys.exit(main())
    except (environment.EnvironmentProblem, interpreters.InterpreterError) as problem:
        sys.exit(f"\n{problem}")
    except KeyboardInterrupt:
        sys.exit("\nInterrupted; all that was started has been ended.")
