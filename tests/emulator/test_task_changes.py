"""After any sequence of changes, a run's progress, status and completion agree with its tasks."""

from __future__ import annotations

from hypothesis import example, given
from hypothesis import strategies as st

from tallyfy_emulator.model.run import OPEN_ISSUE
from tallyfy_emulator.model.run_changes import changed, new_run
from tallyfy_emulator.model.task_changes import commented, completed, filled, reopened, resolved
from tallyfy_emulator.model.wire import ValidationError
from tallyfy_emulator.seed.runs import catalog
from tallyfy_emulator.seed.templates import build_checklist

ORGANIZATION = catalog()
CHECKLIST = build_checklist(
    ORGANIZATION,
    "Everything",
    steps=[
        {"title": "Approve", "task_type": "approval"},
        {"title": "Skipped", "auto_skipped": True},
        {"title": "Fill", "form_fields": [{"label": "Needed", "id": "needed", "required": True}]},
        {"title": "Do"},
    ],
)
ORGANIZATION.checklists[CHECKLIST.id] = CHECKLIST

places = st.integers(0, 3)
deeds = st.one_of(
    st.tuples(st.just("complete"), places),
    st.tuples(st.just("fill"), places),
    st.tuples(st.just("reopen"), places),
    st.tuples(st.just("problem"), st.one_of(places, st.none())),
    st.tuples(st.just("resolve"), st.one_of(places, st.none())),
    st.tuples(st.just("status"), st.sampled_from(["active", "problem", "issue", "complete", "delayed"])),
)


def done(run, at, deed, index):
    """Apply one change to the run."""
    if deed == "status":
        return changed(run, at, {"status": index})
    task = None if index is None else run.tasks[index]
    task_id = task.id if task else None
    if deed == "complete":
        return completed(run, task_id, at, True, 10201)
    if deed == "fill":
        return filled(run, task_id, at, {"needed": "x"} if task.form_fields else {})
    if deed == "reopen":
        return reopened(run, task_id, at)
    if deed == "problem":
        return commented(run, task_id, at, "problem", "stuck", 10201, "open")
    threads = task.threads if task else run.threads
    thread = next((each.id for each in threads if each.is_open_issue), 0)
    return resolved(run, task_id, at, thread, "", 10201)


@given(st.lists(deeds, max_size=25))
@example([("status", "complete"), ("problem", None), ("status", "active")])
def test_run_and_tasks_agree(story):
    run = new_run(ORGANIZATION, 1, 0.0, {"checklist_id": CHECKLIST.id, "tasks_done": 0})
    for at, (deed, index) in enumerate(story, 1):
        try:
            run = done(run, float(at), deed, index)
        except ValidationError:
            continue
        tasks = [task for task in run.tasks if not task.auto_skipped]
        is_issue = any(thread.is_open_issue for thread in run.threads)
        is_problem = any(task.has_open_issue for task in run.tasks)

        assert (run.tasks_done, run.tasks_total) == (sum(task.is_done for task in tasks), 3)
        assert (run.completed_at is not None) == (run.status == "complete")
        assert (run.status in OPEN_ISSUE) == (is_issue or is_problem)
        if run.status == "complete":
            assert all(task.is_done for task in tasks)
        numbers = [thread.id for task in run.tasks for thread in task.threads] + [thread.id for thread in run.threads]
        assert len(set(numbers)) == len(numbers)
        if all(task.is_done for task in tasks):
            assert run.status in ("complete", *OPEN_ISSUE)
