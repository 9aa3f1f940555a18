"""
Tasks are killed with ``kill -9`` while they launch a run, and Airflow retries them: Tallyfy has one run of each.

The processes are those of a whole Airflow. They are killed whenever, around the request that launches, and when they go
on after a deferral, on good days of Tallyfy and on bad ones. ``make kills`` does it 200 times on each Airflow.
"""

from __future__ import annotations

import os
import time

import pytest

from tests.airflow.hunting import Hunt, Quarry, is_exact, surplus, table

pytestmark = pytest.mark.end_to_end

#: How many launches are killed, half of them while they wait in place, half while they wait deferred.
KILLS = int(os.environ.get("KILLS", "6"))
SEED = int(os.environ.get("SEED", str(time.time_ns() % 1_000_000)))
QUARRIES = (
    Quarry("launch_in_place", KILLS // 2, ("any", "early", "around", "launched")),
    Quarry("launch_deferred", KILLS // 2, ("any", "early", "around", "launched", "resumed")),
    Quarry("post_and_retry", max(4, KILLS // 8), ("launched", "early")),
)


@pytest.fixture(scope="module")
def hunt(airflow, tallyfys_on_bad_days, ear):
    with Hunt(airflow, tallyfys_on_bad_days, ear, seed=SEED) as hunt:
        yield hunt


@pytest.fixture(scope="module")
def killed(hunt):
    """All launches, most of them killed."""
    hunt.measure(quarry.dag_id for quarry in QUARRIES)
    return hunt.hunt(QUARRIES)


@pytest.fixture
def of(killed, capsys):
    """Give the launches of one Dag, and show what came of them."""

    def of(dag_id):
        launches = [launch for launch in killed if launch.dag_id == dag_id]
        with capsys.disabled():
            os.write(1, f"\n{dag_id} (SEED={SEED})\n{table(launches)}\n".encode())
        return launches

    return of


@pytest.mark.parametrize("dag_id", ["launch_in_place", "launch_deferred"])
def test_a_launch_happens_once_whenever_its_process_is_killed(hunt, of, dag_id):
    wrong = [hunt.describe(launch) for launch in of(dag_id) if not is_exact(launch)]
    assert not wrong, "\n\n".join(wrong)


def test_the_same_kills_make_a_plain_request_launch_twice(of):
    assert surplus(of("post_and_retry")) > 0
