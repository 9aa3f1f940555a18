"""Facts about changes, which are tried on one marked run (:mod:`tallyfy_provider.check.trial`)."""

from __future__ import annotations

from typing import Any

from tallyfy_provider.check import samples
from tallyfy_provider.check.fact import Subject
from tallyfy_provider.check.facts.comments import order_of
from tallyfy_provider.check.facts.feed import VERBS, kind_of, one_of
from tallyfy_provider.check.finding import Finding, Unanswered, cannot_tell, differs, found, holds
from tallyfy_provider.check.reader import ApiReader
from tallyfy_provider.check.shapes import id_forms, split_known, type_of
from tallyfy_provider.client.forms.compare import compare
from tallyfy_provider.client.forms.decode import stored_values
from tallyfy_provider.client.resource import assigned_ids
from tallyfy_provider.client.runs.filter_check import is_archived
from tallyfy_provider.client.tasks.status import is_completed
from tallyfy_provider.exceptions import TallyfyValidationError
from tallyfy_provider.utils.arguments import COMMENT_STATES

CHANGES = Subject("changes", "Endpoints", writes=True)


def _tried(reader: ApiReader, part: str) -> Any:
    if reader.trial is None:
        raise Unanswered(cannot_tell("It needs --with-writes CHECKLIST_ID."))
    return reader.trial.result(part)


@CHANGES.fact("launch", "A launch answers with the run and its id", "a launch", section="Launching once")
def launch(reader: ApiReader) -> Finding:
    result = _tried(reader, "launch")
    return found(str(result["again"]["id"]) == str(result["run"]["id"]), id=id_forms([result["run"]["id"]]))


@CHANGES.fact("launch-marker", "summary comes back with the mark of a launch", "the run", section="Launching once")
def launch_marker(reader: ApiReader) -> Finding:
    result = _tried(reader, "launch")
    is_kept = result["marker"].is_in(result["again"])
    return found(is_kept, kept=is_kept, same=result["again"].get("summary") == result["marker"].line)


@CHANGES.fact("launch-form", "The kick-off form keeps what a launch gives it", "the run", section="Form values")
def launch_form(reader: ApiReader) -> Finding:
    result = _tried(reader, "launch")
    if not result["sent"]:
        return cannot_tell("It needs a checklist with a kick-off form.")
    stored = stored_values(result["again"].get("prerun"))
    differences = compare(result["sent"], stored, result["fields"])
    is_same = all(stored.get(key) == value for key, value in result["sent"].items())
    readback = {"form_readback": "sent" if is_same else "rendered"}
    return found(
        not differences, fields=len(result["sent"]), differences=len(differences), same=is_same, quirks=readback
    )


@CHANGES.fact(
    "launch-listed", "A list has a new run after some seconds", "runs until it is there", section="Launching once"
)
def launch_listed(reader: ApiReader) -> Finding:
    result = _tried(reader, "listed")
    lag = {"list_lag": 0.0} if result["looks"] == 1 else {"list_lag": float(result["looks"] - 1)}
    return holds(
        seconds=result["seconds"], tries=result["looks"], summary=type_of(result["row"].get("summary")), quirks=lag
    )


@CHANGES.fact("update", "An update by the client keeps who is assigned", "a new name")
def update(reader: ApiReader) -> Finding:
    result = _tried(reader, "update")
    kept = [_assigned(result["before"], kind) == _assigned(result["after"], kind) for kind in ("users", "groups")]
    is_changed = result["before"].get("name") != result["after"].get("name")
    return found(all(kept) and is_changed, users=kept[0], groups=kept[1], changed=is_changed)


@CHANGES.fact("update-wipes", "An update without users and groups unassigns all of them, or none", "a new name alone")
def update_wipes(reader: ApiReader) -> Finding:
    result = _tried(reader, "partial")
    before, after = (_assigned(result[when], "users") for when in ("before", "after"))
    quirks = {"run_put_wipes": not after}
    return found(after in ([], before), before=len(before), after=len(after), quirks=quirks)


@CHANGES.fact("form-part", "An update of one answer keeps the others, or not; all are sent", "one answer alone")
def form_part(reader: ApiReader) -> Finding:
    result = _tried(reader, "form")
    before, after = set(result["before"]), set(result["after"])
    return holds(before=len(before), after=len(after), quirks={"taskdata_replaces": not before <= after})


@CHANGES.fact("comment", "A comment is written, and listed with the task's threads", "two comments")
def comment(reader: ApiReader) -> Finding:
    threads = _tried(reader, "comments")["threads"]
    return found(len(threads) >= 2, threads=len(threads), ids=id_forms(thread.get("id") for thread in threads))


@CHANGES.fact("comment-state", "A comment without state is hidden from guests; we send it", "two comments")
def comment_state(reader: ApiReader) -> Finding:
    threads = _tried(reader, "comments")["threads"]
    states = {str(thread.get("content")): thread.get("state") for thread in threads}
    without = [state for content, state in states.items() if "First comment" in content]
    sent = [state for content, state in states.items() if "Second comment" in content]
    words = [state if state in COMMENT_STATES else "other text" for state in (*without, *sent)]
    return found(without == ["hide-for-guests"] and sent == ["open"], states=words)


@CHANGES.fact("comment-sequence", "Comments are listed in the order of time, or against it", "two comments")
def comment_order(reader: ApiReader) -> Finding:
    return order_of([_tried(reader, "comments")["threads"]])


@CHANGES.fact("complete", "Completing a task completes it", "one task, once")
def complete(reader: ApiReader) -> Finding:
    result = _tried(reader, "complete")
    task, answer = result["task"], result["answer"]
    status = task.get("status") if task.get("status") in ("complete", "completed") else "other text"
    quirks = {"task_done_status": status} if status != "other text" else {}
    rules = type_of(answer.get("tasks_changed_by_rules"))
    return found(is_completed(task) and bool(task.get("completed_at")), status=status, rules=rules, quirks=quirks)


@CHANGES.fact(
    "launch-in-feed", "The activity feed has a row of a launch, after some time", "the feed", section="Activity feed"
)
def launch_in_feed(reader: ApiReader) -> Finding:
    rows = _tried(reader, "feed")
    if not rows:
        quirk = {"feed_records": False} if samples.is_feed_empty(reader) else {"feed_lag": 60.0}
        return holds("The feed may be behind.", rows=0, quirks=quirk)
    known, _ = split_known((one_of(row.get("verb")) for row in rows), VERBS)
    of_tasks = any(one_of(row.get("verb")) == "completed" and kind_of(row, "auditable") == "task" for row in rows)
    quirks = {"feed_lag": 0.0}
    if reader.trial is not None and reader.trial.error("complete") is None:
        quirks["feed_task_rows"] = of_tasks
    if reader.trial is not None and reader.trial.error("comments") is None:
        quirks["feed_work_rows"] = "commented" in known
    return found(bool({"created", "launched"} & set(known)), rows=len(rows), verbs=known, quirks=quirks)


@CHANGES.fact("archive", "Archiving a run archives it", "archiving it", section="Run status")
def archive(reader: ApiReader) -> Finding:
    if reader.trial is not None:
        reader.trial.prepare()
        error = reader.trial.error("archive")
        if isinstance(error, TallyfyValidationError):
            return differs("Tallyfy refuses to archive it.", status=error.status)
    run = _tried(reader, "archive")["run"]
    return found(is_archived(run), archived=bool(run.get("archived_at")), status=type_of(run.get("status")))


def _assigned(run: Any, kind: str) -> list[Any]:
    return assigned_ids(run.get(kind), kind) or []
