"""What `make test` runs, and in which order."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import run_tests
from run_tests import Job, run_jobs, startable

TESTS = Path(__file__).resolve().parent


def job(title: str, code: str = "", *, waits: bool = False, needs: str = "") -> Job:
    return Job(title, [sys.executable, "-c", code], {}, waits, needs=needs)


def test_tests_that_need_an_airflow_are_where_they_are_looked_for():
    marked = [path for path in TESTS.rglob("test_*.py") if re.search(r"mark\.(airflow|end_to_end)\b", path.read_text())]
    places = [TESTS.parent / place for place in run_tests.WITH_AIRFLOW]
    assert marked
    assert [path for path in marked if not any(path.is_relative_to(place) for place in places)] == []


def test_two_busy_jobs_and_two_that_wait_run_side_by_side():
    busy, waiting = [job(f"busy {n}") for n in range(3)], [job(f"waits {n}", waits=True) for n in range(3)]
    assert startable([*busy, *waiting], []) == [*busy[:2], *waiting[:2]]
    assert startable([busy[2], waiting[2]], [busy[0], *waiting[:2]]) == [busy[2]]


def test_a_job_is_started_when_what_it_needs_has_ended():
    jobs = [job("environment"), job("tests", needs="environment"), job("style")]
    assert startable(jobs, []) == [jobs[0], jobs[2]]
    assert startable(jobs[1:2], [], ["environment"]) == [jobs[1]]


def test_a_job_is_not_run_where_what_it_needs_has_failed(capsys):
    failing = job("environment", "raise SystemExit('no index')")
    results = run_jobs([failing, job("tests", needs="environment"), job("style", "print('fine')")])
    assert [result.passed for result in results] == [False, False, True]
    assert results[1].closing == "not run: environment failed"
    assert "no index" in capsys.readouterr().out
