"""Runs the checks and the test suites, each suite in an Airflow of its own, and sums up.

``--select test`` is what `make test` runs: the checks, every test on the newest Airflow, and on the oldest those that
need no running one. ``--select rest`` is what that leaves out. Jobs run side by side; what each printed is shown in one
piece when it has ended.
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
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

import airflow_home
import environment
import interpreters
import processes
from console import say, seconds

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from environment import Environment

_POLL_SECONDS = 0.2
_SIDE_BY_SIDE = 2
_NICENESS = 5  # of jobs that keep a processor busy
# There is no limit on the whole: a machine may be slow. pytest ends a single test that hangs; a job that prints nothing
# for so long hangs elsewhere.
_SECONDS_OF_SILENCE = 60 * 60.0
_SECONDS_BETWEEN_SIGNS_OF_LIFE = 15.0
COUNT = re.compile(r"(\d+) (passed|failed|errors?|skipped)\b")
_PERCENT = re.compile(rb"\[ *(\d+)%\]")
_FAILURE = re.compile(r"^(?:FAILED|ERROR) \S+::.*", re.MULTILINE)
_NO_TEST_CHOSEN = 5  # pytest's exit code when its arguments choose none

#: Where the tests are that need an Airflow, so that other processes need not load all the others.
WITH_AIRFLOW = ("tests/airflow", "tests/transfers/test_dags.py")
UNIT_TESTS = ["-m", "not airflow and not end_to_end"]
END_TO_END_TESTS = ["-m", "end_to_end"]
DATABASE_TESTS = ["-m", "airflow and not end_to_end"]
_KILLS = [
    "tests/airflow/test_launch_once.py",
    "tests/airflow/test_triggerer_life.py::test_waits_outlive_their_triggerers_and_are_answered_once",
]
# Tests of random cases: few of them in `make test`, many in `make test-all`. Hypothesis marks its own.
_RANDOM_CASES = ["-m", "hypothesis or random_cases"]


class Part(NamedTuple):
    """Tests of one environment that run in one process.

    :param airflow: the Airflow.
    :param name: what a person calls it; empty when it is all tests.
    :param arguments: what pytest is told, to choose the tests.
    :param variables: environment variables for it.
    :param waits: whether it mostly waits, and so takes little of a processor from the others.
    :param paths: where these tests are; empty: anywhere.
    """

    airflow: str
    name: str = ""
    arguments: Sequence[str] = ()
    variables: Mapping[str, str] = MappingProxyType({})
    waits: bool = False
    paths: Sequence[str] = ()


#: What `make test` runs, what it leaves out (`make test-all`), and `make fuzz`.
SELECTIONS = {
    "test": [
        Part("3.3", "whole Airflow", END_TO_END_TESTS, waits=True, paths=WITH_AIRFLOW),
        Part("3.3", "Airflow's database", DATABASE_TESTS, waits=True, paths=WITH_AIRFLOW),
        Part("3.3", "unit tests", UNIT_TESTS),
        Part("2.11", "unit tests", UNIT_TESTS),
    ],
    "rest": [
        Part("2.11", "whole Airflow", END_TO_END_TESTS, {"THOROUGH": "1", "KILLS": "16"}, True, WITH_AIRFLOW),
        Part("2.11", "Airflow's database", DATABASE_TESTS, waits=True, paths=WITH_AIRFLOW),
        Part("3.3", "more kills", _KILLS, {"THOROUGH": "1", "KILLS": "24"}, waits=True),
        Part("3.3", "more cases", _RANDOM_CASES, {"THOROUGH": "1", "TALLYFY_FUZZ_CASES": "2000"}),
    ],
    "fuzz": [
        Part("3.3", "made-up answers on the wire", ["tests/client/http/test_fuzz.py"], {"TALLYFY_FUZZ_CASES": "20000"}),
        Part("3.3", "made-up answers to each way of asking", ["tests/test_fuzz.py"], {"TALLYFY_FUZZ_CASES": "20000"}),
    ],
}


class Job(NamedTuple):
    """A command whose success counts.

    :param title: what a person calls it.
    :param command: program and arguments.
    :param variables: its environment variables.
    :param waits: whether it mostly waits, and so takes little of a processor from the others.
    :param passing: its exit codes that count as success.
    :param needs: title of the job that has to have succeeded first; empty: none.
    """

    title: str
    command: list[str | Path]
    variables: dict[str, str]
    waits: bool = False
    passing: tuple[int, ...] = (0,)
    needs: str = ""


class Result(NamedTuple):
    """How a job ended.

    :param title: the job's title.
    :param passed: whether it succeeded.
    :param closing: the last line that it printed.
    :param failures: a line for each test that failed.
    :param duration: seconds that it took.
    """

    title: str
    passed: bool
    closing: str
    failures: list[str]
    duration: float


class RunningJob:
    """A job that has been started."""

    def __init__(self, job: Job, folder: Path) -> None:
        self.job = job
        self.log = folder / f"{re.sub('[^a-z0-9.]+', '-', job.title.lower())}.log"
        self.started = self.last_sign = time.monotonic()
        # What mostly waits has a long way to go, and little to do at a time: it goes first whenever it can go on.
        command = job.command if job.waits else ["nice", "-n", str(_NICENESS), *job.command]
        self.process = processes.start_group(command, log=self.log, environment=job.variables, folder=environment.ROOT)

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

    def hangs(self) -> bool:
        """Tell whether it has printed nothing for so long that it has to be ended."""
        return time.time() - self.log.stat().st_mtime > _SECONDS_OF_SILENCE

    def finish(self) -> Result:
        """Show what it printed and judge it."""
        output = self.log.read_text(errors="replace").rstrip()
        duration = time.monotonic() - self.started
        print(f"\n===== {self.job.title} ({seconds(duration)}) =====\n{output}", flush=True)
        lines = output.splitlines() or ["(it printed nothing)"]
        code = self.process.returncode
        if code is None or code < 0:
            lines.append(f"ended after {seconds(duration)}, before it was done")
        return Result(self.job.title, code in self.job.passing, lines[-1], _FAILURE.findall(output), duration)


def run_jobs(jobs: list[Job]) -> list[Result]:
    """Run jobs, a few at a time, and show each one's output when it has ended.

    :param jobs: what to run, in this order; what a job needs comes before it.
    :return: how they ended, in the order of the jobs.
    """
    waiting = list(jobs)
    running: list[RunningJob] = []
    results: dict[str, Result] = {}
    with tempfile.TemporaryDirectory(prefix="tallyfy-tests-") as folder:
        try:
            while waiting or running:
                for job in [job for job in waiting if job.needs in results and not results[job.needs].passed]:
                    waiting.remove(job)
                    results[job.title] = Result(job.title, False, f"not run: {job.needs} failed", [], 0.0)
                for job in startable(waiting, [each.job for each in running], results):
                    waiting.remove(job)
                    say(f"-> {job.title}")
                    running.append(RunningJob(job, Path(folder)))
                time.sleep(_POLL_SECONDS)
                for started in list(running):
                    if started.process.poll() is None and not started.hangs():
                        started.sign_of_life()
                        continue
                    running.remove(started)
                    started.stop()  # whatever a test may have left behind
                    results[started.job.title] = started.finish()
        finally:
            for started in running:
                started.process.send_signal(signal.SIGINT)  # to all at once, so that they end side by side
            for started in running:
                started.stop()
    return [results[job.title] for job in jobs]


def startable(waiting: list[Job], running: list[Job], ended: Collection[str] = ()) -> list[Job]:
    """Choose the jobs to start now: two that keep a processor busy, and two that mostly wait, run side by side.

    :param waiting: jobs that have not been started, in their order.
    :param running: jobs that run.
    :param ended: titles of the jobs that have ended.
    :return: the jobs, in their order.
    """
    chosen: list[Job] = []
    for job in waiting:
        if job.needs and job.needs not in ended:
            continue
        if sum(other.waits is job.waits for other in [*running, *chosen]) < _SIDE_BY_SIDE:
            chosen.append(job)
    return chosen


def environment_jobs(needed: Collection[Environment]) -> dict[str, Job]:
    """Make the jobs that make environments, which go on beside each other and beside the tests in those that are there.

    :param needed: the environments.
    :return: the jobs of those that are missing or out of date, by the environment's name.
    """
    program = environment.ROOT / "scripts" / "environment.py"
    jobs = {}
    for each in needed:
        if not environment.is_made(each):
            jobs[each.name] = Job(f"Environment {each.name}", [sys.executable, program, each.airflow], _own_variables())
    return jobs


def _own_variables() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name != "AIRFLOW_HOME"}


def check_jobs(tools: Environment) -> list[Job]:
    """List the checks that need no running Airflow.

    :param tools: the environment that has the tools.
    :return: style, format, imports and types.
    """
    folder = tools.folder / "bin"
    variables = _own_variables()
    return [
        Job("Style", [folder / "ruff", "check", "."], variables),
        Job("Format", [folder / "ruff", "format", "--check", "."], variables),
        # Reading all imports takes half a second: no cache is needed.
        Job("Imports", [folder / "lint-imports", "--no-cache"], variables),
        Job("Types", [folder / "mypy"], variables),
    ]


def suite_job(suite: Environment, part: Part, home: Path, arguments: list[str]) -> Job:
    """Make the job that runs a part of the tests in one environment.

    :param suite: the environment.
    :param part: which tests.
    :param home: folder for its AIRFLOW_HOME.
    :param arguments: further arguments for pytest.
    :return: the job.
    """
    major, minor = suite.interpreter.version
    title = f"Airflow {suite.airflow}, Python {major}.{minor}" + (f": {part.name}" if part.name else "")
    airflow = home / f"{suite.name}-{re.sub('[^a-z]', '-', part.name.lower())}".rstrip("-")
    airflow.mkdir()
    # What the tests make goes in there too: it is found, and removed, even if they are killed.
    temporary = airflow / "tmp"
    temporary.mkdir()
    # Jobs that run side by side must not write into one cache.
    command: list[str | Path] = [suite.python, "-m", "pytest", "-o", f"cache_dir=.cache/pytest/{airflow.name}"]
    variables = {"TMPDIR": str(temporary), **part.variables}
    return Job(
        title,
        [*command, *part.arguments, *(arguments or part.paths)],
        airflow_home.variables(airflow, python=suite.python, extra=variables),
        part.waits,
        (0, _NO_TEST_CHOSEN) if arguments else (0,),
    )


def choose_suites(options: argparse.Namespace) -> tuple[list[Environment], list[str]]:
    """Find out which suites this machine can run.

    :param options: the command line.
    :return: the environments to test in, and a line for each that there is no interpreter for.
    """
    wanted: list[str] = options.airflow
    if options.select:
        wanted = list(dict.fromkeys(part.airflow for part in SELECTIONS[options.select]))
    chosen, missing = [], []
    for airflow in wanted:
        try:
            chosen.append(environment.plan(airflow))
        except interpreters.InterpreterError as problem:
            missing.append(f"!! Airflow {airflow} was NOT tested: {problem}")
    return chosen, missing


def chosen_parts(suites: list[Environment], selection: str | None) -> list[tuple[Environment, Part]]:
    """Tell which tests run in which environment.

    :param suites: the environments.
    :param selection: a key of :data:`SELECTIONS`; None: all tests in each environment.
    :return: environments and parts, in the order in which they are to be started.
    """
    if selection is None:
        return [(suite, Part(suite.airflow)) for suite in suites]
    return [(suite, part) for part in SELECTIONS[selection] for suite in suites if suite.airflow == part.airflow]


def summarize(results: list[Result], missing: list[str]) -> None:
    """Print how everything ended, each suite's own closing line included.

    :param results: of all jobs.
    :param missing: a line for each suite that was not run.
    """
    print("\n===== Summary =====")
    totals = {"passed": 0, "failed": 0, "skipped": 0}
    for result in results:
        counts = COUNT.findall(result.closing) if result.title.startswith("Airflow") else []
        for number, kind in counts:
            totals["failed" if kind.startswith("error") else kind] += int(number)
        shown = ", ".join(" ".join(count) for count in counts) or ("passed" if result.passed else "FAILED")
        print(f"== {result.title}: {shown} ({seconds(result.duration)})")
    print("\n".join(missing), end="\n" if missing else "")
    for result in results:
        print(
            "\n".join(f"{failure}  ({result.title})" for failure in result.failures), end="\n" * bool(result.failures)
        )
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
    parser.add_argument("--select", choices=list(SELECTIONS), help="what `make test` runs, or the rest")
    parser.add_argument("--airflow", action="append", default=[], choices=list(environment.NEWEST_PYTHON))
    parser.add_argument("pytest_arguments", nargs="*", help="arguments for pytest, after --")
    options = parser.parse_args()
    suites, missing = choose_suites(options)
    for line in missing:
        say(line)
    if not suites:
        return 1
    tools = environment.plan("3.3")
    making = environment_jobs(dict.fromkeys([tools, *suites] if options.checks else suites))
    with airflow_home.temporary_home("tallyfy-tests-home-") as home:
        jobs = [(tools, job) for job in check_jobs(tools)] if options.checks else []
        for suite, part in chosen_parts(suites, options.select):
            jobs.append((suite, suite_job(suite, part, home, options.pytest_arguments)))
        needs = {name: job.title for name, job in making.items()}
        results = run_jobs([*making.values(), *(job._replace(needs=needs.get(each.name, "")) for each, job in jobs)])
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
