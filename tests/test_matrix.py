"""What is tested is what is offered: Airflow releases, Pythons, constraints and the documentation agree."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import compile_constraints
import environment
import matrix
from run_tests import Result

ROOT = Path(__file__).resolve().parent.parent
AIRFLOWS = list(environment.NEWEST_PYTHON)


def test_each_airflow_has_a_release_and_a_choice_of_tests():
    assert set(AIRFLOWS) == set(compile_constraints.RELEASES) == set(matrix.WHOLE_AIRFLOW_TESTS)
    assert set(compile_constraints.BOUNDS) <= set(AIRFLOWS)


@pytest.mark.parametrize("airflow", AIRFLOWS)
def test_constraints_are_those_of_the_release_and_keep_its_bounds(airflow):
    pins = environment.constraints_of(airflow).read_text()
    release = compile_constraints.RELEASES[airflow]
    assert f"\napache-airflow=={release}\n" in pins
    for bound in compile_constraints.BOUNDS.get(airflow, []):
        name, operator, version = re.fullmatch(r"([\w-]+)(==|<)(.+)", bound).groups()
        (pin,) = re.findall(rf"^{name}==(\S+)", pins, re.MULTILINE)
        numbers = [tuple(map(int, each.split("."))) for each in (pin, version)]
        assert numbers[0] < numbers[1] if operator == "<" else pin == version


@pytest.mark.parametrize("airflow", AIRFLOWS)
def test_the_documentation_names_each_release_that_is_tested(airflow):
    page = (ROOT / "docs" / "airflow-versions.md").read_text()
    assert f"| {compile_constraints.RELEASES[airflow]} |" in page


def test_each_airflow_on_the_oldest_python_comes_first_and_none_on_one_that_it_does_not_run_on():
    found = matrix.combinations(AIRFLOWS)
    assert [one.airflow for one in found[: len(AIRFLOWS)]] == ["3.3", "2.11", "3.2", "3.1", "3.0"]
    assert {one.python for one in found[: len(AIRFLOWS)]} == {"3.11"}
    assert len(set(found)) == len(found)
    assert {one.python for one in found if one.airflow == "2.11"} == {"3.11", "3.12"}


def test_the_table_tells_what_was_not_tested_and_what_failed():
    results = {
        matrix.UNIT: Result("", True, "5 passed, 1 skipped in 3s", [], 3.0),
        matrix.DATABASE: Result("", False, "1 failed, 5 passed in 3s", [], 3.0),
    }
    rows = {matrix.Combination("3.1", "3.12"): results, matrix.Combination("3.2", "3.14"): "no such Python here"}
    *_, tested, missing = matrix.table(rows).splitlines()
    assert "| 5 passed, 1 skipped (3.0 s) | FAILED: 1 failed, 5 passed (3.0 s) | – |" in tested
    assert missing.endswith("| 3.14 | not tested: no such Python here | | |")
