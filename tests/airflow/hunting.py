"""Has many tasks launch a run, kills them as they do, and counts what Tallyfy has in the end."""

from __future__ import annotations

import itertools
import random
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple, Self

from airflow_rest import FINAL_STATES, RestError
from airflow_runner import Standalone
from tests.airflow.bad_days import DAYS, Day, Tallyfy
from tests.airflow.killing import Ear, Kill, Killer, Launch, Moment, Pace

TASK = "launch"
#: Seconds after a launch in which the people of Tallyfy do their part. A deferral has to be reported before that
#: (see :meth:`Standalone.wait_until_deferred`).
COMPLETED_AFTER = {"launch_in_place": 0.8, "launch_deferred": 4.0, "post_and_retry": 0.0}
#: A process of which tries is killed: one, or two of them.
_SECOND_KILLS = 0.25
#: Dag runs under way at the same time.
_AT_ONCE = 8
#: Seconds between two looks at the Dag runs.
_BETWEEN_POLLS = 1.0
#: Seconds between two looks whether all parts of Airflow run.
_BETWEEN_LOOKS = 5.0
#: Launches made for each that is killed at most: some end before their moment has come.
_MOST_MISSES = 4
#: Seconds that a Dag run may take.
_LONGEST = 500.0


class Quarry(NamedTuple):
    """What is killed."""

    dag_id: str
    kills: int
    moments: Sequence[Moment]


class Hunt:
    """
    An Airflow whose tasks launch runs and are killed, and a Tallyfy for each kind of day.

    A context manager: nothing is killed before it is entered, nor after it is left.

    :param airflow: the Airflow.
    :param tallyfys: the Tallyfys, by the names of the days.
    :param ear: hears the tasks.
    :param seed: what chance begins with.
    """

    def __init__(self, airflow: Standalone, tallyfys: Mapping[str, Tallyfy], ear: Ear, *, seed: int) -> None:
        self._airflow = airflow
        self._tallyfys = tallyfys
        self._ear = ear
        self._chance = random.Random(seed)
        self._killer = Killer(self._chance)
        self._numbers = itertools.count(1)
        self._look_again_at = 0.0

    def __enter__(self) -> Self:
        for tallyfy in self._tallyfys.values():
            tallyfy.emulator.listen(self._killer.see)
        self._ear.listen(self._killer.hear)
        return self

    def __exit__(self, *_: object) -> None:
        self._ear.listen(None)
        for tallyfy in self._tallyfys.values():
            tallyfy.emulator.listen(None)

    def measure(self, dag_ids: Iterable[str], launches: int = 2) -> None:
        """Let a few launches of each Dag be, to see how long they take."""
        known = list(dag_ids)
        for dag_id in known:
            self._airflow.unpause(dag_id)
        done = self._run([self._launch(dag_id, DAYS[0], ()) for dag_id in known for _ in range(launches)])
        self._killer.settle()
        for dag_id in known:
            self._killer.paces[dag_id] = Pace.of(launch for launch in done if launch.dag_id == dag_id)

    def hunt(self, quarries: Sequence[Quarry]) -> list[Launch]:
        """Have launches made until so many have been killed at least once, on each day at each moment in turn."""
        turns = {quarry.dag_id: self._turns(quarry.moments) for quarry in quarries}
        most = _MOST_MISSES * sum(quarry.kills for quarry in quarries)
        made: list[Launch] = []

        def more() -> Iterator[Launch]:
            while missing := [quarry.dag_id for quarry in quarries if _promised(made, quarry) < quarry.kills]:
                if len(made) > most:
                    raise RuntimeError(f"Of {len(made)} launches too few could be killed in time, of {missing}.")
                dag_id = self._chance.choice(missing)
                made.append(self._launch(dag_id, *self._plan(*next(turns[dag_id]))))
                yield made[-1]

        while self._run(more()):
            pass  # some had ended before they could be killed
        return made

    def _turns(self, moments: Iterable[Moment]) -> Iterator[tuple[Day, Moment]]:
        turns = list(itertools.product(DAYS, moments))
        self._chance.shuffle(turns)
        return itertools.cycle(turns)

    def _plan(self, day: Day, moment: Moment) -> tuple[Day, tuple[Moment, ...]]:
        return day, (moment, "any") if self._chance.random() < _SECOND_KILLS else (moment,)

    def _launch(self, dag_id: str, day: Day, plan: Iterable[Moment]) -> Launch:
        tallyfy, number = self._tallyfys[day.name], next(self._numbers)
        step = {"title": "Do it", "completes_in": COMPLETED_AFTER[dag_id]}
        checklist = tallyfy.emulator.add_checklist(f"Work {number}", steps=[step])
        launch = Launch(number, dag_id, tallyfy, deque(plan), checklist_id=checklist["id"])
        self._killer.watch(launch)
        return launch

    def _run(self, launches: Iterable[Launch]) -> list[Launch]:
        """Run launches, several at a time, and wait until their Dag runs have ended."""
        waiting = iter(launches)
        under_way: dict[str, Launch] = {}
        done: list[Launch] = []
        while True:
            for launch in itertools.islice(waiting, _AT_ONCE - len(under_way)):
                self._trigger(launch)
                under_way[launch.dag_run_id] = launch
            if not under_way:
                return done
            time.sleep(_BETWEEN_POLLS)
            self._restart_what_has_ended()
            for dag_run in self._newest({launch.dag_id for launch in under_way.values()}):
                if dag_run["state"] in FINAL_STATES and dag_run["dag_run_id"] in under_way:
                    done.append(self._finish(under_way.pop(dag_run["dag_run_id"]), dag_run["state"]))
            self._complain_of_late_ones(under_way.values())

    def _trigger(self, launch: Launch) -> None:
        launch.dag_run_id = f"launch_{launch.number}"
        launch.started_at = time.time()
        body: dict[str, Any] = {
            "dag_run_id": launch.dag_run_id,
            "conf": {"checklist": launch.checklist_id, "connection": launch.tallyfy.connection_id},
        }
        if self._airflow.major >= 3:
            body["logical_date"] = None
        try:
            _patiently(lambda: self._airflow.rest("POST", f"/dags/{launch.dag_id}/dagRuns", body))
        except RestError as error:
            if error.status != 409:  # an answer of 500 or none may have had its effect all the same
                raise

    def _restart_what_has_ended(self) -> None:
        if time.monotonic() < self._look_again_at:
            return
        self._airflow.restart_what_has_ended()
        self._look_again_at = time.monotonic() + _BETWEEN_LOOKS

    def _newest(self, dag_ids: Iterable[str]) -> list[dict[str, Any]]:
        # More than can be under way, as they end in another order than they begin in.
        paths = [f"/dags/{dag_id}/dagRuns?limit=50&order_by=-start_date" for dag_id in dag_ids]
        return [run for path in paths for run in _patiently(partial(self._airflow.rest, "GET", path))["dag_runs"]]

    def _finish(self, launch: Launch, state: str) -> Launch:
        launch.state = state
        try:
            launch.result = _patiently(lambda: self._airflow.xcom(launch.dag_id, launch.dag_run_id, TASK))
        except RestError as error:
            if error.status != 404:
                raise
        if not is_exact(launch):
            launch.log = self._airflow.task_log(launch.dag_id, launch.dag_run_id, TASK)
        return launch

    def _complain_of_late_ones(self, launches: Iterable[Launch]) -> None:
        late = [launch for launch in launches if time.time() - launch.started_at > _LONGEST]
        if late:
            logs = [self._airflow.task_log(launch.dag_id, launch.dag_run_id, TASK)[-3000:] for launch in late]
            raise TimeoutError("These did not end:\n" + "\n\n".join(map(self.describe, late)) + "\n".join(logs))

    def describe(self, launch: Launch) -> str:
        """Tell what became of a launch."""
        began = launch.started_at
        return (
            f"launch {launch.number} of {launch.dag_id} on {launch.tallyfy.day.name!r}: state {launch.state or '-'}, "
            f"result {launch.result}, runs {launch.runs}; seconds since the start: "
            f"tries {[(number, round(at - began, 2)) for number, at in launch.begun]}, "
            f"killed {[(kill.moment, kill.try_number, round(kill.at - began, 2)) for kill in launch.kills]}, "
            f"sent {[(round(begin - began, 2), round(end - began, 2)) for begin, end in launch.sent]}"
            f"\n{launch.log}"
        )


def _promised(launches: Iterable[Launch], quarry: Quarry) -> int:
    """Count those that were killed, or may be yet."""
    return sum(bool(one.kills or not one.state) for one in launches if one.dag_id == quarry.dag_id)


def _patiently(ask: Callable[[], Any]) -> Any:
    """Ask Airflow again when it fails to answer: SQLite is locked at times."""
    for pause in (0.5, 1.0, 2.0, 4.0):
        try:
            return ask()
        except (RestError, OSError) as error:
            if isinstance(error, RestError) and error.status < 500:
                raise
        time.sleep(pause)
    return ask()


def is_exact(launch: Launch) -> bool:
    """Tell whether a launch did what it should: one run in Tallyfy, and that one returned."""
    return launch.state == "success" and launch.runs == [launch.result]


def surplus(launches: Iterable[Launch]) -> int:
    """Count the runs beyond one for each launch."""
    return sum(max(0, len(launch.runs) - 1) for launch in launches)


def table(launches: Sequence[Launch]) -> str:
    """Show, for each kind of day, what was done and what came of it."""
    lines = [_row("", "launches", "kills", "before", "under way", "after", "resumed", "runs", "surplus")]
    for day in DAYS:
        rows = [launch for launch in launches if launch.tallyfy.day is day]
        if rows:
            lines.append(_row(day.name, *_counts(rows)))
    return "\n".join([*lines, _row("all", *_counts(launches))])


def _counts(launches: Sequence[Launch]) -> list[int]:
    kills: list[tuple[Launch, Kill]] = [(launch, kill) for launch in launches for kill in launch.kills]
    stages = Counter(launch.stage(kill) for launch, kill in kills)
    return [
        len(launches),
        len(kills),
        stages["before"],
        stages["under way"],
        stages["after"],
        sum(kill.moment == "resumed" for _, kill in kills),
        sum(len(launch.runs) for launch in launches),
        surplus(launches),
    ]


def _row(name: str, *cells: object) -> str:
    return f"{name:24}" + "".join(f"{cell!s:>11}" for cell in cells)
