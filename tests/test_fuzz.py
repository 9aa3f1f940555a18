"""
Made-up answers to every method of the client, every operator and sensor, the waits, the feed and the notifier.

Each is a result or an error of the provider's, and no secret, guest link or control character is logged or in an error.
A few hundred cases; ``TALLYFY_FUZZ_CASES=20000`` takes as many, ``TALLYFY_FUZZ_SEED`` others.
"""

from __future__ import annotations

import copy
import inspect
import json
import os
import re
import traceback
from collections.abc import Iterator
from itertools import islice
from types import GeneratorType

import pytest
from airflow.providers.common.compat.sdk import AirflowSkipException

from tallyfy_provider.client import ClientSettings, build_client, settings
from tallyfy_provider.client.client import TallyfyClient
from tallyfy_provider.client.http.budget_store import MemoryStore
from tallyfy_provider.client.http.transport import Transport
from tallyfy_provider.exceptions import TallyfyError, error_from_dict
from tallyfy_provider.hooks.tallyfy import TallyfyHook
from tallyfy_provider.notifications.tallyfy import TallyfyNotifier
from tallyfy_provider.operators.api import TallyfyAPIOperator
from tallyfy_provider.operators.runs import (
    ActivateRunOperator,
    ArchiveRunOperator,
    GetRunOperator,
    LaunchRunOperator,
    ListRunsOperator,
    UpdateRunOperator,
)
from tallyfy_provider.operators.tasks import (
    CommentOperator,
    CompleteTaskOperator,
    ListTasksOperator,
    ReopenTaskOperator,
    UpdateTaskOperator,
)
from tallyfy_provider.sensors.runs import RunCountSensor, RunStatusSensor
from tallyfy_provider.sensors.tasks import TaskStatusSensor
from tallyfy_provider.transfers.object_storage import TallyfyToObjectStorageOperator
from tallyfy_provider.triggers.activity_feed import confirm, read_feed
from tallyfy_provider.waiting.conditions import StatusRule, TaskRule
from tallyfy_provider.waiting.run_reader import RunReader
from tallyfy_provider.waiting.task_reader import TaskReader, read_task
from tests.clock import Clock
from tests.conftest import build_task_context
from tests.in_memory import LostResponse, answer_with
from tests.poison import DATES, GUEST_LINK, GUEST_SECRET, HEADERS, RUN, SECRET, TASK, Poison

CASES = int(os.environ.get("TALLYFY_FUZZ_CASES", "300"))
SEED = int(os.environ.get("TALLYFY_FUZZ_SEED", "1"))
#: What a terminal or a reader of logs takes for something else.
CONTROLS = set("\x1b\r\u202e\x00\x07")

FIELD = {"id": "f" * 32, "alias": "budget", "label": "Budget", "field_type": "dropdown", "required": False}
FIELD["options"] = [{"id": 1, "text": "North"}, {"id": 2, "text": "South"}]
RUN_OBJECT = {
    "id": RUN,
    "name": "x",
    "status": "complete",
    "checklist_id": RUN,
    "created_at": "2026-01-01 00:00:00",
    "last_updated": "2026-01-01 00:00:00",
    "completed_at": "2026-01-02 00:00:00",
    "archived_at": None,
    "users": [1],
    "groups": [],
    "prerun": {FIELD["id"]: {"id": 1, "text": "North"}},
    "prerun_status": "complete",
    "ko_form_fields": [FIELD],
    "summary": "x",
}
TASK_OBJECT = {
    "id": TASK,
    "run_id": RUN,
    "title": "t",
    "alias": "t",
    "status": "active",
    "task_type": "approval",
    "completed_at": None,
    "owners": {"users": [1], "guests": ["a@b.example"], "groups": []},
    "form_fields": [{**FIELD, "value": {"id": 1, "text": "North"}}],
    "taskdata": {FIELD["id"]: {"id": 1, "text": "North"}},
    "taskUrls": [{"email": "a@b.example", "url": GUEST_LINK}],
    "threads": {"data": [{"id": "1" * 32, "content": "x", "label": "comment", "created_at": "2026-01-01 00:00:00"}]},
    "completer": {"data": {"id": 1, "full_name": "A"}},
}
CHECKLIST_OBJECT = {"id": RUN, "title": "c", "prerun": [FIELD], "steps": [{"id": TASK, "alias": "t", "title": "t"}]}
FEED_ROW = {"id": "9" * 32, "verb": ["completed"], "auditable_type": ["Run"], "auditable_id": RUN}
FEED_ROW["created_at"] = ["2026-01-01 00:00:00"]
ME = {"id": 1, "email": "a@b.example", "first_name": "A", "last_name": "B"}


class Hostile:
    """Gives what Tallyfy would give, with some of it exchanged, taken out, or something else altogether."""

    def __init__(self, poison: Poison) -> None:
        self.poison = poison
        self.random = poison.random
        self.count = 0

    def __call__(self, method, path, query, body):
        self.count += 1
        if self.count > 200:
            return 404, {"message": "enough"}, {}
        pick = self.random.random()
        if pick < 0.03:
            raise LostResponse
        if pick < 0.15:
            status = self.random.choice([200, 204, 300, 400, 401, 403, 404, 409, 422, 429, 500, 503, 101, 999])
            names = [name for name in HEADERS if not name.startswith(("Content", "Transfer"))]
            headers = {name: self.random.choice(HEADERS[name]) for name in self.random.sample(sorted(names), 3)}
            return status, self.poison.body(), {**headers, "Content-Type": "application/json"}
        return 200, self.dumped(self.payload(method, path)), {"Content-Type": "application/json"}

    def payload(self, method, path):
        if path.endswith("/token"):
            payload = {"access_token": "t0ken", "expires_in": 3600, "token_type": "Bearer"}
        else:
            payload = {"data": self.data(method, path)}
            if isinstance(payload["data"], list):
                payload["meta"] = {"pagination": {"total": 1, "total_pages": 1, "links": []}}
        for _ in range(self.random.randrange(4)):
            self.mutate(payload)
        return payload

    def data(self, method, path):
        last = path.rpartition("/")[2]
        item = {"tasks": TASK_OBJECT, "checklists": CHECKLIST_OBJECT, "activity-feeds": FEED_ROW}.get(last, RUN_OBJECT)
        if last in ("tasks", "checklists", "activity-feeds", "organizations") or (last == "runs" and method == "GET"):
            return [copy.deepcopy(item)]
        if last in ("comment", "problem", "resolved-threads"):
            return copy.deepcopy(TASK_OBJECT["threads"]["data"][0])
        if last == "me":
            return dict(ME)
        if "/checklists/" in path:
            return copy.deepcopy(CHECKLIST_OBJECT)
        return copy.deepcopy(TASK_OBJECT if "/tasks/" in path or "completed-tasks" in path else RUN_OBJECT)

    def mutate(self, payload):
        """Exchange or take out something at a random place."""
        place = payload
        while True:
            keys = list(place) if isinstance(place, dict) else list(range(len(place)))
            if not keys:
                return
            key = self.random.choice(keys)
            if isinstance(place[key], (dict, list)) and self.random.random() < 0.8:
                place = place[key]
                continue
            if self.random.random() < 0.2:
                del place[key]
            else:
                place[key] = self.random.choice([self.poison.value(3), [place[key]], {"data": place[key]}, *DATES[3:]])
            return

    @staticmethod
    def dumped(payload):
        return json.dumps(payload).encode("utf-8", "surrogatepass")


#: What is given for each parameter of the client's methods.
ARGUMENTS = {
    "run_id": RUN,
    "run_ids": {RUN},
    "task_id": TASK,
    "thread_id": "1" * 32,
    "checklist_id": RUN,
    "content": "x",
    "body": {"checklist_id": RUN, "name": "x"},
    "changes": {"name": "y", "prerun": {FIELD["id"]: {"id": 2, "text": "South"}}},
    "filters": {},
    "number": 1,
    "per_page": 10,
    "path": "runs",
    "method": "POST",
    "json": {"a": 1},
    "is_approved": True,
    "searched": "x",
    "missing": None,
    "query": None,
    "kind": "users",
}
TASK_CHANGES = {"title": "y", "owners": {"users": [2]}, "taskdata": {FIELD["id"]: {"id": 2, "text": "South"}}}
NOT_ENDPOINTS = {"close", "get_again", "list_encoded", "list_weighed", "on_tallyfys_clock", "reading_numbers_with"}


def methods_of_the_client():
    """Name each public method of each resource."""
    client = build_client(ClientSettings("org", SECRET))
    resources = {"": client, **{name: each for name, each in vars(client).items() if hasattr(each, "session")}}
    return [
        (resource, name)
        for resource, each in sorted(resources.items())
        for name, _ in inspect.getmembers(each, inspect.ismethod)
        if not name.startswith("_") and name not in NOT_ENDPOINTS
    ]


def call(resource, name):
    def ask(client: TallyfyClient):
        from tallyfy_provider.client.runs.filters import encode

        method = getattr(getattr(client, resource) if resource else client, name)
        given = {**ARGUMENTS, "query": {"a": "b"} if name != "count" else encode({"status": "active"})}
        if resource == "tasks":
            given["changes"] = TASK_CHANGES
        wanted = [each for each in inspect.signature(method).parameters.values()]
        arguments = {
            each.name: given[each.name] for each in wanted if each.default is each.empty or each.name == "run_id"
        }
        return consumed(method(**arguments))

    return ask


def consumed(result):
    return list(islice(result, 5)) if isinstance(result, (GeneratorType, Iterator)) else result


def reader(kind):
    def ask(client):
        seen = {}
        kind(seen.update).read(client, {f"{n:032x}": lambda run: False for n in range(11)} | {RUN: bool})
        for snapshot in seen.values():
            if snapshot.run is not None:
                StatusRule().result([snapshot.run])
                for task in snapshot.run.get("tasks") or [None]:
                    TaskRule().result(task, snapshot.run)
        return {name: snapshot.run for name, snapshot in seen.items()}

    return ask


def feed(client):
    activities = read_feed(client, 1.0)
    return [confirm(activity, client.runs.find(activity.run_id), "org") for activity in activities[:2]]


def operator(kind, **arguments):
    def ask(client):
        context = build_task_context(try_number=2, max_tries=3)
        built = kind(task_id="x", **arguments)
        result = built.execute(context) if not hasattr(built, "poke") else built.poke(context)
        assert repr(built)
        return result

    return ask


def notifier(**arguments):
    def ask(client):
        built = TallyfyNotifier(**arguments)
        built.notify({"dag_run": None, "run_id": "r", "reason": "task_failure", "dag": None})

    return ask


def describe_access(client):
    return TallyfyHook().test_connection()


STEP = {"run_id": RUN, "step": "t"}
FORM = {"budget": "South"}


@pytest.fixture
def ways(tmp_path):
    """Every way of asking, by name."""
    named = {f"client.{resource}.{name}": call(resource, name) for resource, name in methods_of_the_client()}
    return named | {
        "RunReader": reader(RunReader),
        "TaskReader": reader(TaskReader),
        "read_task": lambda client: TaskRule().result(**{k: v for k, v in read_task(client, RUN, "t").items()}),
        "feed": feed,
        "test_connection": describe_access,
        "ListRuns": operator(ListRunsOperator, filters={"status": "complete"}, fields=["id", "name"]),
        "GetRun": operator(GetRunOperator, run_id=RUN),
        "UpdateRun": operator(UpdateRunOperator, run_id=RUN, name="y", summary="z", kickoff=FORM, add_users=[3]),
        "ArchiveRun": operator(ArchiveRunOperator, run_id=RUN),
        "ActivateRun": operator(ActivateRunOperator, run_id=RUN),
        "LaunchRun": operator(
            LaunchRunOperator, checklist_id=RUN, kickoff=FORM, steps={"t": {"position": 2}}, lookup_timeout=0
        ),
        "ListTasks": operator(ListTasksOperator, run_id=RUN),
        "CompleteTask": operator(CompleteTaskOperator, **STEP, decision="approve", values=FORM),
        "UpdateTask": operator(UpdateTaskOperator, **STEP, title="y", values=FORM, add_users=[3]),
        "ReopenTask": operator(ReopenTaskOperator, **STEP),
        "Comment": operator(CommentOperator, **STEP, content="x"),
        "CommentOnRun": operator(CommentOperator, run_id=RUN, content="x"),
        "API": operator(TallyfyAPIOperator, path="runs", paginate=True, max_rows=3),
        "RunStatus": operator(RunStatusSensor, run_id=[RUN, TASK]),
        "RunCount": operator(RunCountSensor, at_least=1, filters={"status": "active"}),
        "TaskStatus": operator(TaskStatusSensor, **STEP),
        "ExportCsv": operator(TallyfyToObjectStorageOperator, path=f"{tmp_path}/x.csv"),
        "ExportJson": operator(TallyfyToObjectStorageOperator, path=f"{tmp_path}/x.jsonl"),
        "ExportTables": operator(
            TallyfyToObjectStorageOperator,
            path=f"{tmp_path}/tables",
            tables=["runs", "tasks", "answers", "comments", "assignees", "people", "checklists", "steps"],
        ),
        "NotifyRun": notifier(checklist_id=RUN, kickoff=FORM),
        "NotifyTask": notifier(**STEP),
    }


def wrong_in_text(text):
    """Tell what must not be in what people read: secrets, guest links, control characters."""
    if SECRET.lower() in text.lower() or GUEST_SECRET in text:
        yield f"a secret in {text!r}"
    if found := CONTROLS & set(text):
        yield f"{found} in {text!r}"


def wrong_in_error(error):
    yield from wrong_in_text(str(error))
    yield from wrong_in_text(f"{error!r} {json.dumps(error.to_dict())}")
    if str(error_from_dict(json.loads(json.dumps(error.to_dict())))) != str(error):
        yield f"{error!r} does not survive the way to the worker"


def wrong_in_log(log):
    for line in log.split("\n"):
        # structlog colours what it prints by sequences of its own
        yield from wrong_in_text(re.sub(r"\x1b\[(0|1|2|3[0-9])?m", "", line) if "red" not in line else line)
        if line.startswith("INFO forged"):
            yield line
        if ", line " in line:
            yield f"an exception that is none of the provider's: {line}"


@pytest.mark.random_cases
@pytest.mark.timeout(3600)  # 20,000 cases take some minutes, on a busy machine many
def test_every_answer_to_every_way_of_asking_is_a_result_or_an_error_of_the_provider(monkeypatch, ways, said):
    poison = Poison(SEED)
    hostile = Hostile(poison)
    answer_with(monkeypatch, hostile)
    clock = Clock()
    monkeypatch.setattr("time.sleep", clock.sleep)
    monkeypatch.setattr(Transport, "_wait", lambda transport, seconds, request: clock.sleep(seconds))
    monkeypatch.setattr(settings, "_shared_store", lambda _: MemoryStore(clock))
    extra = {"max_attempts": 2, "allow_http": True}
    connection = {
        "conn_type": "tallyfy",
        "host": "http://localhost",
        "login": "org",
        "password": SECRET,
        "extra": extra,
    }
    monkeypatch.setenv("AIRFLOW_CONN_TALLYFY_DEFAULT", json.dumps(connection))
    account = ClientSettings("org", SECRET, base_url="http://localhost", max_attempts=2)
    names = sorted(ways)
    wrong = []
    for number in range(CASES):
        name = names[number % len(names)]
        case = f"case {number} of seed {SEED}: {name}"
        poison.random.seed(f"{SEED} {number}")
        hostile.count = 0
        client = build_client(account, sleep=clock.sleep, clock=clock)
        try:
            ways[name](client)
        except TallyfyError as error:
            wrong += [f"{case}: {what}" for what in wrong_in_error(error)]
        except AirflowSkipException as skip:
            wrong += [f"{case}: {what}" for what in wrong_in_text(str(skip))]
        except Exception as error:
            frame = traceback.extract_tb(error.__traceback__)[-1]
            wrong.append(f"{case} raised {error!r} ({frame.filename}, line {frame.lineno})")
        finally:
            client.close()
        if number % 20 == 19:
            wrong += [f"logged until {case}: {what}" for what in wrong_in_log(said())]
        assert len(wrong) < 20, "\n".join(wrong)
    assert not wrong, "\n".join(wrong)
